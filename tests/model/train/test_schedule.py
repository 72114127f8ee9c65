import pytest

from apisr_model.train.recipe import TrainSettings
from apisr_model.train.schedule import Pace, fraction, learning_rate


def test_the_rate_rises_in_a_line_and_falls_by_a_cosine() -> None:
    settings = TrainSettings(iterations=100, learning_rate=1.0, warmup=10)
    assert learning_rate(settings, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(settings, 50, 0.5) == pytest.approx(0.5)
    assert learning_rate(settings, 100, 1.0) == pytest.approx(0.0)


def test_the_papers_rate_halves_every_hundred_thousand_steps() -> None:
    settings = TrainSettings(iterations=300_000, learning_rate=2e-4, schedule="halving")
    rates = [learning_rate(settings, step, 0.5) for step in (0, 99_999, 100_000, 299_999)]
    assert rates == [2e-4, 2e-4, 1e-4, 0.5e-4]


def test_a_run_ends_by_whichever_comes_first() -> None:
    settings = TrainSettings(iterations=100, minutes=1.0)
    assert fraction(settings, 50, 15.0) == 0.5
    assert fraction(settings, 50, 45.0) == 0.75
    assert fraction(settings, 101, 45.0) == 1.0


def test_the_pace_is_that_of_the_last_steps() -> None:
    pace = Pace(0.0, 0.0)
    pace.step(1000.0, 900.0, 0.1)  # a slow start
    for number in range(1, 101):
        pace.step(1000.0 + 2 * number, 0.5, 0.1 + 0.004 * number)
    assert pace.steps_per_s == pytest.approx(0.5)
    assert pace.waiting == pytest.approx(0.25)
    assert pace.seconds_left == pytest.approx(0.5 / 0.002)
