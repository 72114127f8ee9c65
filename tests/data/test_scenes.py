import numpy as np
import pytest

from apisr_data import video
from apisr_data.scenes import SceneNumberer

CUTS = (84, 156, 228, 312, 348, 420, 468)  # frame numbers, seen as jumps of 70 to 150 levels between neighbours


def numbers(thumbnails):
    numberer = SceneNumberer()
    return [numberer.next(thumbnail) for thumbnail in thumbnails]


def landscape(seed, width=1024):
    """A wide picture in few colours: hills before a sky, with a building every now and then."""
    rng = np.random.default_rng(seed)
    sky, hill, wall = rng.integers(0, 256, (3, 3))
    rgb = np.empty((144, width, 3), np.uint8)
    rgb[:] = sky
    top = 80 + 30 * np.sin(np.arange(width) / rng.integers(20, 60) + seed)
    rgb[np.arange(144)[:, None] > top] = hill
    for left in rng.integers(0, width - 40, 24):
        height = rng.integers(30, 110)
        rgb[144 - height :, left : left + rng.integers(10, 40)] = np.clip(wall + rng.integers(-40, 40), 0, 255)
    return rgb


@pytest.fixture(scope="module")
def sample_thumbnails(sample):
    return [frame.rgb((256, 144)) for n, frame in enumerate(video.window(sample, 0, 60)) if n % 6 == 0]


@pytest.mark.parametrize("step", [1, 2, 4, 6])
def test_scenes_of_the_sample_start_at_its_cuts(sample_thumbnails, step):
    scenes = numbers(sample_thumbnails[::step])
    started = [n * 6 * step for n in range(1, len(scenes)) if scenes[n] != scenes[n - 1]]
    first_after_cut = [-(-cut // (6 * step)) * 6 * step for cut in CUTS]
    assert started == sorted(set(first_after_cut))


def test_i_frames_of_the_sample_are_one_scene_each(sample):
    assert numbers(frame.rgb((256, 144)) for frame in video.iframes(sample)) == list(range(8))


@pytest.mark.parametrize("seed", range(5))
def test_a_pan_is_one_scene(seed):
    wide = landscape(seed)
    assert numbers(wide[:, x : x + 256] for x in range(0, 700, 60)) == [0] * 12


@pytest.mark.parametrize("seed", range(5))
def test_a_fade_to_black_is_one_scene_until_nothing_is_left(seed):
    shot = landscape(seed)[:, :256]
    fading = [(shot * share).astype(np.uint8) for share in (1, 0.6, 0.3, 0)]
    assert numbers(fading) == [0, 0, 0, 1]


def test_a_figure_that_moves_is_one_scene():
    background = landscape(1)[:, :256]
    frames = []
    for x in (20, 80, 150):
        frame = background.copy()
        frame[50:144, x : x + 50] = (250, 30, 40)
        frames.append(frame)
    assert numbers(frames) == [0, 0, 0]


def test_other_places_are_other_scenes():
    shots = [landscape(seed)[:, :256] for seed in range(20)]
    assert numbers(np.repeat(shots, 2, axis=0)) == np.repeat(np.arange(20), 2).tolist()


def test_black_and_white_are_two_scenes_and_each_is_one():
    black, white = np.zeros((144, 256, 3), np.uint8), np.full((144, 256, 3), 255, np.uint8)
    assert numbers([black, black, white, white, black]) == [0, 0, 1, 1, 2]
