"""Fetched files, against a server on the loopback interface."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from apisr_data import cache
from apisr_data.errors import FetchError

CONTENT = bytes(range(256)) * 5_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What it serves, how many bytes it sends before it hangs up, and the ranges that it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    stops_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            etag = f'"{hashlib.sha256(state.content).hexdigest()[:8]}"'
            start = 0
            if self.path != "/ck.pth":
                self.send_error(404)
                return
            if asked and self.headers.get("If-Range") == etag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start and start >= len(state.content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            self.wfile.write(state.content[start : state.stops_after])

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/ck.pth"
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "キャッシュ"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "キャッシュ"


def test_the_environment_names_the_folder(folder: Path) -> None:
    assert cache.folder() == folder
    assert not folder.exists()


def test_without_the_environment_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APISR_CACHE")
    assert "apisr" in cache.folder().parts[-1].lower() + cache.folder().parts[-2].lower()


def test_a_file_put_there_by_hand_is_found(folder: Path) -> None:
    assert cache.find("ck.pth") is None
    folder.mkdir()
    (folder / "ck.pth").write_bytes(b"weights")
    assert cache.find("ck.pth") == folder / "ck.pth"


def test_a_fetched_file_is_complete_and_alone(server: Server, folder: Path) -> None:
    seen = []
    path = cache.fetch(server.url, "ck.pth", sha256=SHA256, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in folder.iterdir()] == ["ck.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_not_fetched_again(server: Server) -> None:
    cache.fetch(server.url, "ck.pth", sha256=SHA256)
    cache.fetch(server.url, "ck.pth", sha256=SHA256, offline=True)
    assert len(server.ranges) == 1


def test_a_truncated_download_goes_on_where_it_stopped(server: Server, folder: Path) -> None:
    server.stops_after = 700_000
    with pytest.raises(FetchError, match=r"ended after 700,000 of 1,280,000 bytes; run again"):
        cache.fetch(server.url, "ck.pth", sha256=SHA256)
    assert cache.find("ck.pth") is None
    server.stops_after = None
    assert cache.fetch(server.url, "ck.pth", sha256=SHA256).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=700000-"]
    assert [p.name for p in folder.iterdir()] == ["ck.pth"]


def test_a_file_that_changed_meanwhile_is_fetched_whole(server: Server) -> None:
    server.stops_after = 700_000
    with pytest.raises(FetchError, match="run again"):
        cache.fetch(server.url, "ck.pth")
    server.stops_after, server.content = None, CONTENT[::-1]
    assert cache.fetch(server.url, "ck.pth").read_bytes() == CONTENT[::-1]


def test_a_complete_part_is_taken_as_it_is(server: Server, folder: Path) -> None:
    cache.fetch(server.url, "ck.pth")
    (folder / "ck.pth").rename(folder / ".ck.pth.part")
    (folder / ".ck.pth.etag").write_text(f'"{SHA256[:8]}"')
    assert cache.fetch(server.url, "ck.pth", sha256=SHA256).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(CONTENT)}-"


def test_a_wrong_sum_leaves_nothing_behind(server: Server, folder: Path) -> None:
    with pytest.raises(FetchError, match=f"what came has SHA-256 {SHA256}, expected {'0' * 64}"):
        cache.fetch(server.url, "ck.pth", sha256="0" * 64)
    assert cache.find("ck.pth") is None
    assert not (folder / ".ck.pth.part").exists()


def test_without_a_published_sum_the_first_one_holds(server: Server, folder: Path) -> None:
    cache.fetch(server.url, "ck.pth")
    assert (folder / "ck.pth.sha256").read_text().strip() == SHA256
    (folder / "ck.pth").write_bytes(b"something else")
    with pytest.raises(FetchError, match=r"expected .* remove it"):
        cache.fetch(server.url, "ck.pth")


def test_offline_says_which_file_to_put_where(folder: Path) -> None:
    with pytest.raises(
        FetchError, match=r"nothing is fetched offline; to do it by hand, put http://x/ck\.pth at .*ck\.pth"
    ):
        cache.fetch("http://x/ck.pth", "ck.pth", offline=True)
    assert not folder.exists()


def test_a_refusal_names_the_answer(server: Server) -> None:
    with pytest.raises(FetchError, match="the server answered 404"):
        cache.fetch(server.url.replace("ck", "gone"), "ck.pth")


def test_no_network_names_the_reason() -> None:
    with pytest.raises(FetchError, match=r"ck\.pth cannot be fetched: .*refused; to do it by hand"):
        cache.fetch("http://127.0.0.1:9/ck.pth", "ck.pth")


def test_a_folder_that_cannot_be_made_is_named(folder: Path) -> None:
    folder.write_bytes(b"a file in the way")
    with pytest.raises(FetchError, match="キャッシュ"):
        cache.fetch("http://x/ck.pth", "ck.pth")
