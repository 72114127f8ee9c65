import cv2
import numpy as np
import pytest

from apisr_data import video
from apisr_data.thumbnails import difference, grid, phash


@pytest.fixture(scope="module")
def shots(sample):
    """A 256 px thumbnail of each I-frame of the sample."""
    return [frame.rgb((256, 144)) for frame in video.iframes(sample)]


def jpeg(rgb, quality=90):
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].copy()


def hash_distance(a, b):
    return (phash(a) ^ phash(b)).bit_count()


def test_hash_is_the_sign_of_dct_frequencies_against_their_median():
    # only the frequency (1, 1) is present: one bit, the highest
    wave = np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    luma = (128 + 100 * np.outer(wave, wave)).round().astype(np.uint8)
    frequencies = cv2.dct(luma.astype(np.float32))[1:9, 1:9]
    assert np.abs(frequencies[0, 0]) > 100 * np.abs(frequencies.ravel()[1:]).max()
    assert phash(np.dstack([luma] * 3)) >> 63 == 1


def test_flat_pictures_hash_to_zero():
    assert all(phash(np.full((144, 256, 3), level, np.uint8)) == 0 for level in (0, 17, 128, 255))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (2000, 3)])
def test_any_size_has_a_hash_of_64_bits(size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert 0 <= phash(rgb) < 2**64


def test_recompression_rescaling_and_brightness_flip_few_bits(shots):
    pictures = [shot for shot in shots if shot.mean() > 20]  # all but the title on black
    assert max(hash_distance(p, decoded(jpeg(p, 30))) for p in pictures) <= 3
    assert max(hash_distance(p, cv2.resize(p, (160, 90), interpolation=cv2.INTER_CUBIC)) for p in pictures) <= 3
    assert max(hash_distance(p, (p * 0.8 + 20).astype(np.uint8)) for p in pictures) <= 3


def test_different_shots_have_distant_hashes(shots):
    one_of_each = shots[:6]  # the last two show places that were there before
    assert min(hash_distance(a, b) for n, a in enumerate(one_of_each) for b in one_of_each[:n]) >= 18


def test_difference_of_a_changed_block_is_its_mean_change():
    a = np.full((64, 64), 100, np.uint8)
    b = a.copy()
    b[10:12, 20:22] = [[140, 120], [120, 120]]  # mean change 25; the mean of the picture does not move by a level
    assert difference(a, b) == pytest.approx(25, abs=0.1)


def test_difference_ignores_a_small_change_of_brightness_and_counts_the_rest():
    a = np.random.default_rng(0).integers(50, 200, (64, 64), np.uint8)
    assert difference(a, a + 5) == 0
    assert difference(a, a + 20) == 14


def test_difference_of_a_batch_is_that_of_each_pair():
    grids = np.random.default_rng(0).integers(0, 256, (2, 5, 64, 64), np.uint8)
    assert np.array_equal(difference(*grids), [difference(a, b) for a, b in zip(*grids, strict=True)])


def test_a_mouth_differs_more_than_a_recompressed_picture(shots):
    face = shots[1]
    mouth = face.copy()
    mouth[28:32, 124:132] = 60  # 8x4 px of the thumbnail: 60x30 px of a 1080p frame
    recompressed = difference(grid(jpeg(face)), grid(jpeg(decoded(jpeg(face, 30)))))
    assert recompressed < 8
    assert difference(grid(jpeg(face)), grid(jpeg(mouth))) > 2 * recompressed
    assert hash_distance(face, mouth) <= 3  # which the hash does not see


def test_what_is_no_jpeg_is_refused():
    for data in (b"", b"not a picture"):
        with pytest.raises(ValueError, match="not a JPEG"):
            grid(data)
