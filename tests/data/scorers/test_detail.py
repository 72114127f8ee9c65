import itertools

import av
import cv2
import numpy as np
import pytest

from apisr_data import scorers
from apisr_data.scorers.detail import detail

FADE = range(288, 312)
TITLE_CARD = range(312, 348)


@pytest.fixture(scope="module")
def score(picture):
    scorer = scorers.build("detail")
    return lambda image: scorer.score([picture(image)])["detail"][0]


@pytest.fixture(scope="module")
def frames(sample):
    """Every sixth frame of the sample clip."""
    with av.open(sample) as container:
        decoded = itertools.islice(container.decode(video=0), 0, None, 6)
        return {6 * index: frame.to_ndarray(format="rgb24") for index, frame in enumerate(decoded)}


def test_a_flat_picture_has_none():
    assert detail(np.full((384, 384, 3), 90, np.uint8)) == 0


def test_stripes_have_the_value_of_the_formula():
    """Black and white, 64 px wide: at every scale 2 colours, and 5 edges of 2 columns where Sobel's kernel gives 4."""
    stripes = np.zeros((384, 384, 3), np.uint8)
    stripes[:, np.arange(384) // 64 % 2 == 1] = 255
    gradient = sum(weight * 5 * 2 * 4 * 2**k / 384 for k, weight in enumerate((0.4, 0.3, 0.2, 0.1)))
    assert detail(stripes) == pytest.approx(np.sqrt(gradient * np.log(2) / np.log(4096)), rel=1e-6)


def test_a_detailed_background_leads_a_simple_drawing_a_title_card_and_a_flat_card(score, drawing):
    flat = np.full((720, 1280, 3), 40, np.uint8)
    title = flat.copy()
    cv2.putText(title, "Episode 3", (420, 380), cv2.FONT_HERSHEY_DUPLEX, 2.5, (250, 250, 250), 4, cv2.LINE_AA)
    simple = np.full((720, 1280, 3), (180, 210, 240), np.uint8)
    cv2.ellipse(simple, (640, 400), (220, 280), 0, 0, 360, (250, 220, 200), -1, cv2.LINE_AA)
    for centre in ((560, 340), (720, 340)):
        cv2.circle(simple, centre, 45, (60, 120, 90), -1, cv2.LINE_AA)
    cv2.rectangle(simple, (0, 620), (1280, 720), (90, 140, 80), -1)
    values = [score(image) for image in (flat, title, simple, drawing)]
    assert all(less < more for less, more in itertools.pairwise(values)), values


def test_it_falls_all_through_a_fade(score, drawing):
    values = [score((drawing * light).astype(np.uint8)) for light in (1, 0.9, 0.75, 0.5, 0.25, 0.1, 0)]
    assert all(more > less for more, less in itertools.pairwise(values)), values


def test_the_size_of_a_picture_counts_little(score, drawing):
    large = cv2.resize(drawing, (2560, 1440), interpolation=cv2.INTER_CUBIC)
    assert score(large) == pytest.approx(score(drawing), rel=0.03)


def test_the_samples_title_card_and_the_end_of_its_fade_rank_last(score, frames):
    ranking = sorted(frames, key=lambda index: score(frames[index]))
    dark = {index for index in frames if index in range(300, TITLE_CARD.stop)}
    assert set(ranking[: len(dark)]) == dark


def test_the_samples_fade_falls_from_frame_to_frame(score, frames):
    values = [score(frames[index]) for index in frames if index in FADE]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
