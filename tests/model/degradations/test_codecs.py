"""Still-image and video codecs: the same promises for each that there is."""

import os
import subprocess
import sys
from typing import get_args

import cv2
import numpy as np
import pytest

from apisr_model.degradations import Image
from apisr_model.degradations.image_codecs import ImageCodec, StillCodec
from apisr_model.degradations.video_codecs import Codec, CompressionConfig, VideoCodec, VideoName, draw
from apisr_model.errors import DegradationError
from tests.model.manifests import picture

SIZES = [(1, 1), (3, 5), (17, 33), (89, 159)]


def drawing(height: int = 96, width: int = 128) -> Image:
    return cv2.GaussianBlur(picture(1, (width, height)).astype(np.float32) / 255, (0, 0), 0.7)


def codec(name: str, quality: int) -> ImageCodec | VideoCodec:
    if name in get_args(StillCodec):
        return ImageCodec(codec=name, quality=quality, effort=None if name == "jpeg" else 6)  # type: ignore[arg-type]
    return VideoCodec(codec=name, quality=quality, preset="superfast" if name in ("h264", "h265") else None)  # type: ignore[arg-type]


def distance(one: Image, other: Image) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


@pytest.mark.parametrize("name", get_args(Codec))
@pytest.mark.parametrize("size", SIZES)
def test_any_size_comes_back_as_it_went_in(name: str, size: tuple[int, int]) -> None:
    image = drawing()[: size[0], : size[1]] if max(size) < 96 else drawing(*size)
    coded = codec(name, 30).apply(image)
    assert coded.shape == image.shape
    assert coded.dtype == np.float32
    assert 0 <= coded.min() <= coded.max() <= 1
    assert distance(coded, image) < 0.25


@pytest.mark.parametrize("name", get_args(Codec))
def test_the_same_parameters_give_the_same_picture(name: str) -> None:
    np.testing.assert_array_equal(codec(name, 30).apply(drawing()), codec(name, 30).apply(drawing()))


@pytest.mark.parametrize("name", get_args(StillCodec))
def test_a_higher_quality_is_nearer(name: str) -> None:
    near, far = (distance(codec(name, quality).apply(drawing()), drawing()) for quality in (95, 10))
    assert 0 < near < far / 2


@pytest.mark.parametrize("name", get_args(VideoName))
def test_a_greater_qscale_or_crf_is_further_away(name: str) -> None:
    qualities = (3, 12, 31) if name.startswith("mpeg") else (20, 32, 45)
    near, middle, far = (distance(codec(name, quality).apply(drawing()), drawing()) for quality in qualities)
    assert 0 < near < middle < far


@pytest.mark.parametrize("name", get_args(Codec))
def test_what_lies_beyond_the_range_is_clamped_and_does_not_wrap(name: str) -> None:
    image = np.full((64, 64, 3), -0.01, np.float32)
    image[:, 32:] = 1.01
    coded = codec(name, 20).apply(image)
    assert coded[:, :24].mean() < 0.05
    assert coded[:, 40:].mean() > 0.95


@pytest.mark.parametrize("name", get_args(Codec))
def test_red_stays_red(name: str) -> None:
    image = np.zeros((64, 64, 3), np.float32)
    image[..., 0] = 0.8
    assert codec(name, 20).apply(image).mean((0, 1)) == pytest.approx([0.8, 0, 0], abs=0.03)


def test_svt_av1_prints_no_banner() -> None:
    program = (
        "import numpy as np\n"
        "from apisr_model.degradations.video_codecs import VideoCodec\n"
        "VideoCodec(codec='av1', quality=40, preset=None).apply(np.zeros((96, 128, 3), np.float32))"
    )  # in a process of its own: the encoder settles at its first use how much it says
    environment = {key: value for key, value in os.environ.items() if key != "SVT_LOG"}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    assert (told.stdout, told.stderr) == (b"", b"")


def test_a_codec_that_fails_is_named_with_its_parameters() -> None:
    too_wide = np.zeros((1, 20_000, 3), np.float32)  # WebP holds 16,383 px
    with pytest.raises(DegradationError, match=r"webp quality 30, method 6 of 20000x1 px"):
        codec("webp", 30).apply(too_wide)
    with pytest.raises(DegradationError, match=r"h264 crf 30, preset superfast of 20000x1 px"):
        codec("h264", 30).apply(too_wide)


def test_draws_stay_in_their_ranges() -> None:
    spans = {"jpeg": (20, 95), "webp": (20, 95), "avif": (20, 95), "mpeg2": (8, 31), "mpeg4": (8, 31)}
    spans |= {"h264": (23, 38), "h265": (28, 42)}
    rng = np.random.default_rng(0)
    found: dict[str, set[int]] = {}
    for _ in range(6000):
        drawn = draw(rng, CompressionConfig())
        found.setdefault(drawn.codec, set()).add(drawn.quality)
    assert {name: (min(values), max(values)) for name, values in found.items()} == spans
