"""The partial folder of a video in the making: encoded segments, each whole or absent, and a journal of them.

A segment is a run of pictures from a fresh encoder, so it needs nothing of its neighbours. Its file holds the
encoder's packets as they came, each behind a header of pts, size and whether it is a key packet: no container, so no
rounding of time stamps and nothing to parse.
"""

import hashlib
import json
import logging
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import filelock

from apisr_data.errors import UsageError

log = logging.getLogger(__name__)

_HEADER = struct.Struct("<qI?")
_LONGEST_NAME_BYTES = 255  # of most file systems; Japanese takes three a character
_JOURNAL, _LOCK = "journal.json", ".lock"


@dataclass(frozen=True)
class Segment:
    """A whole segment, as the journal tells of it."""

    file: str
    frames: int
    size: int
    """Bytes."""
    digest: str
    """BLAKE2b of the file."""
    last_duration: int
    """Of the picture that is shown last, in units of the time base."""


class SegmentFile:
    """A segment being written; it counts only once the journal tells of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = self.size = 0
        self._digest = _new_digest()
        self._file = path.open("wb")

    def write(self, packet: "av.Packet[Any]") -> None:
        """Append a packet."""
        assert packet.pts is not None
        with naming(self.path):
            for piece in (_HEADER.pack(packet.pts, packet.size, packet.is_keyframe), bytes(packet)):
                self._file.write(piece)
                self._digest.update(piece)
                self.size += len(piece)
        self.frames += 1

    def close(self) -> str:
        """See that the disk has all of it; its digest."""
        try:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self.abandon()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Close it without a look at what became of it."""
        with suppress(OSError):  # closing writes what is buffered, and a full disk is full still
            self._file.close()


class Part:
    """The partial folder `.<name>.apisr-part/` beside an output, held by one process at a time.

    Raises:
        UsageError: another process holds it, or it belongs to an unfinished run with another fingerprint and is not to
            be started `fresh`.
    """

    def __init__(self, target: Path, fingerprint: str, *, fresh: bool = False) -> None:
        self.folder = _folder_for(target)
        self.segments: list[Segment] = []
        self.settled: dict[str, int] = {}
        self._fingerprint = fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.folder / _LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise UsageError(f"{target}: another run is writing this video; wait for it to end") from None
        try:
            self._take_over(is_fresh=fresh)
        except BaseException:
            self._lock.release()
            raise

    @property
    def frames(self) -> int:
        """Pictures in whole segments."""
        return sum(segment.frames for segment in self.segments)

    def settle(self, values: Mapping[str, int]) -> None:
        """Keep values for the runs that go on from here."""
        self.settled.update(values)
        self._write_journal()

    def begin(self) -> SegmentFile:
        """The file of the next segment."""
        return SegmentFile(self.folder / f"{len(self.segments):06}.segment")

    def add(self, written: SegmentFile, last_duration: int) -> None:
        """Close the file and make it a whole segment."""
        digest = written.close()
        self.segments.append(Segment(written.path.name, written.frames, written.size, digest, last_duration))
        self._write_journal()

    def packets(self) -> Iterator["av.Packet[Any]"]:
        """Every packet in coding order, with pts, dts and duration in the encoder's time base.

        The dts are made anew over the whole, as each encoder began its own count: the i-th packet is due when the
        picture `delay` before the i-th is shown, where `delay` is the deepest reordering in any segment. That rises
        strictly, is never after the pts, and is what one encoder would have said.
        """
        coded = [pts for pts, _, _ in self._read(with_data=False)]
        shown = sorted(coded)
        rank = {pts: number for number, pts in enumerate(shown)}
        delay = max((number - rank[pts] for number, pts in enumerate(coded)), default=0)
        ends = [*shown[1:], shown[-1] + self.segments[-1].last_duration] if shown else []
        durations = {pts: end - pts for pts, end in zip(shown, ends, strict=True)}
        for number, (pts, is_key, data) in enumerate(self._read(with_data=True)):
            packet = av.Packet(data)
            packet.pts, packet.duration, packet.is_keyframe = pts, durations[pts], is_key
            packet.dts = shown[number - delay] if number >= delay else shown[number] - (shown[delay] - shown[0])
            yield packet

    def shown(self) -> list[int]:
        """The pts of every picture, rising."""
        return sorted(pts for pts, _, _ in self._read(with_data=False))

    def close(self) -> None:
        """Let go of the folder; the whole segments of an unfinished run stay for the next."""
        if not self._lock.is_locked:
            return
        if self.segments:
            self._clear(keep={_JOURNAL, *(segment.file for segment in self.segments)})
            self._lock.release()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete what this run and those before it left here."""
        self._clear(keep=set())
        self._lock.release()
        with suppress(OSError):  # something of the user's lies in it, or the next run has it already
            (self.folder / _LOCK).unlink(missing_ok=True)
            self.folder.rmdir()

    def _take_over(self, *, is_fresh: bool) -> None:
        """Go on from what an earlier run left, as far as it is whole."""
        left, fingerprint, settled = self._read_journal()
        if left and fingerprint != self._fingerprint and not is_fresh:
            raise UsageError(
                f"{self.folder}: holds {sum(segment.frames for segment in left)} pictures of an unfinished run with "
                f"another source, network, version or settings; give that command again to go on with it, or --fresh "
                f"to discard them"
            )
        for segment in [] if is_fresh else left:
            if not self._is_whole(segment):
                log.warning("%s: damaged; going on from before it", self.folder / segment.file)
                break
            self.segments.append(segment)
        self.settled = settled if self.segments else {}
        self._clear(keep={_JOURNAL, *(segment.file for segment in self.segments)})
        self._write_journal()

    def _read_journal(self) -> tuple[list[Segment], str, dict[str, int]]:
        try:
            journal = json.loads((self.folder / _JOURNAL).read_text("utf-8"))
            return [Segment(**entry) for entry in journal["segments"]], journal["fingerprint"], journal["settled"]
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            log.warning("%s: the journal is damaged; starting from the first picture", self.folder)
        return [], self._fingerprint, {}

    def _write_journal(self) -> None:
        segments = [asdict(segment) for segment in self.segments]
        journal = {"fingerprint": self._fingerprint, "settled": self.settled, "segments": segments}
        temporary = self.folder / f"{_JOURNAL}.tmp"
        with naming(temporary), temporary.open("w", encoding="utf-8") as out:
            json.dump(journal, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.folder / _JOURNAL)

    def _is_whole(self, segment: Segment) -> bool:
        path = self.folder / segment.file
        if not path.is_file() or path.stat().st_size != segment.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, _new_digest).hexdigest() == segment.digest

    def _read(self, *, with_data: bool) -> Iterator[tuple[int, bool, bytes]]:
        for segment in self.segments:
            with (self.folder / segment.file).open("rb") as file:
                while header := file.read(_HEADER.size):
                    pts, size, is_key = _HEADER.unpack(header)
                    if with_data:
                        yield pts, is_key, file.read(size)
                    else:
                        file.seek(size, os.SEEK_CUR)
                        yield pts, is_key, b""

    def _clear(self, keep: set[str]) -> None:
        """Delete our own files except those in `keep`."""
        for path in self.folder.iterdir():
            is_ours = path.suffix in (".segment", ".tmp") or path.stem == "joined" or path.name == _JOURNAL
            if is_ours and path.name not in keep:
                path.unlink(missing_ok=True)


def _folder_for(target: Path) -> Path:
    name = f".{target.name}.apisr-part"
    if len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
        name = f".{hashlib.blake2b(os.fsencode(target.name), digest_size=16).hexdigest()}.apisr-part"
    return target.with_name(name)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the disk name the file; libav's own errors become the system's, with their number.

    Raises:
        OSError: as it came, with `filename` set.
    """
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, error.filename or str(path)) from error
        raise


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
