"""NIQE against the published code's figures, and the model of one's own pictures."""

import io
import math
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from apisr_data.errors import FetchError, InputError
from apisr_model.errors import WeightsError
from apisr_model.metrics import fit_niqe, naturalness, niqe
from apisr_model.metrics.scene_statistics import WINDOW_TAPS, halve, measure
from tests.model.manifests import picture


@pytest.fixture(scope="module")
def frames(golden):
    """The two frames that the reference figures are of, RGB."""
    stored = np.load(golden / "pseudo_gt.npz")
    return [np.asarray(Image.open(io.BytesIO(stored[f"image_{number}"].tobytes()))) for number in (0, 1)]


@pytest.fixture(scope="module")
def published(peer_weights):
    return naturalness.load(peer_weights / naturalness.FILE)


@pytest.fixture(scope="module")
def textures():
    """Pictures with structure everywhere, RGB uint8 (288, 384, 3)."""
    rng = np.random.default_rng(0)
    noise = [cv2.GaussianBlur(rng.normal(128, 400, (288, 384, 3)), (0, 0), 2) for _ in range(6)]
    return [np.clip(array, 0, 255).astype(np.uint8) for array in noise]


@pytest.mark.parametrize("sigma", ["0", "1.0", "2.0"])
@pytest.mark.parametrize("number", [0, 1])
def test_niqe_is_the_published_codes_within_a_hundredth(frames, published, golden, number, sigma):
    image = frames[number] if sigma == "0" else cv2.GaussianBlur(frames[number], (0, 0), float(sigma))
    expected = float(np.load(golden / "niqe.npz")[f"image{number}_blur{sigma}"])
    assert niqe(image, published) == pytest.approx(expected, abs=0.01)


def test_flat_blocks_count_with_the_least_shape_alone(frames, published):
    flat = frames[0].copy()
    flat[:, :250] = (37, 91, 203)
    features = measure(flat).features
    is_flat = np.isnan(features).any(axis=1)
    assert is_flat.sum() == 2 * 2  # of 2 rows of 5
    assert (features[is_flat, 0] == 0.2).all()
    assert math.isfinite(niqe(flat, published))


def test_signs_of_rounding_errors_are_not_counted_on_flat_areas():
    """85 levels of grey are 73 of luma exactly, and no feature depends on the level; errors of rounding do."""
    is_ink = cv2.GaussianBlur(np.random.default_rng(4).normal(size=(288, 288)), (0, 0), 8) > 0
    dark = np.where(is_ink, np.uint8(10), np.uint8(100))[..., None].repeat(3, axis=2)
    assert np.allclose(measure(dark).features, measure(dark + np.uint8(85)).features, rtol=0, atol=1e-6)


def test_the_published_window_is_the_gaussian_that_we_use(peer_weights):
    window = np.load(peer_weights / naturalness.FILE)["gaussian_window"]
    assert np.allclose(window, np.outer(WINDOW_TAPS, WINDOW_TAPS), rtol=0, atol=1e-16)


def test_the_published_model_is_found_in_the_cache(peer_weights, published, tmp_path, monkeypatch, frames):
    shutil.copy(peer_weights / naturalness.FILE, tmp_path / naturalness.FILE)
    monkeypatch.setenv("APISR_CACHE", str(tmp_path))
    naturalness.published.cache_clear()
    assert niqe(frames[1]) == niqe(frames[1], published)
    naturalness.published.cache_clear()


def test_offline_and_absent_it_says_where_to_put_the_model(tmp_path, monkeypatch, frames):
    monkeypatch.setenv("APISR_CACHE", str(tmp_path))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    naturalness.published.cache_clear()
    with pytest.raises(FetchError, match=r"niqe_pris_params.npz is not in .* put https://raw\."):
        niqe(frames[1])


def test_halving_is_an_antialiased_cubic_convolution():
    """Pillow's bicubic has the same a = -1/2 and the same widened support, and leaves out what lies beyond the edge."""
    luma = np.random.default_rng(1).uniform(0, 255, (64, 96))
    pillow = np.asarray(Image.fromarray(luma.astype(np.float32)).resize((48, 32), Image.Resampling.BICUBIC))
    assert np.allclose(halve(luma)[4:-4, 4:-4], pillow[4:-4, 4:-4], atol=1e-3)


def test_halving_mirrors_the_edge():
    row = np.random.default_rng(2).uniform(0, 255, (1, 24))
    mirrored = np.concatenate([row[:, ::-1], row, row[:, ::-1]], axis=1).repeat(48, axis=0)
    assert np.allclose(halve(row.repeat(48, axis=0))[10], halve(mirrored)[10, 12:24])


def test_features_of_a_block_do_not_depend_on_distant_ones(frames):
    whole = measure(frames[1][:192]).features
    part = measure(frames[1][:192, :192]).features
    assert (len(whole), len(part)) == (2 * 5, 2 * 2)
    assert np.allclose(whole[[0, 5]], part[[0, 2]], rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [(95, 400), (96, 96), (400, 20), (1, 1)])
def test_a_picture_of_fewer_than_two_blocks_has_no_niqe(size, published):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert math.isnan(niqe(image, published))


def test_a_flat_picture_has_no_niqe(published):
    assert math.isnan(niqe(np.full((300, 300, 3), 77, np.uint8), published))


def test_pictures_are_nearer_to_their_own_model_than_when_blurred(textures):
    model = fit_niqe(textures[:5])
    plain, blurred = textures[5], cv2.GaussianBlur(textures[5], (0, 0), 2)
    assert niqe(plain, model) < niqe(blurred, model)


def test_a_model_is_the_mean_and_covariance_of_sharp_blocks(textures):
    half_blurred = [np.concatenate([t, cv2.GaussianBlur(t, (0, 0), 6)], axis=1) for t in textures]
    fitted, expected = fit_niqe(iter(half_blurred)), np.concatenate([measure(t).features for t in half_blurred])
    sharp = np.arange(len(expected)).reshape(-1, 8)[:, :4].ravel()  # rows of 8 blocks, 4 of them sharp
    assert np.allclose(fitted.mean, expected[sharp].mean(axis=0))
    assert np.allclose(fitted.covariance, np.cov(expected[sharp].T))


def test_a_model_comes_back_from_its_file(textures, tmp_path):
    model = fit_niqe(textures)
    naturalness.save(model, tmp_path / "own.npz")
    back = naturalness.load(tmp_path / "own.npz")
    assert np.array_equal(back.mean, model.mean)
    assert np.array_equal(back.covariance, model.covariance)
    with np.load(tmp_path / "own.npz") as stored:
        assert {key: stored[key].shape for key in stored} == {
            "mu_pris_param": (1, 36),
            "cov_pris_param": (36, 36),
            "gaussian_window": (7, 7),
        }


def test_too_few_sharp_blocks_are_an_error():
    with pytest.raises(InputError, match="more than 36 sharp blocks of 96 px; 2 pictures have 0"):
        fit_niqe([picture(1), picture(2)])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", None])
def test_a_file_that_holds_no_model_is_named(tmp_path, content):
    path = tmp_path / "model.npz"
    if content is None:
        np.savez(path, mu_pris_param=np.zeros(36), cov_pris_param=np.zeros((4, 4)))
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.npz.* NIQE model"):
        naturalness.load(path)
