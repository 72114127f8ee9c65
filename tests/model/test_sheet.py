import numpy as np

from apisr_model.sheet import beside, grid, ink, magnify


def flat(level: int, size: tuple[int, int] = (20, 60)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def test_every_picture_is_on_the_sheet_and_an_empty_place_is_paper() -> None:
    sheet = grid([("one", flat(10)), ("two", flat(20)), ("three", flat(30))], 2)
    for level in (10, 20, 30):
        assert (sheet == level).all(axis=2).sum() >= 20 * 60
    assert sheet.shape[1] == 2 * 60 + 8
    assert (sheet[-20:, -60:] == 255).all()


def test_a_long_label_breaks_into_lines_and_heads_align() -> None:
    sheet = grid([("short", flat(10)), ("a label of many words that are wider than the picture", flat(20))], 2)
    left, right = (int(((sheet == level).all(axis=2).sum(axis=1) >= 60).argmax()) for level in (10, 20))
    assert left == right > 2 * 18
    assert (sheet[:left] < 64).any()


def test_line_breaks_of_a_label_are_kept() -> None:
    one, two = (grid([(text, flat(10))], 1).shape[0] for text in ("a", "a\nb"))
    assert two > one


def test_pictures_beside_each_other_have_paper_between() -> None:
    joined = beside([flat(1), flat(2)], axis=0)
    assert joined.shape == (48, 60, 3)
    assert (joined[20:28] == 255).all()


def test_a_magnified_picture_holds_the_same_pixels() -> None:
    small = np.random.default_rng(0).integers(256, size=(3, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(magnify(small, (20, 12)), small.repeat(4, axis=0).repeat(4, axis=1))
    assert set(map(tuple, magnify(small, (13, 8)).reshape(-1, 3))) == set(map(tuple, small.reshape(-1, 3)))


def test_a_mask_is_black_on_white() -> None:
    np.testing.assert_array_equal(ink(np.array([[True, False]])), [[[0, 0, 0], [255, 255, 255]]])
