"""A page served by a process of its own, as a user would start it, with a small network and small limits."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apisr_model import architectures, checkpoint
from tests.filled import fill

COMMAND = (sys.executable, "-c", "from apisr_model.cli import main; main()", "demo")
LIMITS = "--max-mpx 1 --max-seconds 3 --max-minutes 1 --max-upload 4 --queue 2".split()


@dataclass(frozen=True)
class Served:
    """The page under test."""

    address: str
    weights: Path
    room: Path
    log: Path
    """What its terminal shows beside its address."""

    def kept(self) -> list[str]:
        """Names of all files that visitors brought or got, and of partial folders."""
        return sorted(path.name for path in self.room.rglob("*") if path.is_file() or path.name.startswith("."))


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of a few thousand parameters that doubles sides."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = {"features": 8, "convolutions": 2, "scale": 2}
    module = fill(architectures.build("compact", **config))
    checkpoint.save(path, module, "compact", architectures.get("compact").config(**config))
    return path


@pytest.fixture(scope="session")
def served(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests: Gradio leaves event loops behind, whose warnings other tests would get.

    In the end it is interrupted, has asked no proxy for anything of the internet, and has left nothing behind.
    """
    place = tmp_path_factory.mktemp("place")
    cache = tmp_path_factory.mktemp("cache")
    log = tmp_path_factory.mktemp("log") / "stderr"
    with log.open("w") as stderr, socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        to_proxy = {name: f"http://127.0.0.1:{proxy.getsockname()[1]}" for name in ("http_proxy", "https_proxy")}
        process = subprocess.Popen(
            [*COMMAND, "-w", str(small_weights), "--device", "cpu", "--port", str(free_port()), *LIMITS],
            env={**os.environ, "TMPDIR": str(place), "APISR_CACHE": str(cache), "OMP_NUM_THREADS": "1", **to_proxy},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", told)
            assert address is not None, told
            (room,) = place.glob("apisr-demo-*")
            yield Served(address[0], small_weights, room, log)
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        assert (process.returncode, rest) == (0, "ended; uploads and results are removed\n")
        assert not list(place.iterdir())
        assert not room.exists()
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40x30 px with soft shapes, transparent in a corner, under a name that would be HTML."""
    down, across = np.mgrid[0:30, 0:40]
    rgba = np.stack([across * 6, down * 8, (across + down) * 3, np.full_like(down, 255)], axis=2).astype(np.uint8)
    rgba[:6, :6, 3] = 0
    path = tmp_path_factory.mktemp("pictures") / "a <img src=x onerror=alert(1)> 絵.png"
    Image.fromarray(rgba).save(path)
    return path


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
