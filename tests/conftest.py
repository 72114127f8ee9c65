"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.browser"]


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled clip: 21.5 s, H.264 1280x720 at 24 fps, 8 I-frames, BT.709 limited."""
    return Path(__file__).parents[1] / "samples" / "the-question.mkv"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference outputs of the original implementations, cut down."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def peer_weights() -> Path:
    """Folder with Real-ESRGAN's anime networks, which are not ours to ship; the test is skipped where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "weights"
    folder = Path(os.environ.get("APISR_PEER_WEIGHTS", beside))
    if not (folder / "realesr-animevideov3-x4.pth").is_file():
        pytest.skip("no peer weights: set APISR_PEER_WEIGHTS to the folder that holds realesr-animevideov3-x4.pth")
    return folder
