"""The zoo and where weights are found, against a server on the loopback interface."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from apisr_data.errors import FetchError
from apisr_model import weights
from apisr_model.errors import WeightsError

CONTENT = bytes(range(256)) * 500


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("APISR_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The zoo's entries come from here; the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    here = {
        name: replace(entry, url=f"http://127.0.0.1:{httpd.server_port}{urlsplit(entry.url).path}")
        for name, entry in weights.ENTRIES.items()
    }
    monkeypatch.setattr(weights, "ENTRIES", MappingProxyType(here))
    yield asked
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def put(cache: Path, file: str, content: bytes = CONTENT) -> Path:
    cache.mkdir(exist_ok=True)
    (cache / file).write_bytes(content)
    return cache / file


def test_the_zoo_is_consistent() -> None:
    for name, entry in weights.ENTRIES.items():
        assert entry.name == name == name.casefold()
        assert entry.url.startswith("https://github.com/")
        assert entry.url.endswith(f"/{entry.file}")
        assert entry.scale in (2, 4)
        assert entry.about
    assert len({entry.file for entry in weights.ENTRIES.values()}) == len(weights.ENTRIES)


def test_apisr_was_trained_on_bgr_and_is_shown_with_rgb() -> None:
    orders = {(e.trained_order, e.channel_order) for e in weights.ENTRIES.values() if e.name.startswith("apisr-")}
    assert orders == {("bgr", "rgb")}


@pytest.mark.parametrize(
    "name", ["apisr-grl-x4", "APISR-GRL-x4", "4x_APISR_GRL_GAN_generator", "4x_APISR_GRL_GAN_generator.pth"]
)
def test_a_name_or_its_file_is_fetched_once(served: list[str], cache: Path, name: str) -> None:
    path, entry = weights.resolve(name)
    assert path == cache / "4x_APISR_GRL_GAN_generator.pth"
    assert path.read_bytes() == CONTENT
    assert entry is not None
    assert entry.licence == "GPL-3.0-only"
    weights.resolve(name)
    assert served == ["/Kiteretsu77/APISR/releases/download/v0.1.0/4x_APISR_GRL_GAN_generator.pth"]


def test_a_file_that_is_not_the_published_one_is_not_kept(served: list[str], cache: Path) -> None:
    with pytest.raises(FetchError, match=f"SHA-256 {hashlib.sha256(CONTENT).hexdigest()}, expected b8a83768"):
        weights.resolve("realesr-animevideov3")
    assert not list(cache.iterdir())


def test_progress_reaches_the_end(served: list[str]) -> None:
    seen = []
    weights.resolve("apisr-rrdb-x2", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_path_wins_over_the_zoo_and_nothing_is_fetched(tmp_path: Path, served: list[str]) -> None:
    (tmp_path / "4x_APISR_GRL_GAN_generator.pth").write_bytes(b"mine")
    path, entry = weights.resolve(tmp_path / "4x_APISR_GRL_GAN_generator.pth")
    assert path.read_bytes() == b"mine"
    assert entry is not None
    assert entry.name == "apisr-grl-x4"
    assert served == []


@pytest.mark.parametrize("offline", ["argument", "environment"])
def test_offline_says_which_file_to_put_where(cache: Path, monkeypatch: pytest.MonkeyPatch, offline: str) -> None:
    if offline == "environment":
        monkeypatch.setenv("APISR_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"put https://github\.com/.*v0\.2\.0/4x_APISR_RRDB.*\.pth at .*cache"):
        weights.resolve("apisr-rrdb-x4", offline=offline == "argument")


def test_a_file_put_into_the_cache_by_hand_is_found(cache: Path) -> None:
    by_hand = put(cache, "4x_APISR_RRDB_GAN_generator.pth")
    assert weights.resolve("apisr-rrdb-x4", offline=True)[0] == by_hand
    assert weights.resolve(str(put(cache, "mine.safetensors").name)) == (cache / "mine.safetensors", None)


def test_an_unknown_name_lists_the_known_and_the_near() -> None:
    with pytest.raises(
        WeightsError, match=r"no weights 'apisr-gril-x4' \(did you mean apisr-grl-x4.*realesrgan-anime-6b"
    ):
        weights.resolve("apisr-gril-x4")


@pytest.mark.parametrize("path", ["mine.pth", "folder/mine", "./apisr.onnx"])
def test_a_path_to_nothing_is_told_as_one(path: str) -> None:
    with pytest.raises(WeightsError, match=r"^there is no file .*(mine|apisr)[^;]*$"):
        weights.resolve(path)


def test_a_published_file_looked_for_in_vain_is_in_the_zoo() -> None:
    with pytest.raises(WeightsError, match=r"there is no file pretrained.4x.*the zoo has it: --weights apisr-grl-x4"):
        weights.resolve(Path("pretrained/4x_APISR_GRL_GAN_generator.pth"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is a folder"):
        weights.resolve(tmp_path)


@pytest.mark.usefixtures("nothing_packaged")
class TestWithoutAName:
    def test_nothing_here_tells_the_two_ways(self) -> None:
        assert weights.default() is None
        with pytest.raises(WeightsError, match=r"weights fetch apisr-grl-x4.*apisr-model train"):
            weights.resolve(None)

    def test_the_papers_network_is_preferred(self, cache: Path) -> None:
        put(cache, "RealESRGAN_x4plus_anime_6B.pth")
        assert weights.default() == cache / "RealESRGAN_x4plus_anime_6B.pth"
        put(cache, "4x_APISR_GRL_GAN_generator.pth")
        assert weights.resolve(None)[0] == cache / "4x_APISR_GRL_GAN_generator.pth"

    def test_a_packaged_one_comes_first(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(cache, "4x_APISR_GRL_GAN_generator.pth")
        own = put(tmp_path, "own-x2.safetensors")
        monkeypatch.setattr(weights, "packaged", lambda: {"own-x2": own})
        assert weights.default() == own
        assert weights.resolve("own-x2") == (own, None)

    @pytest.fixture
    def nothing_packaged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "packaged", dict)


def test_what_is_taken_without_a_name_has_its_sum_looked_at_too(cache: Path) -> None:
    put(cache, weights.ENTRIES["realesr-animevideov3"].file, b"something else")
    with pytest.raises(FetchError, match=r"has SHA-256 .*, expected"):
        weights.resolve(None)
