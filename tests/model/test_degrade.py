import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from pydantic import ValidationError

from apisr_model.degradations import Image
from apisr_model.degradations.analogue import Analogue, AnalogueConfig
from apisr_model.degradations.blur import Blur
from apisr_model.degradations.image_codecs import ImageCodec
from apisr_model.degradations.noise import Gaussian, Poisson
from apisr_model.degradations.resize import Resize
from apisr_model.degradations.video_codecs import CompressionConfig, VideoCodec
from apisr_model.degrade import Degradation, DegradationConfig, Drawn, FirstStage, SecondStage, Step
from apisr_model.errors import ShapeError
from tests.model.manifests import picture

DRAWS = 20_000
PAPER = DegradationConfig()


def image(height: int = 96, width: int = 128) -> Image:
    return picture(2, (width, height)).astype(np.float32) / 255


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    rng, degradation = np.random.default_rng(0), Degradation(PAPER, 4)
    return [degradation.draw(rng) for _ in range(DRAWS)]


def is_noise(step: Step) -> bool:
    return isinstance(step, Gaussian | Poisson)


def stages(one: Drawn) -> tuple[list[Step], list[Step]]:
    """The steps of the first stage with its codec, and those of the second; without the last two."""
    codec = next(place for place, step in enumerate(one.steps) if isinstance(step, ImageCodec))
    return list(one.steps[: codec + 1]), list(one.steps[codec + 1 : -2])


def has_rate(found: int, probability: float, of: int = DRAWS) -> bool:
    """Within five standard deviations of the binomial distribution."""
    return abs(found - probability * of) < 5 * math.sqrt(probability * (1 - probability) * of)


def counts(drawn: list[Drawn], name: Callable[[Drawn], str]) -> Counter[str]:
    return Counter(map(name, drawn))


def place(steps: list[Step]) -> str:
    """Of the resize among the blur, which may be absent, and the noise."""
    return "".join("R" if isinstance(step, Resize) else "B" if isinstance(step, Blur) else "N" for step in steps)


def test_the_order_is_the_papers(drawn: list[Drawn]) -> None:
    for one in drawn[:2000]:
        first, second = stages(one)
        assert place(first[:-1]) in {"RBN", "BRN", "BNR"}
        assert place(second) in {"RBN", "BRN", "BNR", "RN", "NR"}
        last_resize, codec = one.steps[-2:]
        assert isinstance(last_resize, Resize)
        assert last_resize.factor == 0.25
        assert isinstance(codec, ImageCodec | VideoCodec)


def test_each_position_of_the_shuffled_resize_is_as_likely(drawn: list[Drawn]) -> None:
    first = counts(drawn, lambda one: place(stages(one)[0][:-1]))
    assert all(has_rate(first[kind], 1 / 3) for kind in ("RBN", "BRN", "BNR"))
    second = counts(drawn, lambda one: place(stages(one)[1]))
    assert all(has_rate(second[kind], 0.8 / 3) for kind in ("RBN", "BRN", "BNR"))
    assert has_rate(second["RN"], 0.2 * 2 / 3)
    assert has_rate(second["NR"], 0.2 / 3)


@pytest.mark.parametrize("stage", [0, 1])
def test_directions_kernels_and_noises_have_the_papers_probabilities(drawn: list[Drawn], stage: int) -> None:
    steps = [stages(one)[stage] for one in drawn]
    resizes = [next(step for step in some if isinstance(step, Resize)) for some in steps]
    factors = np.array([resize.factor for resize in resizes]) * (1, 4)[stage]
    assert has_rate(int((factors > 1).sum()), 0.2)
    assert has_rate(int((factors < 1).sum()), 0.7)
    assert (0.1, 0.15)[stage] <= factors.min() <= factors.max() <= 1.2
    kernels = Counter(resize.kernel for resize in resizes)
    assert all(has_rate(kernels[kernel], 1 / 3) for kernel in ("area", "bilinear", "bicubic"))
    noises = [step for some in steps for step in some if isinstance(step, Gaussian | Poisson)]
    assert len(noises) == DRAWS
    assert has_rate(sum(isinstance(noise, Gaussian) for noise in noises), 0.5)
    assert has_rate(sum(noise.is_grey for noise in noises), 0.4)
    assert max(noise.sigma for noise in noises if isinstance(noise, Gaussian)) <= (30, 25)[stage]
    assert max(noise.scale for noise in noises if isinstance(noise, Poisson)) <= (3, 2.5)[stage]


@pytest.mark.parametrize("stage", [0, 1])
def test_blur_families_have_the_papers_probabilities(drawn: list[Drawn], stage: int) -> None:
    blurs = [step for one in drawn for step in stages(one)[stage] if isinstance(step, Blur)]
    assert has_rate(len(blurs), (1.0, 0.8)[stage]) or (stage == 0 and len(blurs) == DRAWS)
    families = Counter(blur.family for blur in blurs)
    expected = {"iso": 0.45, "aniso": 0.25, "generalized_iso": 0.12, "generalized_aniso": 0.03}
    expected |= {"plateau_iso": 0.12, "plateau_aniso": 0.03}
    assert has_rate(families["sinc"], 0.1, len(blurs))
    for family, share in expected.items():
        assert has_rate(families[family], 0.9 * share, len(blurs)), family  # type: ignore[index]


def test_codecs_have_the_papers_probabilities(drawn: list[Drawn]) -> None:
    middle = Counter(stages(one)[0][-1].codec for one in drawn)  # type: ignore[union-attr]
    assert has_rate(middle["jpeg"], 0.4)
    assert has_rate(middle["webp"], 0.6)
    last = Counter(one.steps[-1].codec for one in drawn)  # type: ignore[union-attr]
    expected = {"jpeg": 0.06, "webp": 0.1, "avif": 0.1, "mpeg2": 0.12, "mpeg4": 0.12, "h264": 0.3, "h265": 0.2}
    assert last.keys() == expected.keys()
    assert all(has_rate(last[codec], share) for codec, share in expected.items())  # type: ignore[index]
    presets = [one.steps[-1].preset for one in drawn if isinstance(one.steps[-1], VideoCodec)]
    named = Counter(preset for preset in presets if preset)
    shares = {"slow": 0.05, "medium": 0.35, "fast": 0.3, "faster": 0.2, "superfast": 0.1}
    assert all(has_rate(named[preset], share, named.total()) for preset, share in shares.items())  # type: ignore[index]


def test_the_second_resize_is_for_4x_alone() -> None:
    rng, degradation = np.random.default_rng(0), Degradation(PAPER, 2)
    assert all(place(stages(degradation.draw(rng))[1]) in {"BN", "N"} for _ in range(200))


def test_what_was_drawn_can_be_stored_printed_and_replayed_bit_for_bit() -> None:
    degradation = Degradation(PAPER, 4)
    for seed in range(12):
        one = degradation.draw(np.random.default_rng(seed))
        assert one == degradation.draw(np.random.default_rng(seed))
        stored = Drawn.model_validate_json(one.model_dump_json())
        assert stored == one
        assert len(str(one).splitlines()) == len(one.steps)
        np.testing.assert_array_equal(degradation.apply(image(), one), degradation.apply(image(), stored))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_result_is_smaller_by_the_scale_and_within_range(scale: int) -> None:
    degradation = Degradation(PAPER, scale)
    for seed in range(8):
        before = image()
        low_res = degradation.apply(before, degradation.draw(np.random.default_rng(seed)))
        np.testing.assert_array_equal(before, image())
        assert low_res.shape == (96 // scale, 128 // scale, 3)
        assert low_res.dtype == np.float32
        assert 0 <= low_res.min() <= low_res.max() <= 1


def test_without_its_stages_and_codecs_it_is_the_plain_reduction() -> None:
    off = DegradationConfig(
        first=FirstStage(probability=0.0),
        second=SecondStage(probability=0.0),
        kernels=("area",),
        compression=CompressionConfig(probability=0.0),
    )
    degradation = Degradation(off, 4)
    one = degradation.draw(np.random.default_rng(0))
    assert str(one) == "resize 0.250 area"
    np.testing.assert_allclose(
        degradation.apply(image(), one), image().reshape(24, 4, 32, 4, 3).mean((1, 3)), atol=1e-6
    )


def test_an_analogue_fault_stands_before_the_compression_where_it_is_asked_for() -> None:
    degradation = Degradation(DegradationConfig(analogue=AnalogueConfig(probability=1.0)), 4)
    one = degradation.draw(np.random.default_rng(0))
    assert [isinstance(step, Analogue) for step in one.steps[-3:]] == [False, True, False]
    assert Drawn.model_validate_json(one.model_dump_json()) == one
    assert degradation.apply(image(), one).shape == (24, 32, 3)


@pytest.mark.parametrize("size", [(46, 64), (0, 64)])
def test_sides_that_are_no_multiple_of_the_scale_are_refused(size: tuple[int, int]) -> None:
    degradation = Degradation(PAPER, 4)
    with pytest.raises(ShapeError, match=f"{size[1]}x{size[0]}"):
        degradation.apply(np.zeros((*size, 3), np.float32), degradation.draw(np.random.default_rng(0)))


def test_a_range_that_descends_and_weights_of_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="found 90 to 50"):
        CompressionConfig(jpeg_quality=(90, 50))
    with pytest.raises(ValidationError, match="at least one weight"):
        CompressionConfig(codecs={"jpeg": 0.0})
    with pytest.raises(ValidationError, match="heif"):
        CompressionConfig(codecs={"heif": 1.0})  # type: ignore[dict-item]


def degraded(seed: int) -> bytes:
    degradation = Degradation(PAPER, 4)
    return degradation.apply(image(), degradation.draw(np.random.default_rng(seed))).tobytes()


@pytest.mark.slow  # starting interpreters takes some seconds
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_give_the_same_pictures(method: str) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        assert list(pool.map(degraded, range(24))) == [degraded(seed) for seed in range(24)]
