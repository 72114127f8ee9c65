"""What a visitor may ask for."""

from pathlib import Path

import pytest
from PIL import Image

from apisr_data.errors import ImageError, InputError, VideoError
from apisr_model.demo.limits import Limits, check_picture, check_video
from tests.model.upscale.video.films import film

LIMITS = Limits(max_mpx=0.01, max_seconds=1.0)


def test_a_picture_of_the_size_allowed_is_taken_and_a_larger_one_is_not(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100)).save(tmp_path / "right.png")
    check_picture(tmp_path / "right.png", LIMITS)
    Image.new("RGB", (101, 100)).save(tmp_path / "large.png")
    with pytest.raises(InputError, match="101x100 px"):
        check_picture(tmp_path / "large.png", LIMITS)


def test_an_animation_is_no_picture(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="several pictures"):
        check_picture(tmp_path / "two.gif", LIMITS)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match="not a picture that can be read"):
        check_picture(tmp_path / "a.png", LIMITS)


def test_a_part_of_a_long_video_is_taken(tmp_path: Path) -> None:
    long = film(tmp_path / "long.mkv", frames=48)
    check_video(long, LIMITS, None, 0.5)
    check_video(long, LIMITS, 1.5, None)
    with pytest.raises(VideoError, match="2 s long; at most 1 s"):
        check_video(long, LIMITS, None, None)


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\nfile:///a.ts\n", "ffconcat version 1.0\nfile a.mkv\n", "<MPD/>"]
)
def test_a_playlist_of_other_files_is_no_video_whatever_its_name(tmp_path: Path, text: str) -> None:
    film(tmp_path / "a.mkv")
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(VideoError, match="not a video"):
        check_video(tmp_path / "list.mp4", LIMITS, None, None)


def test_a_picture_is_sent_to_its_own_tab(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.mp4", "PNG")
    with pytest.raises(VideoError, match="their own tab"):
        check_video(tmp_path / "a.mp4", LIMITS, None, None)
