import errno
import signal
from collections.abc import Iterator

import pytest

from apisr_data import command


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted; --resume goes on\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device; --resume goes on\n"),
    ],
    ids=["interrupted", "disk full"],
)
def test_a_command_that_was_broken_off_says_how_to_go_on(
    error: BaseException, status: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = command.make_app("A test.")

    @app.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["test", "broken"])
    with pytest.raises(SystemExit) as end:
        command.run(app, kept="--resume goes on")
    assert end.value.code == status
    assert capsys.readouterr().err.endswith(told)
