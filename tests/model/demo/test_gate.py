"""What the server refuses, asked by hand: files that are not a visitor's own, addresses, and Gradio's other doors."""

import json
import os
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.model.demo.conftest import Served

_FILE = "gradio_api/file="


def answer(served: Served, path: str, method: str = "GET", **more: object) -> httpx.Response:
    """What the server says; the path is sent as it stands."""
    with httpx.Client(trust_env=False) as client:
        return client.request(method, served.address + path, **more)  # type: ignore[arg-type]


def upload(served: Served, name: str, data: bytes) -> httpx.Response:
    return answer(served, "gradio_api/upload", "POST", files={"files": (name, data)})


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//etc/passwd",
        "../../../../etc/passwd",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
        "/proc/self/environ",
        "pyproject.toml",
        str(Path.cwd() / "pyproject.toml"),
        "file:///etc/passwd",
        "http://127.0.0.1:9/",
        "https://example.org/",
        "%00",
    ],
)
def test_no_other_file_and_no_address_is_read(served: Served, path: str) -> None:
    assert answer(served, _FILE + path).status_code in (403, 404)
    assert answer(served, f"gradio_api/file/{path}").status_code in (403, 404)


def test_neither_weights_nor_the_room_itself_can_be_read(served: Served) -> None:
    for path in (served.weights, served.room, f"{served.room}/../{served.weights}"):
        assert answer(served, f"{_FILE}{path}").status_code in (403, 404)
    (served.room / "link").symlink_to("/etc/passwd")
    assert answer(served, f"{_FILE}{served.room}/link").status_code == 403
    (served.room / "link").unlink()


def test_an_upload_is_served_to_whoever_knows_its_name_and_never_as_a_page(served: Served) -> None:
    (path,) = upload(served, "page.html", b"<script>alert(1)</script>").json()
    assert Path(path).is_relative_to(served.room)
    got = answer(served, _FILE + quote(path))
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("name", ["../../evil.png", "/tmp/evil.png", "..", "a/../../evil.png", "\0evil.png"])
def test_an_uploads_name_leads_nowhere(served: Served, name: str) -> None:
    got = upload(served, name, b"x")
    if got.status_code == 200:
        assert all(Path(path).resolve().is_relative_to(served.room) for path in got.json())
    assert not list(served.room.parent.glob("evil*"))


def test_too_large_an_upload_is_refused_before_it_is_read(served: Served) -> None:
    assert upload(served, "large.png", bytes(5_000_000)).status_code == 413

    def chunks() -> object:
        yield b"x" * 1000

    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert answer(served, "gradio_api/upload", "POST", content=chunks(), headers=kind).status_code == 411


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x.png", "https://example.org/x.png", "file:///etc/passwd"])
def test_an_event_that_names_an_address_is_refused(served: Served, address: str) -> None:
    data = {"data": [{"path": address, "meta": {"_type": "gradio.FileData"}}], "fn_index": 1, "session_hash": "x"}
    assert answer(served, "gradio_api/queue/join", "POST", json=data).status_code == 403
    nested = {"data": [[{"deep": [data]}]], "fn_index": 1, "session_hash": "x"}
    assert answer(served, "gradio_api/queue/join", "POST", content=json.dumps(nested)).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/proxy=https://example.org/",
        "gradio_api/run/predict",
        "gradio_api/call/upscale_picture",
        "gradio_api/vibe-code",
        "gradio_api/runs",
        "gradio_api/run-history/records",
        "gradio_api/openapi.json",
        "gradio_api/mcp/",
        "monitoring/summary",
        "docs",
        "custom_component/x/client/y/z",
        "static/../../../../etc/passwd",
        "assets/%2e%2e/%2e%2e/%2e%2e/__init__.py",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_does_not_need_is_not_there(served: Served, path: str, method: str) -> None:
    assert answer(served, path, method).status_code in (403, 404, 405)


def test_only_this_machine_can_open_the_page(served: Served) -> None:
    assert served.address.startswith("http://127.0.0.1:")
    other = {"origin": "https://example.org", "access-control-request-method": "POST"}
    allowed = answer(served, "gradio_api/queue/join", "OPTIONS", headers=other).headers
    assert allowed.get("access-control-allow-origin") not in ("*", "https://example.org")


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1:9", "http://localhost"])
def test_another_page_in_the_visitors_browser_can_ask_for_nothing(served: Served, origin: str) -> None:
    for site in ({}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        headers = {"origin": origin, **site}
        assert answer(served, "gradio_api/queue/join", "POST", json={}, headers=headers).status_code == 403
        files = {"files": ("x.png", b"x")}
        assert answer(served, "gradio_api/upload", "POST", files=files, headers=headers).status_code == 403
    behind_a_proxy = {"origin": "https://example.org", "sec-fetch-site": "same-origin"}
    assert answer(served, "", headers=behind_a_proxy).status_code == 200
    assert answer(served, "", headers={"origin": served.address.rstrip("/")}).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "192.168.0.1:7860", "", "[", "localhost@x"])
def test_a_foreign_name_of_this_machine_is_refused(served: Served, host: str) -> None:
    assert answer(served, "", headers={"host": host}).status_code in (400, 403)
    for ours in ("localhost", "LOCALHOST:80", "127.0.0.1:7860", "[::1]:7860"):
        assert answer(served, "", headers={"host": ours}).status_code == 200


def test_uploads_together_are_capped_and_the_oldest_make_way(served: Served) -> None:
    (first,) = upload(served, "first.bin", b"1" * 3_900_000).json()
    for number in range(4):
        assert upload(served, "more.bin", bytes([number]) * 3_900_000).status_code == 200
    assert not Path(first).exists()
    assert sum(path.stat().st_size for path in served.room.rglob("*") if path.is_file()) < 16_100_000


def test_the_room_is_its_owners_alone(served: Served) -> None:
    assert served.room.stat().st_mode & 0o077 == 0 or os.name == "nt"


@pytest.mark.parametrize("path", ["/etc/passwd", "pyproject.toml", "../place/x.png"])
def test_an_event_cannot_name_a_file_of_the_server(served: Served, path: str) -> None:
    events = answer(served, "config").json()["dependencies"]
    picture = next(event for event in events if len(event["inputs"]) == 6)  # of the picture tab
    data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, None, 0.0, 1, 0, False]
    body = {"data": data, "fn_index": picture["id"], "session_hash": "thief", "trigger_id": picture["targets"][0][0]}
    assert answer(served, "gradio_api/queue/join", "POST", json=body).status_code == 200
    told = answer(served, "gradio_api/queue/data?session_hash=thief").text
    ends = [json.loads(line[6:]) for line in told.splitlines() if "process_completed" in line]
    assert [end["success"] for end in ends] == [False]
    assert ends[0]["output"]["error"] is None
