import io

import pytest
from rich.console import Console

from apisr_data import terminal


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 120 columns is sent."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    monkeypatch.setattr(terminal, "ERR", console)
    return file


def test_a_bar_that_follows_is_told_amounts_and_not_steps(screen: io.StringIO) -> None:
    with terminal.Bars() as bars:
        follow = bars.follow("clip.mkv", "frames")
        assert "clip.mkv" not in screen.getvalue()
        for done in (0, 40, 100):
            follow(done, 400)
    last = screen.getvalue().split("clip.mkv")[-1]
    assert "100 frames / 400 frames" in last


def test_what_has_no_known_end_is_followed_without_a_bar(screen: io.StringIO) -> None:
    with terminal.Bars() as bars:
        bars.follow("weights", "bytes")(10, None)
    assert "weights" not in screen.getvalue()
