"""What the page's events do: values of the page to the packages' functions, and back; errors in a visitor's words."""

import html
import logging
import os
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import gradio as gr

from apisr_data.errors import ApisrError
from apisr_model.demo import pictures, previews, videos
from apisr_model.demo.jobs import Jobs, Report, Update
from apisr_model.demo.limits import Limits, check_picture, check_video
from apisr_model.demo.pictures import Upscaled
from apisr_model.demo.previews import Shown
from apisr_model.demo.room import Room
from apisr_model.demo.shelf import Shelf
from apisr_model.upscale.upscaler import Finish
from apisr_model.upscale.video.options import Options

Updates = Generator[tuple[Any, ...]]
"""Values for an event's outputs, one tuple after another."""

Emptied = tuple[Any, Any]
"""Values for the two outputs that show results, when there are none."""

_NOTHING = gr.update(value=None)
_NO_PAIR = gr.update(value=None, elem_classes="no-result")  # hides the last pair, which Gradio goes on showing
_NO_DOWNLOAD = gr.update(value=None, label="Download", interactive=False)
NO_PICTURE: Emptied = (_NO_PAIR, _NO_DOWNLOAD)
NO_VIDEO: Emptied = ("", _NO_DOWNLOAD)
NO_LINES: Emptied = (_NO_PAIR, _NOTHING)
NO_SAMPLES: Emptied = (_NOTHING, "")
_IDLE = gr.update(interactive=False)
"""Of the button that cancels."""

_Result = TypeVar("_Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Handlers:
    """The events of one demo.

    Each generator first empties what an earlier run showed, and ends with the results, or with what went wrong in its
    first output. The last output is the button that cancels, which can be used meanwhile.
    """

    shelf: Shelf
    limits: Limits
    room: Room
    heavy: Jobs
    """Through networks, one at a time."""
    light: Jobs
    """Previews, which need not wait for these."""

    def upscale_picture(
        self,
        upload: str | None,
        weights: str | None,
        scale: float,
        strength: float,
        tile: float | None,
        match_colour: bool,
        request: gr.Request,
    ) -> Updates:
        """Outputs: status, slider, download, cancel."""

        def work(source: Path, report: Report) -> Upscaled:
            check_picture(source, self.limits)
            finish = _finish(scale, strength, match_colour)
            return pictures.upscale(source, self.shelf.network(weights), finish, _tile(tile), report)

        done = yield from self._follow(self.heavy, upload, request, work, NO_PICTURE)
        if done is not None:
            yield _said(done.told), _pair(done.before, done.after), _download(done.file), _IDLE

    def upscale_video(
        self,
        upload: str | None,
        weights: str | None,
        scale: float,
        strength: float,
        tile: float | None,
        match_colour: bool,
        start_s: float | None,
        duration_s: float | None,
        request: gr.Request,
    ) -> Updates:
        """Outputs: status, player, download, cancel."""

        def work(source: Path, report: Report) -> Upscaled:
            check_video(source, self.limits, start_s or None, duration_s or None)
            options = Options(
                finish=_finish(scale, strength, match_colour),
                tile=_tile(tile),
                start_s=start_s or None,
                duration_s=duration_s or None,
            )
            return videos.upscale(source, self.shelf.network(weights), options, self.limits, report)

        done = yield from self._follow(self.heavy, upload, request, work, NO_VIDEO)
        if done is not None:
            yield _said(done.told), _player(done.file), _download(done.file), _IDLE

    def enhance(self, upload: str | None, gamma: float, request: gr.Request) -> Updates:
        """Outputs: status, slider, gallery, cancel."""

        def work(source: Path, report: Report) -> Shown:
            check_picture(source, self.limits)
            return previews.enhance(source, gamma, report)

        done = yield from self._follow(self.light, upload, request, work, NO_LINES)
        if done is not None:
            (before, _), (after, _), *steps = done.cells
            yield _said(done.told), _pair(before, after), gr.update(value=steps), _IDLE

    def degrade(
        self, upload: str | None, recipe: str, scale: int, samples: float, seed: float, request: gr.Request
    ) -> Updates:
        """Outputs: status, gallery, steps, cancel."""

        def work(source: Path, report: Report) -> Shown:
            check_picture(source, self.limits)
            return previews.degrade(source, recipe, int(scale), int(samples), max(0, int(seed or 0)), report)

        done = yield from self._follow(self.light, upload, request, work, NO_SAMPLES)
        if done is not None:
            steps = "".join(f"<h4>sample {n}</h4><pre>{html.escape(drawn)}</pre>" for n, drawn in enumerate(done.steps))
            yield _said(done.told), gr.update(value=list(done.cells)), steps, _IDLE

    def stop(self, request: gr.Request) -> None:
        """Stop what a visitor has asked for."""
        for jobs in (self.heavy, self.light):
            jobs.stop(request.session_hash or "")

    def leave(self, request: gr.Request) -> None:
        """A visitor has closed the page: stop, and keep nothing."""
        self.stop(request)
        self.room.leave(request.session_hash or "")

    def licence(self, weights: str | None) -> str:
        """What is said of the weights chosen."""
        choice = self.shelf.choices.get(weights or "")
        return choice.licence if choice else "None is here yet"

    def tell_licence(self, weights: str | None) -> dict[str, Any]:
        """Outputs: the choice itself."""
        return dict(gr.update(info=self.licence(weights)))

    def _follow(
        self,
        jobs: Jobs,
        upload: str | None,
        request: gr.Request,
        work: Callable[[Path, Report], _Result],
        emptied: Emptied,
    ) -> Generator[tuple[Any, ...], None, _Result | None]:
        """Run `work` on the upload and show how far it is in the first of four outputs; None: it failed."""
        session = request.session_hash or ""
        if not upload:
            yield _said("Choose a file first.", is_wrong=True), *emptied, _IDLE
            return None
        path = Path(upload)

        def in_room(report: Report) -> _Result:
            with self.room.job(session, path) as source:
                try:
                    return work(source, report)
                except (ApisrError, OSError, MemoryError) as error:
                    raise ApisrError(self._told(error, source)) from error

        updates = jobs.run(session, in_room)
        rest: tuple[Any, ...] = *emptied, gr.update(interactive=True)
        try:
            while True:
                yield _progress(next(updates)), *rest
                rest = (gr.skip(),) * len(rest)
        except StopIteration as stopped:
            result: _Result = stopped.value
            return result
        except ApisrError as error:
            told = str(error)
            yield (
                _said(told if told.startswith(path.name) else told[:1].upper() + told[1:], is_wrong=True),
                *emptied,
                _IDLE,
            )
            return None
        except Exception:  # noqa: BLE001 - a visitor's bar must not go on for ever
            log.error("a job failed\n%s", traceback.format_exc())  # noqa: TRY400 - our terminal shows the message alone
            yield _said("Something went wrong on the server; its log says what", is_wrong=True), *emptied, _IDLE
            return None
        finally:
            updates.close()

    def _told(self, error: BaseException, source: Path) -> str:
        """The error without the server's folders."""
        if isinstance(error, MemoryError):
            return "the memory ran out; a smaller picture or scale may do"
        if isinstance(error, OSError):
            return f"the server cannot do it: {error.strerror or type(error).__name__}"
        told = str(error)
        for folder in (source.parent, *self.shelf.folders):
            told = told.replace(f"{folder}{os.sep}", "").replace(str(folder), "")
        return told


def _finish(scale: float, strength: float, match_colour: bool) -> Finish:
    """`scale` 0 is the network's."""
    return Finish(scale=scale or None, strength=strength, match_colour=match_colour)


def _tile(tile: float | None) -> int | None:
    return int(tile) if tile else None


def _said(text: str, *, is_wrong: bool = False) -> str:
    return f'<p class="said{" wrong" if is_wrong else ""}" role="status">{html.escape(text)}</p>'


def _progress(update: Update) -> str:
    value = "" if update.share is None else f' value="{update.share:.3f}"'
    told = f"{update.stage}: {update.told}" if update.told else update.stage
    return (
        f'<div class="said"><progress max="1"{value} aria-label="progress"></progress><p>{html.escape(told)}</p></div>'
    )


def _pair(before: Path | None, after: Path | None) -> dict[str, Any]:
    return dict(gr.update(value=(before, after), elem_classes=[]))


def _download(path: Path) -> dict[str, Any]:
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    return dict(gr.update(value=str(path), label=f"Download {path.name} ({size})", interactive=True))


def _player(path: Path) -> str:
    address = html.escape(f"gradio_api/file={quote(str(path))}")
    return f'<video controls preload="metadata" src="{address}">This browser does not play it; download it.</video>'
