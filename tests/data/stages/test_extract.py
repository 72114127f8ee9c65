"""What extract says of a video that its frames alone do not show."""

from pathlib import Path

import numpy as np
import pytest

from apisr_data import config
from apisr_data.dataset import create_dataset
from apisr_data.errors import VideoError
from apisr_data.stages.extract import extract
from apisr_data.stages.extract.one_video import ExtractJob, write_failure
from tests.data import clips

HEIGHT, WIDTH = 192, 320
PULLDOWN = [(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)]  # which of four drawings the fields of five frames show


def moving(moment: int) -> np.ndarray:
    """Discs that move over a pattern."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.repeat((90 + 60 * np.sin((x + y) / 17)).astype(np.uint8)[..., None], 3, axis=2)
    for k in range(4):
        inside = (x - (40 + 80 * k + 7 * moment) % WIDTH) ** 2 + (y - 50 - 30 * k) ** 2 < 900
        picture[inside] = (30 + 50 * k, 220 - 40 * k, 120)
    return picture


def woven(first: int, second: int) -> np.ndarray:
    """A frame whose fields show two moments."""
    picture = moving(first)
    picture[1::2] = moving(second)[1::2]
    return picture


@pytest.mark.parametrize(
    ("kind", "draw"),
    [
        ("progressive", moving),
        ("interlaced", lambda n: woven(2 * n, 2 * n + 1)),
        ("telecine", lambda n: woven(*(4 * (n // 5) + field for field in PULLDOWN[n % 5]))),
    ],
)
def test_fields_are_measured_where_the_flags_are_silent(tmp_path, kind, draw):
    path = tmp_path / "a.mkv"
    clips.make(path, "libx264", size=(WIDTH, HEIGHT), frames=100, fps=25, draw=draw, options={"crf": "16"}, gop_size=25)
    dataset = create_dataset(tmp_path / "set")
    report = extract(dataset, [path], config.Extract(), workers=0)
    assert dataset.sql("SELECT interlacing FROM videos").fetchall() == [(kind,)]
    assert any(kind in warning for warning in report.warnings) == (kind != "progressive")


def test_a_video_that_fails_when_read_again_keeps_no_frames(tmp_path):
    path = clips.make(tmp_path / "a.mkv", "libx264", gop_size=8)
    dataset = create_dataset(tmp_path / "set")
    extract(dataset, [path], config.Extract(), workers=0)
    ((video_id,),) = dataset.sql("SELECT video_id FROM videos").fetchall()
    parts = {name: dataset.part(name, video_id) for name in ("videos", "frames", "thumbnails", "packet_sizes")}
    write_failure(ExtractJob(Path(path), video_id, 0, parts), VideoError("a.mkv: gone bad"))
    dataset.refresh()
    assert dataset.sql("SELECT status, reason FROM videos").fetchall() == [("failed", "a.mkv: gone bad")]
    assert dataset.sql("FROM frames").fetchall() == []
