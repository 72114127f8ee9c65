import io

import av
import cv2
import numpy as np
import pytest

from apisr_data.scorers.borders import Borders, find_borders


def draw_scene(height, width):
    """A scene without a dark or a flat edge."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(60, 240, (max(height // 20, 2), max(width // 20, 2)), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def with_bars(height, width, borders, level=0):
    picture = np.full((height, width), level, np.uint8)
    left, top, right, bottom = borders
    inside = draw_scene(height - top - bottom, width - left - right)
    picture[top : height - bottom, left : width - right] = inside
    return picture


def code(picture, crf):
    """Through x264."""
    buffer = io.BytesIO()
    height, width = picture.shape
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24, width=width, height=height, pix_fmt="yuv420p")
        stream.options = {"crf": str(crf)}
        frame = av.VideoFrame.from_ndarray(np.dstack([picture] * 3), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    buffer.seek(0)
    with av.open(buffer) as container:
        return next(container.decode(video=0)).to_ndarray(format="gray")


def assert_cut(found, borders):
    """Nothing of the bars is left, and at most 3 px of the picture go with each."""
    for cut, border in zip(found, borders, strict=True):
        assert cut % 2 == 0
        assert border < cut <= border + 3 if border else cut == 0


BARS = {
    "letterbox": Borders(top=69, bottom=69, left=0, right=0),
    "pillarbox": Borders(top=0, bottom=0, left=80, right=80),
    "all round": Borders(top=31, bottom=30, left=40, right=40),
    "below alone": Borders(top=0, bottom=24, left=0, right=0),
    "portrait": Borders(top=0, bottom=0, left=210, right=210),
    "none": Borders(0, 0, 0, 0),
}


@pytest.mark.parametrize("crf", [None, 18, 32])
@pytest.mark.parametrize("name", BARS)
def test_black_bars_are_cut_off_whole(name, crf):
    borders = BARS[name]
    picture = with_bars(360, 640, borders)
    assert_cut(find_borders(picture if crf is None else code(picture, crf)), borders)


def test_a_single_black_line_is_cut():
    assert find_borders(with_bars(360, 640, Borders(left=1, right=0, top=0, bottom=1))) == Borders(
        left=2, top=0, right=0, bottom=2
    )


def test_noise_in_the_bars_changes_nothing():
    noise = np.random.default_rng(1).normal(0, 3, (360, 640))
    noisy = np.clip(with_bars(360, 640, BARS["letterbox"]) + noise + 3, 0, 255).astype(np.uint8)
    assert_cut(find_borders(noisy), BARS["letterbox"])


def test_a_blurred_edge_is_cut_with_its_bar():
    picture = cv2.GaussianBlur(with_bars(360, 640, BARS["letterbox"]), (5, 5), 0)
    found = find_borders(picture)
    assert found.top in (70, 72)
    assert picture[found.top].mean() > 100


def test_bars_of_one_colour_on_both_sides_are_borders():
    assert_cut(find_borders(with_bars(360, 640, BARS["pillarbox"], level=235)), BARS["pillarbox"])


def test_a_flat_sky_on_one_side_is_no_border():
    assert find_borders(with_bars(360, 640, Borders(left=0, top=90, right=0, bottom=0), level=180)) == Borders(
        0, 0, 0, 0
    )


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_uniform_picture_has_no_border(level):
    assert find_borders(np.full((360, 640), level, np.uint8)) == Borders(0, 0, 0, 0)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("thickness", [2, 5, 12])
def test_a_title_card_has_no_border(thickness, level):
    card = np.full((360, 640), level, np.uint8)
    for line, text in enumerate(("TEST TITLE", "EPISODE 12")):
        width_px = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)[0][0]
        place, scale = (45, 150 + 120 * line), 550 / width_px
        cv2.putText(card, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255 - level, thickness, cv2.LINE_AA)
    assert find_borders(card) == Borders(0, 0, 0, 0)
    assert find_borders(code(card, 24)) == Borders(0, 0, 0, 0)


def test_a_light_in_the_night_has_no_border():
    night = np.full((360, 640), 4, np.uint8)
    cv2.circle(night, (320, 180), 60, 230, -1)
    assert find_borders(night) == Borders(0, 0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (9, 400)])
def test_tiny_pictures_are_no_error(shape):
    assert find_borders(np.zeros(shape, np.uint8)) == Borders(0, 0, 0, 0)
