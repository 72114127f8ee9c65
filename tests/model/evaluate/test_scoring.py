"""Who is measured on what, and over which pictures means are taken."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from apisr_data import tables
from apisr_data.errors import ImageError
from apisr_model.degradations import resize
from apisr_model.degrade import Drawn
from apisr_model.evaluate import scoring
from apisr_model.evaluate.samples import Case, Sample
from apisr_model.evaluate.systems import System
from apisr_model.metrics import Metric

DRAWN = Drawn(steps=(resize.Resize(kernel="area", factor=0.5),))


def flat(level):
    return np.full((4, 4, 3), level, np.uint8)


def case(name, low_res, reference):
    return Case(name, lambda: Sample(flat(low_res), flat(reference), DRAWN))


def system(name, added):
    return System(name, f"adds {added}", lambda _case, sample: sample.low_res + np.uint8(added))


def difference(result, other):
    return float(int(result[0, 0, 0]) - int(other[0, 0, 0]))


def level(result):
    value = float(result[0, 0, 0])
    return math.nan if value == 99 else value


METRICS = (
    Metric("to_reference", difference, "reference", False, "a"),
    Metric("to_input", difference, "low_res", False, "b"),
    Metric("level", level, "nothing", True, "c"),
)
CASES = [case("one", 10, 12), case("two", 20, 30)]


def test_every_metric_gets_what_it_needs():
    found = list(scoring.score(CASES, [system("s", 5)], METRICS))
    assert [(s.image, dict(s.values)) for s in found] == [
        ("one", {"to_reference": 3, "to_input": 5, "level": 15}),
        ("two", {"to_reference": -5, "to_input": 5, "level": 25}),
    ]
    assert Drawn.model_validate_json(found[0].drawn or "") == DRAWN


def test_means_are_over_the_pictures():
    found = list(scoring.score(CASES, [system("s", 5), system("t", 1)], METRICS))
    assert [(s.system, dict(s.means)) for s in scoring.summarize(found, METRICS)] == [
        ("s", {"to_reference": -1, "to_input": 5, "level": 20}),
        ("t", {"to_reference": -5, "to_input": 1, "level": 16}),
    ]


def test_a_picture_without_a_value_counts_for_no_system():
    found = list(scoring.score([*CASES, case("three", 94, 90)], [system("s", 5), system("t", 1)], METRICS))
    means = {s.system: s.means for s in scoring.summarize(found, METRICS)}
    assert scoring.counted_images(found, "level") == {"one", "two"}  # s has none on three
    assert means["t"]["level"] == 16
    assert means["t"]["to_input"] == 1


def test_a_result_or_a_picture_that_fails_is_a_score_with_its_reason():
    def fail(*_):
        raise ImageError("x.png: truncated")

    broken = System("broken", "", fail)
    found = list(scoring.score([CASES[0], Case("gone", fail)], [system("s", 5), broken], METRICS))
    assert [(s.image, s.system, s.error) for s in found] == [
        ("one", "s", None),
        ("one", "broken", "x.png: truncated"),
        ("gone", "s", "x.png: truncated"),
        ("gone", "broken", "x.png: truncated"),
    ]
    assert all(math.isnan(value) for summary in scoring.summarize(found, METRICS) for value in summary.means.values())


def test_the_table_holds_every_score_and_says_what_each_column_is(tmp_path):
    compared = [system("s", 5)]
    found = list(scoring.score(CASES, compared, METRICS))
    tables.write(scoring.table(METRICS).rows(scoring.rows(found, compared)), tmp_path / "scores.parquet")
    back = pq.read_table(tmp_path / "scores.parquet")
    assert back["to_input"].to_pylist() == [5, 5]
    assert back["about"].to_pylist() == ["adds 5"] * 2
    assert back.schema.field("level").metadata[b"meaning"] == b"c; higher is better"
    assert back["error"].null_count == 2


@pytest.mark.parametrize("value", [math.inf, -3.5])
def test_infinite_values_count(value):
    found = [scoring.Score("a", "s", {"m": value}), scoring.Score("b", "s", {"m": value})]
    metric = Metric("m", level, "nothing", True, "")
    assert scoring.summarize(found, [metric])[0].means["m"] == value
