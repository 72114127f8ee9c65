"""Pairs that are the same for one seed, and folders as people have them."""

import numpy as np
import pytest

from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import encode_png
from apisr_model.data import Row, read_manifest
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.errors import ShapeError
from apisr_model.evaluate import samples
from tests.model.manifests import picture, write_manifest

PAPER = Degradation(DegradationConfig(), 4)


@pytest.fixture
def manifest(tmp_path):
    pictures = {f"{name}.png": picture(number, (70, 51)) for number, name in enumerate("abcv")}
    return read_manifest(write_manifest(tmp_path, pictures, val=("c.png", "v.png")))


def test_a_reference_is_the_picture_cut_to_multiples_of_the_scale(manifest):
    [case, _] = samples.from_manifest(manifest.val, PAPER, 4, seed=0)
    sample = case.read()
    assert case.name == "c.png"
    assert np.array_equal(sample.reference, picture(2, (70, 51))[:48, :68])
    assert sample.low_res.shape == (12, 17, 3)
    assert sample.low_res.dtype == np.uint8
    assert sample.drawn


def test_what_is_drawn_depends_on_the_picture_and_the_seed_alone(manifest, tmp_path):
    def low_res(rows, seed):
        return {case.name: case.read().low_res for case in samples.from_manifest(rows, PAPER, 4, seed=seed)}

    both, again = low_res(manifest.val, 3), low_res(manifest.val[::-1], 3)
    assert all(np.array_equal(both[name], again[name]) for name in both)
    renamed = tmp_path / "other name.png"
    renamed.write_bytes(encode_png(picture(3, (70, 51))))
    assert np.array_equal(low_res([Row("x", renamed)], 3)["x"], both["v.png"])
    drawn = {str(samples.from_manifest(manifest.val[:1], PAPER, 4, seed=seed)[0].read().drawn) for seed in range(8)}
    assert len(drawn) == 8


def test_a_picture_that_is_gone_is_told_when_its_turn_comes(manifest):
    manifest.val[0].path.unlink()
    cases = samples.from_manifest(manifest.val, PAPER, 4, seed=0)
    with pytest.raises(ImageError, match=r"c\.png"):
        cases[0].read()
    assert cases[1].read().reference is not None


def test_a_real_pair_is_taken_as_it_is_and_one_that_does_not_fit_is_told(tmp_path):
    real = {"a.png": picture(5, (17, 13)), "b.png": picture(6, (17, 12))}
    manifest = write_manifest(tmp_path, {name: picture(1, (68, 52)) for name in real}, tuple(real), real)
    good, bad = samples.from_manifest(read_manifest(manifest).val, PAPER, 4, seed=0)
    sample = good.read()
    assert np.array_equal(sample.low_res, real["a.png"])
    assert np.array_equal(sample.reference, picture(1, (68, 52)))
    assert sample.drawn is None
    with pytest.raises(ShapeError, match=r"row 'b\.png': image is 68x52, lr_image 17x12"):
        bad.read()


def test_a_folder_gives_its_pictures_by_name_and_passes_over_the_rest(tmp_path):
    for name in ("b.png", "deep/ä 日.png", ".hidden.png", ".cache/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encode_png(picture(1)))
    (tmp_path / "notes.txt").write_text("no picture")
    cases = samples.from_folder(tmp_path)
    assert [case.name for case in cases] == ["b.png", "deep/ä 日.png"]
    sample = cases[1].read()
    assert np.array_equal(sample.low_res, picture(1))
    assert (sample.reference, sample.drawn) == (None, None)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ConfigError, match="no picture among 1 files"):
        samples.from_folder(tmp_path)
