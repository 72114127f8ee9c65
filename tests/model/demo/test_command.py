"""`apisr-model demo` where it cannot serve."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def refused(*arguments: object, code: str = "") -> str:
    """What the command says before it ends with the status of wrong usage."""
    command = [sys.executable, "-c", f"{code}from apisr_model.cli import main; main()", "demo", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_without_gradio_the_message_installs_it() -> None:
    assert "pip install 'apisr[demo]'" in refused(code="import sys; sys.modules['gradio'] = None; ")


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_with_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is taken on 127.0.0.1; {port + 1} is free" in refused("--port", port)


@pytest.mark.slow
def test_a_host_of_another_machine_is_refused() -> None:
    assert "--host 192.0.2.1:" in refused("--host", "192.0.2.1")


@pytest.mark.slow
def test_weights_that_are_not_there_are_refused_before_anything_is_served(tmp_path: Path) -> None:
    assert "there is no file" in refused("-w", tmp_path / "none.safetensors")
