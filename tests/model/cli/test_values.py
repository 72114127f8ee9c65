import pytest

from apisr_data.errors import UsageError
from apisr_model.cli import values


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("62.5", 62.5), (".5", 0.5), ("1:30", 90), ("1:02:03.5", 3723.5), ("00:00:07", 7)]
)
def test_times_are_seconds_or_clock_times(text: str, seconds: float) -> None:
    assert values.seconds("--start", text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:99:00", "a", "1h", "1:2:3:4", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--start .*: seconds such as"):
        values.seconds("--start", text)


def test_tiles_and_options_are_read_or_refused() -> None:
    assert (values.tile_px("auto"), values.tile_px("128")) == (None, 128)
    with pytest.raises(UsageError, match="--tile 0"):
        values.tile_px("0")
    assert values.encoder_options(["preset=slow", "x264-params=a=1:b=2"]) == {
        "preset": "slow",
        "x264-params": "a=1:b=2",
    }
    with pytest.raises(UsageError, match="--encoder-option preset: not KEY=VALUE"):
        values.encoder_options(["preset"])
