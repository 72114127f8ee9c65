import base64
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from torch import nn

from apisr_data.errors import UsageError
from apisr_model.network import Network
from apisr_model.upscale.upscaler import Finish
from apisr_model.upscale.video.options import Options
from apisr_model.upscale.video.preview import write_preview
from tests.model.upscale.video.films import film

NETWORK = Network(nn.Upsample(scale_factor=2), "nearest", 2, overlap_px=0, origin="weights/one <b>.pth")
OTHER = replace(NETWORK, origin="weights/other.pth")


class Page(HTMLParser):
    """Tags with their attributes, and whether each that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def picture(address: str | None) -> Image.Image:
    assert address is not None
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return film(tmp_path / "Folge <ä>.mkv", frames=48)


def test_a_page_holds_every_pair_for_every_network(tmp_path: Path, source: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = write_preview(
        [NETWORK, OTHER],
        source,
        2,
        tmp_path / "p.html",
        Options(deinterlace="off"),
        on_progress=lambda *n: seen.append(n),
    )
    page = Page((tmp_path / "p.html").read_text("utf-8"))
    assert page.open == []
    assert len(page.of("section")) == 2
    overviews = [image for image in page.of("img") if "crop" not in (image["alt"] or "")]
    assert [image["alt"] for image in overviews] == ["before", "one <b>", "other"] * 2
    assert all(picture(image["src"]).size == (128, 96) for image in overviews)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(made.compute_s) == 2
    assert list(made.times_s) == sorted(made.times_s)
    assert made.times_s[0] < 1 < made.times_s[1]


def test_a_page_needs_no_other_file(tmp_path: Path, source: Path) -> None:
    write_preview([NETWORK], source, 1, tmp_path / "p.html", Options(deinterlace="off"))
    text = (tmp_path / "p.html").read_text("utf-8")
    assert all((image["src"] or "").startswith("data:image/") for image in Page(text).of("img"))
    assert not re.search(r"https?://|<link|src=\"[^d]|@import", text)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_page_goes_into_a_new_folder_and_names_of_any_bytes_are_shown(tmp_path: Path) -> None:
    source = film(tmp_path / os.fsdecode(b"Folge \xff.mkv"), frames=12)
    made = write_preview([NETWORK], source, 1, tmp_path / "new" / "p.html", Options(deinterlace="off"))
    assert "Folge ?.mkv" in made.path.read_text("utf-8")


def test_names_are_escaped(tmp_path: Path, source: Path) -> None:
    write_preview([NETWORK], source, 1, tmp_path / "p.html", Options(deinterlace="off"))
    text = (tmp_path / "p.html").read_text("utf-8")
    assert "Folge &lt;ä&gt;.mkv" in text
    assert "<b>.pth" not in text
    assert "one <b>" not in text


def test_crops_hold_the_exact_pixels_of_the_output(tmp_path: Path, source: Path) -> None:
    made = write_preview([NETWORK], source, 1, tmp_path / "p.html", Options(deinterlace="off"))
    page = Page((tmp_path / "p.html").read_text("utf-8"))
    crops = [np.asarray(picture(i["src"])) for i in page.of("img") if (i["alt"] or "").startswith("crop, one")]
    crop = crops[0]
    assert crop.shape == (96, 128, 3)  # the whole of so small a picture
    np.testing.assert_array_equal(crop[::2, ::2], crop[1::2, 1::2])  # nearest neighbours, unharmed by coding
    assert made.path == tmp_path / "p.html"


def test_black_frames_are_avoided(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(72):
            shade = np.zeros((48, 64, 3), np.uint8)
            if 30 <= number < 42:  # one of three places shows something
                shade[:, ::8] = 255
            frame = av.VideoFrame.from_ndarray(shade, "rgb24").reformat(format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    made = write_preview([NETWORK], path, 1, tmp_path / "p.html", Options(deinterlace="off"))
    assert 30 / 24 <= made.times_s[0] < 42 / 24


def test_the_output_has_the_size_that_was_asked_for(tmp_path: Path, source: Path) -> None:
    write_preview([NETWORK], source, 1, tmp_path / "p.html", Options(deinterlace="off", finish=Finish(height=75)))
    assert "100x75" in (tmp_path / "p.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("networks", "pairs", "name"), [([], 1, "p.html"), ([NETWORK], 0, "p.html"), ([NETWORK], 1, "p.png")]
)
def test_what_makes_no_page_is_refused(
    tmp_path: Path, source: Path, networks: list[Network], pairs: int, name: str
) -> None:
    with pytest.raises(UsageError):
        write_preview(networks, source, pairs, tmp_path / name)


def test_more_frames_than_there_are_show_each_once(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", frames=3)
    made = write_preview([NETWORK], path, 20, tmp_path / "p.html", Options(deinterlace="off"))
    assert len(set(made.times_s)) == len(made.times_s) <= 3


def test_where_no_page_can_be_written_is_told_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        write_preview([NETWORK], tmp_path / "none.mkv", 1, tmp_path / "file" / "p.html")
