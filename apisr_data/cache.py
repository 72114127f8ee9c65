"""Files that are fetched once and kept: network weights and parameters, under their published names."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import platformdirs

from apisr_data.errors import FetchError

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there and, where the server says it, their final number."""


def folder() -> Path:
    """`$APISR_CACHE`, else the platform's cache folder of the user; not created."""
    given = os.environ.get("APISR_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("apisr", appauthor=False)


def find(name: str) -> Path | None:
    """The file of that name, fetched or put there by hand; None when there is none, or the folder cannot be read."""
    path = folder() / name
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    url: str, name: str, *, sha256: str | None = None, offline: bool = False, progress: Progress | None = None
) -> Path:
    """The file `name`, downloaded from `url` unless it is there already.

    An interrupted download goes on where it stopped. Where no `sha256` is published, the first download's is recorded
    beside the file and holds from then on.

    Raises:
        FetchError: offline, no network, a refusal by the server, an incomplete download, a wrong sum, a full disk.
    """
    path = folder() / name
    record = path.with_name(f"{name}.sha256")
    part = path.with_name(f".{name}.part")
    by_hand = f"to do it by hand, put {url} at {path}"
    if offline and not path.is_file():
        raise FetchError(f"{name} is not in {path.parent}, and nothing is fetched offline; {by_hand}")
    try:
        if sha256 is None and record.exists():
            sha256 = record.read_text(encoding="utf-8").strip()
        if path.is_file():
            if sha256:
                _check(path, name, sha256)
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, part, progress)
        found = _check(part, name, sha256)
        if sha256 is None:
            record.write_text(f"{found}\n", encoding="utf-8")
        part.replace(path)
        _validator(part).unlink(missing_ok=True)
    except FetchError as error:
        raise FetchError(f"{error}; {by_hand}") from None
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{name} cannot be fetched: {_reason(error)}; {by_hand}") from error
    return path


def _download(url: str, part: Path, progress: Progress | None) -> None:
    """Complete `part`: the rest of it where the server still holds the same version, else all of it."""
    headers = {"User-Agent": "apisr"}
    validator = _validator(part)
    if part.exists() and validator.exists():
        headers |= {"Range": f"bytes={part.stat().st_size}-", "If-Range": validator.read_text(encoding="utf-8")}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # the part was complete, or its sum will say that it is not
    with response:
        done = part.stat().st_size if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        if not done:
            validator.unlink(missing_ok=True)
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as file:
            if etag := response.headers.get("ETag"):
                validator.write_text(etag, encoding="utf-8")
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
    if total is not None and done < total:
        raise FetchError(f"{part}: the connection ended after {done:,} of {total:,} bytes; run again to go on")


def _check(path: Path, name: str, expected: str | None) -> str:
    """The file's sum; a temporary file with the wrong one is removed, so that the next run starts afresh."""
    found = sha256_of(path)
    if expected is None or found == expected.lower():
        return found
    if path.name != name:
        path.unlink()
        raise FetchError(f"{name}: what came has SHA-256 {found}, expected {expected}; it was not kept")
    raise FetchError(f"{path} has SHA-256 {found}, expected {expected}: remove it, and it is fetched again")


def _validator(part: Path) -> Path:
    """Holds the version (ETag) that `part` is a piece of."""
    return part.with_suffix(".etag")


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(getattr(reason, "strerror", None) or reason)
