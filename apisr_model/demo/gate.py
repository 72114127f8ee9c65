"""What the server answers at all: the page, its events, uploads, and files of the demo's own folder; and to whom.

Gradio offers more than this page needs, among it reading any address of the internet for a visitor.
"""

import json
import shutil
from collections.abc import Iterator
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apisr_model.demo.room import Room

_API = "/gradio_api/"
_FILE = f"{_API}file="
_UPLOAD = f"{_API}upload"
_JOIN = f"{_API}queue/join"
_PAGES = frozenset(("/", "/config", "/favicon.ico", "/manifest.json", "/robots.txt", "/theme.css"))
_FOLDERS = ("/assets/", "/static/", "/svelte/", f"{_API}heartbeat/")
_EVENTS = frozenset(
    _API + name for name in ("app_id", "cancel", "info", "queue/data", "reset", "startup-events", "upload_progress")
)
_ENVELOPE_BYTES = 1 << 16
"""Of an upload, around the file."""
_EVENT_BYTES = 1 << 18
_LEAST_FREE_BYTES = 10**9
"""Of the disk, after an upload."""


class Gate:
    """An ASGI application in front of Gradio's; `room` is the only folder whose files are served.

    `is_private`: only this machine can reach the server, so whoever asks for it by another name was led here by that
    name's owner.
    """

    def __init__(self, app: ASGIApp, *, room: Room, max_upload_bytes: int, is_private: bool) -> None:
        self._app, self._room, self._is_private = app, room, is_private
        self._most_bytes = {_UPLOAD: max_upload_bytes + _ENVELOPE_BYTES, _JOIN: _EVENT_BYTES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let Gradio do it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path = str(scope.get("path", ""))
        refused = self._refused(scope, path)
        if refused is None and path == _JOIN:
            body = await _read(receive)
            if any(_is_address(found) for found in _paths(body)):
                refused = HTTPStatus.FORBIDDEN
            receive = _again(body, receive)
        if refused is None and path == _UPLOAD:
            with self._room.arrival(int(Headers(scope=scope)["content-length"])) as has_room:
                if has_room:
                    await self._app(scope, receive, send)
                    return
            refused = HTTPStatus.INSUFFICIENT_STORAGE
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(refused.phrase, refused)(scope, receive, send)

    def _refused(self, scope: Scope, path: str) -> HTTPStatus | None:
        if scope["type"] != "http" or not self._is_welcome(Headers(scope=scope)):
            return HTTPStatus.FORBIDDEN
        if path.startswith(_FILE):
            return None if self._is_ours(path.removeprefix(_FILE)) else HTTPStatus.FORBIDDEN
        if path in self._most_bytes:
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdigit():
                return HTTPStatus.LENGTH_REQUIRED
            if int(length) > self._most_bytes[path]:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            is_full = shutil.disk_usage(self._room.path).free - int(length) < _LEAST_FREE_BYTES
            return HTTPStatus.INSUFFICIENT_STORAGE if is_full else None
        is_known = path in _PAGES or path in _EVENTS or path.startswith(_FOLDERS)
        return None if is_known and ".." not in path.split("/") else HTTPStatus.NOT_FOUND

    def _is_welcome(self, headers: Headers) -> bool:
        """Whether a request comes from our own page, or from no page, under a name that is ours."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._is_private and not is_loopback(_hostname(host)):
            return False
        if origin is None or headers.get("sec-fetch-site") == "same-origin":  # which no page can forge
            return True
        return origin.partition("://")[2].lower() == host.lower()

    def _is_ours(self, path: str) -> bool:
        """Whether a file's path lies in the room, as it stands and as whoever decodes it once more would see it."""
        try:
            return all(Path(form).resolve().is_relative_to(self._room.path) for form in (path, unquote(path)))
        except (OSError, ValueError):
            return False


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's for itself alone."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """Of a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _read(receive: Receive) -> bytes:
    """A request's body; its length has been checked, and the server holds the sender to it."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Receives `body`, and then what follows it."""
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _paths(body: bytes) -> Iterator[Any]:
    """Every value under the key `path`, at any depth: Gradio takes such an object for a file."""
    try:
        left = [json.loads(body)]
    except (ValueError, RecursionError):
        return
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if "path" in value:
                yield value["path"]
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _is_address(path: object) -> bool:
    """Whether Gradio would fetch it."""
    return isinstance(path, str) and "://" in path
