"""Fixtures that every test may use."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled clip: 21.5 s, H.264 1280x720 at 24 fps, 8 I-frames, BT.709 limited."""
    return Path(__file__).parents[1] / "samples" / "the-question.mkv"
