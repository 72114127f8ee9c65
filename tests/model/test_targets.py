import numpy as np
import pytest

from apisr_data.config import parse
from apisr_data.errors import ConfigError
from apisr_model import lines
from apisr_model.targets import TargetConfig, draw, make
from tests.model.manifests import picture


def test_each_kind_is_what_lines_makes_of_it() -> None:
    drawing = picture(2)
    steps = lines.enhance(drawing, 0.972)
    assert make(drawing, "raw") is drawing
    np.testing.assert_array_equal(make(drawing, "pseudo_gt", 0.972), steps.result)
    np.testing.assert_array_equal(make(drawing, "unsharp"), steps.rounds[0])
    np.testing.assert_array_equal(make(drawing, "unsharp", 0.972), steps.rounds[0])  # which no weight changes


def test_a_pseudo_ground_truth_without_its_weight_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="'pseudo_gt' with gamma None"):
        make(picture(2), "pseudo_gt")


def test_gamma_is_drawn_evenly_from_its_range_for_the_kind_that_needs_it() -> None:
    rng = np.random.default_rng(0)
    found = np.array([draw(TargetConfig(), rng) for _ in range(2000)])
    assert 0.97 <= found.min() < 0.9701
    assert 0.9799 < found.max() <= 0.98
    assert abs(found.mean() - 0.975) < 0.0003
    assert draw(TargetConfig(kind="raw"), rng) is None
    assert draw(TargetConfig(kind="unsharp"), rng) is None


@pytest.mark.parametrize("gamma", [[0.98, 0.97], [-0.1, 0.5], [0.5, 1.5], [float("nan"), 1.0]])
def test_a_range_that_is_none_is_refused(gamma: list[float]) -> None:
    with pytest.raises(ConfigError, match="gamma"):
        parse(TargetConfig, {"gamma": gamma}, "test")
