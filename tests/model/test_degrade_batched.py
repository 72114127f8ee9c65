"""The batched degradation against the one of single pictures, on torch's CPU."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_model.degradations import Image, resize
from apisr_model.degradations.analogue import Analogue
from apisr_model.degradations.blur import Blur, BlurConfig
from apisr_model.degradations.blur import draw as draw_blur
from apisr_model.degradations.image_codecs import ImageCodec
from apisr_model.degradations.noise import Gaussian, Poisson
from apisr_model.degradations.resize import Resize
from apisr_model.degradations.video_codecs import VideoCodec
from apisr_model.degrade import Degradation, DegradationConfig, Drawn, Step
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.device_degradations import Canvases
from apisr_model.device_degradations import blur as device_blur
from apisr_model.device_degradations import noise as device_noise
from apisr_model.device_degradations import resize as device_resize
from apisr_model.errors import DegradationError, ShapeError
from tests.model.manifests import picture

PAPER = DegradationConfig()


def image(seed: int, width: int, height: int) -> Image:
    return picture(seed, (width, height)).astype(np.float32) / 255


def tensor(images: Sequence[Image]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())


def on_canvases(images: Sequence[Image]) -> Canvases:
    """Of unequal sizes; what lies beyond a picture is far from any colour."""
    sizes = tuple(one.shape[:2] for one in images)
    pixels = torch.full((len(images), 3, max(h for h, _ in sizes), max(w for _, w in sizes)), 9.0)
    for canvas, one in zip(pixels, images, strict=True):
        canvas[:, : one.shape[0], : one.shape[1]] = tensor([one])[0]
    return Canvases(pixels, sizes)


def on(canvases: Canvases, place: int) -> Image:
    height, width = canvases.sizes[place]
    return canvases.pixels[place, :, :height, :width].permute(1, 2, 0).numpy()


def without(drawn: Sequence[Drawn], *kinds: type[Step]) -> list[Drawn]:
    return [Drawn(steps=tuple(step for step in one.steps if not isinstance(step, kinds))) for one in drawn]


def batch(count: int, scale: int, side: int) -> tuple[list[Image], list[Drawn]]:
    rng, degradation = np.random.default_rng(scale), Degradation(PAPER, scale)
    return [image(seed, side, side) for seed in range(count)], [degradation.draw(rng) for _ in range(count)]


def replayed(images: Sequence[Image], drawn: Sequence[Drawn], scale: int) -> tuple[np.ndarray, np.ndarray]:
    """What the single and the batched degradation make of the same."""
    single = Degradation(PAPER, scale)
    one_by_one = np.stack([single.apply(one, steps) for one, steps in zip(images, drawn, strict=True)])
    together = BatchedDegradation(PAPER, scale, threads=2).apply(tensor(images), drawn)
    return one_by_one, together.permute(0, 2, 3, 1).numpy()


sides = st.integers(1, 60)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(sides, sides, sides, sides, st.sampled_from(["area", "bilinear", "bicubic"])), min_size=1, max_size=4
    )
)
def test_a_resize_is_opencvs(resizes):
    images = [image(seed, width, height) for seed, (width, height, *_) in enumerate(resizes)]
    kernels = [kernel for *_, kernel in resizes]
    to = [(height, width) for _, _, width, height, _ in resizes]
    resized = device_resize.apply(on_canvases(images), kernels, to)
    for place, one in enumerate(images):
        expected = resize.apply(one, kernels[place], to[place][::-1]).reshape((*to[place], 3))
        np.testing.assert_allclose(on(resized, place), expected, atol=1e-4)


def test_blurs_are_those_of_single_pictures_even_where_the_kernel_is_larger_than_the_picture():
    rng = np.random.default_rng(0)
    images = [image(seed, *rng.integers(1, 50, 2).tolist()) for seed in range(60)]
    blurs = [draw_blur(rng, BlurConfig(sinc_probability=0.2)) for _ in images]
    blurred = device_blur.apply(on_canvases(images), blurs)
    for place, (one, blur) in enumerate(zip(images, blurs, strict=True)):
        np.testing.assert_allclose(on(blurred, place), blur.apply(one).reshape(one.shape), atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_without_noise_and_codecs_a_replayed_batch_is_the_single_pictures(scale: int):
    images, drawn = batch(16, scale, 96)
    quiet = without(drawn, Gaussian, Poisson, ImageCodec, VideoCodec)
    one_by_one, together = replayed(images, quiet, scale)
    np.testing.assert_allclose(together, one_by_one, atol=1e-4)


def test_codecs_mostly_see_the_same_levels_and_give_the_same_picture():
    images, drawn = batch(32, 4, 128)
    one_by_one, together = replayed(images, without(drawn, Gaussian, Poisson), 4)
    error = ((one_by_one - together) ** 2).mean(axis=(1, 2, 3))
    assert (error < 1e-5).mean() >= 0.9, "50 dB; an encoder that sees one level apart may decide otherwise"


@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_noise_has_the_moments_of_single_pictures(kind: str, is_grey: bool):
    ramp = np.broadcast_to(np.linspace(0.3, 0.7, 64, dtype=np.float32)[:, None], (64, 64, 3)).copy()
    ramp[..., 1] -= 0.1
    noise = {"gaussian": lambda seed: Gaussian(sigma=12.0, is_grey=is_grey, seed=seed)}
    noise["poisson"] = lambda seed: Poisson(scale=0.4, is_grey=is_grey, seed=seed)
    steps = [noise[kind](seed) for seed in range(64)]
    batched = device_noise.apply(on_canvases([ramp] * 64), steps)
    ours = np.stack([on(batched, place) for place in range(64)]) - ramp
    theirs = np.stack([step.apply(ramp) for step in steps]) - ramp
    assert ours.mean() == pytest.approx(theirs.mean(), abs=4 * theirs.std() / np.sqrt(64**3))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    dark, bright = (part.std() / whole.std() for part, whole in ((ours[:, :8], theirs[:, :8]), (ours, theirs)))
    assert dark == pytest.approx(bright, rel=0.05), "the noise grows with the light as it does there"
    between = [float(np.corrcoef(part[..., 0].ravel(), part[..., 2].ravel())[0, 1]) for part in (ours, theirs)]
    assert between[0] == pytest.approx(between[1], abs=0.02)
    skews = [float((part**3).mean() / part.std() ** 3) for part in (ours, theirs)]
    assert skews[0] == pytest.approx(skews[1], abs=0.05)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 9])
def test_photons_are_counted_of_the_pictures_own_levels(levels: int):
    few = np.zeros((16, 16, 3), np.float32)
    few[:levels, 0] = (np.arange(levels, dtype=np.float32) / 255)[:, None]
    many = image(1, 40, 40)
    step = Poisson(scale=1.0, is_grey=False, seed=3)
    noisy = on(device_noise.apply(on_canvases([few, many]), [step, step]), 0)
    photons = 2 ** int(np.ceil(np.log2(levels)))
    np.testing.assert_allclose(noisy * photons, np.rint(noisy * photons), atol=2e-4 * photons)


def test_the_same_batch_comes_out_the_same_bit_for_bit():
    images, drawn = batch(6, 4, 64)
    degradation = BatchedDegradation(PAPER, 4, threads=3)
    first, second = (degradation.apply(tensor(images), drawn) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (6, 3, 16, 16)
    assert first.dtype == torch.float32
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_a_picture_does_not_depend_on_those_beside_it():
    images, drawn = batch(6, 4, 64)
    codecless = without(drawn, ImageCodec, VideoCodec)  # they make a level of the last bit
    degradation = BatchedDegradation(PAPER, 4)
    together = degradation.apply(tensor(images), codecless)
    for place in range(6):
        alone = degradation.apply(tensor(images[place : place + 1]), codecless[place : place + 1])
        # where a level is counted anew, a pixel's photons may differ
        assert ((alone[0] - together[place]).abs() > 1e-4).float().mean() < 0.01


def test_what_is_drawn_is_what_single_pictures_draw():
    single, batched = Degradation(PAPER, 4), BatchedDegradation(PAPER, 4)
    assert single.draw(np.random.default_rng(5)) == batched.draw(np.random.default_rng(5))


def test_the_input_is_left_alone():
    images, drawn = batch(3, 4, 32)
    faulty = Drawn(steps=(Analogue(fault="halo", strength=1.0), Resize(kernel="area", factor=0.25)))
    given_ = tensor(images)
    kept = given_.clone()
    BatchedDegradation(PAPER, 4).apply(given_, [*drawn[:2], faulty])
    assert torch.equal(given_, kept)


@pytest.mark.parametrize("fault", ["dot_crawl", "interlacing"])
def test_analogue_faults_are_those_of_single_pictures(fault: str):
    steps = (Resize(kernel="area", factor=0.5), Analogue.model_validate({"fault": fault, "strength": 0.7}))
    one_by_one, together = replayed([image(0, 48, 32), image(1, 48, 32)], [Drawn(steps=steps)] * 2, 2)
    np.testing.assert_allclose(together, one_by_one, atol=1e-4)


def test_pictures_may_be_oblong_and_without_any_step_but_the_last():
    last = Drawn(steps=(Resize(kernel="bicubic", factor=0.5),))
    other = Drawn(steps=(Blur(family="iso", taps=7, sigma_x=1.0), *last.steps))
    one_by_one, together = replayed([image(0, 64, 24), image(1, 64, 24)], [last, other], 2)
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)


def test_bad_batches_are_refused():
    degradation = BatchedDegradation(PAPER, 4)
    drawn = Drawn(steps=(Resize(kernel="area", factor=0.25),))
    with pytest.raises(ShapeError, match="multiples of it, found 32x30"):
        degradation.apply(torch.zeros(1, 3, 30, 32), [drawn])
    with pytest.raises(ShapeError, match=r"found torch\.float32 \(3, 32, 32\)"):
        degradation.apply(torch.zeros(3, 32, 32), [drawn])
    with pytest.raises(ShapeError, match=r"wants floats .* found torch\.uint8"):
        degradation.apply(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), [drawn])
    with pytest.raises(ShapeError, match="found 1 for 2"):
        degradation.apply(torch.zeros(2, 3, 32, 32), [drawn])
    with pytest.raises(ShapeError, match="another scale"):
        degradation.apply(torch.zeros(1, 3, 32, 32), [Drawn(steps=())])


def test_a_codec_that_fails_is_named():
    drawn = Drawn(steps=(Resize(kernel="area", factor=0.25), ImageCodec(codec="webp", quality=50, effort=7 * 7)))
    with pytest.raises(DegradationError, match="webp quality 50, method 49 of 8x8 px"):
        BatchedDegradation(PAPER, 4).apply(torch.zeros(1, 3, 32, 32), [drawn])


@pytest.mark.gpu
def test_a_gpu_makes_what_the_cpu_makes_within_rounding():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images, drawn = batch(16, 4, 128)
    quiet = without(drawn, Gaussian, Poisson, ImageCodec, VideoCodec)
    degradation = BatchedDegradation(PAPER, 4)
    there = degradation.apply(tensor(images).cuda(), quiet)
    np.testing.assert_allclose(there.cpu(), degradation.apply(tensor(images), quiet), atol=1e-4)
    assert torch.equal(*(degradation.apply(tensor(images).cuda(), drawn) for _ in range(2)))
