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


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "model"), ("tensorboard.summary", "model"), ("gradio", "demo")]
)
def test_a_package_that_is_missing_is_told_with_the_extra_that_brings_it(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = command.make_app("A test.")

    @app.command()
    def broken() -> None:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)

    monkeypatch.setattr("sys.argv", ["test", "broken"])
    with pytest.raises(SystemExit) as end:
        command.run(app, kept="")
    assert end.value.code == 2
    needed = module.partition(".")[0]
    assert capsys.readouterr().err == f"error: this command needs {needed}: pip install 'apisr[{extra}]'\n"


def test_a_module_of_no_extra_that_is_missing_is_our_fault_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    app = command.make_app("A test.")

    @app.command()
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'apisr_data.gone'", name="apisr_data.gone")

    monkeypatch.setattr("sys.argv", ["test", "broken"])
    with pytest.raises(ModuleNotFoundError, match="gone"):
        command.run(app, kept="")
