"""What holds for every scorer, found by discovery."""

import subprocess
import sys

import numpy as np
import pytest

from apisr_data import scorers
from apisr_data.errors import UsageError

SHAPES = {"1x1": (1, 1), "7x5": (5, 7), "720p": (720, 1280), "4K": (2160, 3840)}


@pytest.fixture(params=scorers.names())
def scorer(request, weights, monkeypatch):
    monkeypatch.setenv("APISR_CACHE", str(weights.parent))
    return scorers.build(request.param)


@pytest.fixture(scope="module")
def pictures(picture, drawing):
    noise = np.random.default_rng(0)
    shapes = [picture(noise.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in SHAPES.values()]
    return [*shapes, picture(np.zeros((90, 160, 3), np.uint8)), picture(drawing)]


def test_scores_are_finite_and_in_the_declared_columns(scorer, pictures):
    scores = scorer.score(pictures)
    assert list(scores) == [column.name for column in scorer.columns]
    for values in scores.values():
        assert values.dtype == np.float64
        assert values.shape == (len(pictures),)
        assert np.isfinite(values).all()


def test_a_score_does_not_depend_on_the_batch(scorer, pictures):
    together = scorer.score(pictures)
    for index, one in enumerate(pictures):
        for name, values in scorer.score([one]).items():
            assert values[0] == pytest.approx(together[name][index], abs=1e-6), name


def test_no_pictures_have_no_scores(scorer):
    assert all(values.shape == (0,) for values in scorer.score([]).values())


def test_names_and_meanings_are_whole(scorer):
    assert scorer.name in scorers.names()
    assert scorer.version >= 1
    assert all(column.meaning for column in scorers.columns(scorer.name))
    if scorers.is_complexity(scorer.name):
        assert [column.name for column in scorer.columns] == [scorer.name]


def test_columns_of_two_scorers_differ():
    columns = [column.name for name in scorers.names() for column in scorers.columns(name)]
    assert len(columns) == len(set(columns))


def test_complexity_comes_from_icnet_or_detail():
    assert {name for name in scorers.names() if scorers.is_complexity(name)} == {"icnet", "detail"}


def test_the_names_load_no_heavy_module_and_the_columns_no_torch():
    program = """
import sys
from apisr_data import scorers
names = scorers.names()
assert not {"cv2", "torch", "av"} & sys.modules.keys()
for name in names:
    scorers.columns(name)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_scorer_lists_the_known():
    with pytest.raises(UsageError, match=r"no scorer 'icenet'; known scorers: .*detail, .*icnet"):
        scorers.build("icenet")


def test_an_unknown_option_lists_the_known():
    with pytest.raises(UsageError, match=r"scorer 'entropy' takes no option \['weights'\]; it takes none"):
        scorers.build("entropy", weights="ck.pth")
