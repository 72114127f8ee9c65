"""What the audit says of videos whose coding is known, because this file chose it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from apisr_data import video
from apisr_data.audit import Audit, audit, render
from apisr_data.errors import VideoError
from tests.data import clips

GOP_12 = "keyint=12:min-keyint=12:scenecut=0:bframes=2"


def x264(folder: Path, parameters: str, name: str = "clip.mkv", **context: object) -> Path:
    return clips.make(folder / name, "libx264", options={"x264-params": parameters}, **context)


def test_the_sample_is_read_as_its_notes_say(sample: Path) -> None:
    found = audit(sample, verify=True)
    assert (found.stream.codec, found.stream.width, found.stream.height, found.stream.fps) == ("h264", 1280, 720, 24)
    assert found.stream.duration_s == pytest.approx(21.5, abs=0.05)
    assert found.gops.i_frames == found.extract.frames == 8
    assert found.colour is not None
    assert (found.colour.matrix, found.colour.matrix_source, found.colour.range) == ("bt709", "tag", "limited")
    assert found.fields.measured == "progressive"
    assert found.verification is not None
    assert found.verification.is_equal
    assert sum(row.packets for row in found.picture_types) == found.gops.packets


def test_closed_gops_have_an_idr_picture_each(tmp_path: Path) -> None:
    gops = audit(x264(tmp_path, GOP_12)).gops
    assert (gops.packets, gops.i_frames, gops.key_packets, gops.idr, gops.is_open) == (48, 4, 4, 4, False)
    assert (gops.shortest, gops.median, gops.longest) == (12, 12, 12)


@pytest.mark.parametrize(("name", "codec"), [("clip.mkv", "264"), ("clip.ts", "264"), ("clip.mp4", "265")])
def test_open_gops_have_one_idr_picture_and_frames_shown_before_their_i_frame(
    tmp_path: Path, name: str, codec: str
) -> None:
    options = {f"x{codec}-params": f"{GOP_12}:open-gop=1:log-level={'-1' if codec == '265' else '0'}"}
    gops = audit(clips.make(tmp_path / name, f"libx{codec}", options=options)).gops
    assert (gops.i_frames, gops.idr, gops.is_open) == (4, 1, True)


def test_i_frames_that_are_no_key_packets_are_told_apart(tmp_path: Path) -> None:
    found = audit(x264(tmp_path, "keyint=250:min-keyint=125:scenecut=40"), verify=True)
    assert found.gops.i_frames > found.gops.key_packets == found.gops.idr == 1
    assert found.verification is not None
    assert found.verification.is_equal


def test_bit_rates_of_the_picture_types_add_up_to_the_stream(tmp_path: Path) -> None:
    path = x264(tmp_path, GOP_12)
    found = audit(path)
    assert {row.picture_type: row.packets for row in found.picture_types}["I"] == 4
    assert sum(row.bytes for row in found.picture_types) == sum(packet.size for packet in clips.packets(path))
    assert found.stream.duration_s is not None
    for row in found.picture_types:
        assert row.kbit_s == pytest.approx(row.bytes * 8 / found.stream.duration_s / 1000)


def test_an_untagged_small_video_is_guessed_to_be_bt601_unless_the_user_knows_better(tmp_path: Path) -> None:
    path = x264(tmp_path, GOP_12, frames=12)
    for assumed, expected in ((None, ("bt601", "guess")), ("bt709", ("bt709", "user"))):
        found = audit(path, assume_matrix=assumed).colour
        assert found is not None
        assert (found.matrix, found.matrix_source, found.range_source) == (*expected, "guess")


def test_a_pq_video_is_described_and_its_refusal_named(tmp_path: Path) -> None:
    path = x264(tmp_path, f"{GOP_12}:transfer=smpte2084", color_trc=16)
    found = audit(path, verify=True)
    assert (found.gops.i_frames, found.extract.frames, found.colour, found.verification) == (4, 0, None, None)
    assert found.extract.refusal is not None
    assert "smpte2084" in found.extract.refusal
    assert "refuses it" in text(found)


def test_a_frame_that_the_fast_path_misses_or_changes_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = x264(tmp_path, GOP_12)
    exactly = video.iframes

    class Wrongly:
        """The frames but the first, the second of them with the first one's pixels."""

        def __init__(self, path: Path, *, assume_matrix: str | None) -> None:
            self.reader = exactly(path, assume_matrix=assume_matrix)

        def __iter__(self) -> Iterator[object]:
            first, second, *others = self.reader
            self.scan = self.reader.scan
            facts = {name: getattr(second, name) for name in ("pts", "packet", "time_s", "is_corrupt", "luma")}
            yield from (SimpleNamespace(**facts, rgb=first.rgb), *others)

    def wrongly(path: Path, *, exact: bool = False, assume_matrix: str | None = None, **_: object) -> object:
        return exactly(path, exact=True) if exact else Wrongly(path, assume_matrix=assume_matrix)

    monkeypatch.setattr(video, "iframes", wrongly)
    found = audit(path, verify=True).verification
    assert found is not None
    assert not found.is_equal
    assert (found.i_frames, found.full_decode_i_frames) == (3, 4)
    assert found.differences == ["pts 0: only a full decode shows this I-frame", "pts 500: other pixels"]


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"not a video" * 99, "clip.mkv")])
def test_a_file_that_is_no_video_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "clip.mkv"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=reason):
        audit(path)


def test_a_truncated_video_is_audited_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = x264(tmp_path, GOP_12, "whole.ts").read_bytes()
    path = tmp_path / "half.ts"
    path.write_bytes(whole[: len(whole) // 2])
    assert 1 <= audit(path).gops.i_frames < 4


def test_the_json_holds_every_field_and_reads_back(tmp_path: Path) -> None:
    found = audit(x264(tmp_path, GOP_12, "第1話 «é» [x].mkv", frames=12), verify=True)
    assert Audit.model_validate_json(found.model_dump_json()) == found
    assert json.loads(found.model_dump_json())["gops"]["i_frames"] == 1


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(tmp_path: Path, width: int) -> None:
    found = audit(x264(tmp_path, GOP_12, f"[Group] {'A very long title ' * 8}- 01 [1080p].mkv"), verify=True)
    lines = text(found, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "equal: 4 I-frames" in text(found, width)
    assert "[Group]" in text(found, width)


def text(found: Audit, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
