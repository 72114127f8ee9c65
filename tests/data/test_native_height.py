import importlib.util
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageFilter

from apisr_data import native_height, tables
from apisr_data.native_height import Estimate, Sampler, descale_curve, estimate, estimate_by_title, sample_columns
from apisr_data.native_height.estimate import LEAST_CONFIDENCE
from apisr_data.native_height.sampler import FRAMES

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "native_height.py"


@cache
def benchmark() -> ModuleType:
    """The makers of pictures whose native height is known: Pillow, libswscale and libx264."""
    spec = importlib.util.spec_from_file_location("benchmark_native_height", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def drawn(height: int = 1440) -> np.ndarray:
    return benchmark().drawn_master(1, height)


def picture(native: int, kernel: str = "none", maker: str = "pillow", height: int = 1080) -> np.ndarray:
    return benchmark().upscaled(drawn(), native, kernel, maker, height)


def found(lumas: Sequence[np.ndarray]) -> Estimate:
    return estimate(descale_curve(np.hstack([sample_columns(luma) for luma in lumas])))


def noise(height: int, width: int, deviation: float, mean: float = 128) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(np.rint(mean + deviation * rng.standard_normal((height, width))), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kernel", ["bilinear", "catmull-rom", "lanczos"])
def test_at_the_native_height_only_the_rounding_to_8_bits_is_left(kernel):
    native = noise(700, 64, 15).astype(np.float32)
    enlarged = np.asarray(Image.fromarray(native).resize((64, 1080), benchmark().PILLOW[kernel]))
    curve = descale_curve(np.rint(enlarged).astype(np.uint8), kernels=[kernel], heights=[690, 700, 710])
    rounding = math.log(1 / math.sqrt(12))
    assert curve.log_errors[kernel][1] == pytest.approx(rounding, abs=0.05)
    assert (curve.log_errors[kernel][::2] > rounding + 1).all()


def test_white_noise_leaves_its_own_deviation_at_every_height():
    curve = descale_curve(noise(1080, 64, 20), heights=[500, 720, 900])
    for errors in curve.log_errors.values():
        np.testing.assert_allclose(errors, math.log(20), atol=0.05)


@pytest.mark.parametrize(
    ("native", "kernel", "maker"),
    [
        (540, "bilinear", "pillow"),
        (721, "catmull-rom", "pillow"),
        (837, "mitchell", "swscale"),
        (900, "lanczos", "swscale"),
    ],
)
def test_the_native_height_is_exact_after_h264(native, kernel, maker):
    decoded = benchmark().encode(picture(native, kernel, maker))
    estimated = found([decoded])
    assert estimated.height == native
    assert estimated.confidence > 0.8


def test_the_native_height_of_the_samples_art_is_exact(sample):
    art = benchmark().sample_masters(sample)[0]
    estimated = found([benchmark().encode(benchmark().upscaled(art, 783, "lanczos", "swscale"))])
    assert (estimated.height, estimated.kernel) == (783, "lanczos")


def test_a_720_source_is_measured_too():
    assert found([benchmark().encode(picture(540, "catmull-rom", "pillow", height=720))]).height == 540


def test_black_borders_over_an_enlarged_picture_do_not_hide_its_height():
    luma = picture(720, "lanczos", "swscale").copy()
    luma[:131] = luma[949:] = 16
    assert found([benchmark().encode(luma)]).height == 720


@pytest.mark.parametrize(("softness", "crf"), [(0, 18), (0.5, 28)])
def test_a_picture_drawn_at_its_source_height_gets_no_native_height(softness, crf):
    luma = np.asarray(Image.fromarray(picture(1080)).filter(ImageFilter.GaussianBlur(softness)))
    assert found([benchmark().encode(luma, crf)]).height is None


def test_noise_gets_no_native_height():
    estimated = found([noise(540, 640, 20)])
    assert estimated == Estimate(None, None, estimated.confidence)
    assert estimated.confidence < LEAST_CONFIDENCE


def test_a_black_picture_gets_no_native_height():
    assert found([np.full((270, 64), 16, np.uint8)]).height is None


def test_columns_are_the_most_detailed_of_each_part():
    luma = np.full((240, 640), 128, np.uint8)
    marked = np.arange(8) * 80 + 44
    luma[::2, marked] = 0
    np.testing.assert_array_equal(sample_columns(luma), luma[:, marked])


def test_the_sampler_keeps_the_detailed_frames_spread_over_the_video():
    sampler = Sampler()
    for second in range(100):
        # every tenth frame is a drawn one, marked by its mean, and the others are flat
        sampler.offer(float(second), noise(240, 64, 5 if second % 10 == 5 else 0, mean=100 + second))
    kept = [frame.time_s for frame in sampler._kept]
    assert len(kept) == FRAMES
    assert all(time_s % 10 == 5 for time_s in kept)
    assert kept[0] < 30
    assert kept[-1] > 70


def test_the_samplers_rows_are_the_descale_tables():
    sampler = Sampler()
    for second in range(3):
        sampler.offer(float(second), noise(240, 64, 5 + second))
    rows = sampler.curves()
    assert tables.DESCALE.rows([{"video_id": "v", **row} for row in rows]).num_rows == len(rows)
    assert {row["kernel"] for row in rows} == set(native_height.KERNELS)
    assert {row["height"] for row in rows} == set(native_height.candidates(240))
    assert {row["frames"] for row in rows} == {3}


def test_a_sampler_that_saw_nothing_usable_has_no_rows_and_no_estimate():
    sampler = Sampler()
    sampler.offer(0.0, noise(100, 64, 5))
    sampler.offer(1.0, noise(240, 4, 5))
    assert sampler.curves() == []
    assert estimate_by_title([], 1080) == Estimate(None, None, 0.0)


def test_a_frame_of_another_height_is_passed_over():
    sampler = Sampler()
    for height in (240, 360, 240):
        sampler.offer(0.0, noise(height, 64, 5))
    assert {row["frames"] for row in sampler.curves()} == {2}


def test_the_videos_of_a_title_count_by_their_frames():
    wiggle = np.random.default_rng(0).normal(0, 0.01, 503)
    heights = range(480, 983)

    def rows(dip_at: int, frames: int) -> list[dict[str, object]]:
        return [
            {"kernel": "lanczos", "height": h, "log_error": w - 0.3 * (h == dip_at), "frames": frames}
            for h, w in zip(heights, wiggle, strict=True)
        ]

    assert estimate_by_title(rows(700, 8) + rows(800, 2), 1080).height == 700
    assert estimate_by_title(rows(700, 2) + rows(800, 8), 1080).height == 800


@pytest.mark.slow
def test_at_least_95_in_100_native_heights_are_exact_and_false_ones_are_rare():
    masters = benchmark().sample_masters() + [benchmark().drawn_master(seed) for seed in range(6)]
    enlarged = list(benchmark().positives(masters, benchmark().HEIGHTS, crf=18))
    exact = [case.native == e.height for case, e in zip(enlarged, benchmark().estimates(enlarged), strict=True)]
    assert len(exact) >= 100
    assert sum(exact) >= 0.95 * len(exact)
    not_enlarged = list(benchmark().negatives(masters, crf=18))
    false = [e for e in benchmark().estimates(not_enlarged) if e.height is not None]
    assert len(false) <= 1
