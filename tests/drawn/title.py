"""A second title for the tests: scenes drawn by code in the manner of anime, encoded to a real video.

Figures with outlines and two-tone shading before painted backgrounds: hills, a town by day and by night, a room, a
screentone, speed lines, and a camera that moves into a picture, which is soft. A drawing is held for two frames.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from tests.data import clips
from tests.drawn import backgrounds
from tests.drawn.backgrounds import HEIGHT, WIDTH, Background
from tests.drawn.figure import Figure, draw_figure
from tests.drawn.pen import Picture

TITLE = "The Town That Code Drew"
SIZE = (1280, 720)
SCENE_FRAMES = 16


@dataclass(frozen=True)
class Scene:
    """Who stands before what, and how the camera moves: px across and down in every frame, or into the picture."""

    background: Background
    figure: Figure | None = None
    pan: tuple[int, int] = (6, 2)
    is_zoom: bool = False


SCENES = (
    Scene(
        backgrounds.hills,
        Figure((800, 560), 900, (252, 224, 200), hair=(96, 64, 58), cloth=(214, 84, 92), eyes=(70, 120, 70)),
    ),
    Scene(
        backgrounds.town,
        Figure((1750, 640), 800, (250, 220, 196), hair=(236, 190, 96), cloth=(76, 104, 176), eyes=(80, 130, 200)),
    ),
    Scene(
        backgrounds.room,
        Figure((1300, 700), 1200, (248, 216, 190), hair=(70, 74, 120), cloth=(240, 236, 226), eyes=(150, 80, 60)),
    ),
    Scene(
        backgrounds.screentone,
        Figure((1500, 600), 1000, (242, 242, 242), hair=(60, 60, 60), cloth=(190, 190, 190), eyes=(90, 90, 90)),
    ),
    Scene(
        backgrounds.speed_lines,
        Figure((1280, 860), 2000, (252, 222, 198), hair=(196, 70, 60), cloth=(60, 70, 84), eyes=(210, 150, 40)),
        pan=(0, 12),
    ),
    Scene(backgrounds.night),
    Scene(backgrounds.hills, is_zoom=True),
)


def make_title(path: Path) -> Path:
    """The scenes one after the other: 4.7 s, 1280x720 at 24 fps, H.264, an I-frame at each cut; each time the same."""

    @lru_cache(maxsize=1)
    def background(scene: int) -> Picture:
        return SCENES[scene].background(np.random.default_rng(scene))

    @lru_cache(maxsize=1)
    def drawing(number: int) -> Picture:
        scene, step = divmod(2 * number, SCENE_FRAMES)
        return _drawing(SCENES[scene], background(scene), step)

    options = {"crf": "16", "preset": "veryfast", "sc_threshold": "0"}
    frames = len(SCENES) * SCENE_FRAMES
    return clips.make(
        path,
        "libx264",
        size=SIZE,
        frames=frames,
        draw=lambda number: drawing(number // 2),
        options=options,
        gop_size=SCENE_FRAMES,
    )


def _drawing(scene: Scene, background: Picture, step: int) -> Picture:
    """What the camera sees, `step` frames into the scene."""
    if scene.is_zoom:
        width = round(SIZE[0] * (0.5 - 0.006 * step))
        height = width * SIZE[1] // SIZE[0]
        seen = background[1400 - height : 1400, 700 : 700 + width]
        return cv2.resize(seen, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    left, top = (speed * step for speed in scene.pan)
    seen = background[top : top + HEIGHT, left : left + WIDTH].copy()
    if scene.figure:
        draw_figure(seen, scene.figure, step)
    return cv2.resize(seen, SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)
