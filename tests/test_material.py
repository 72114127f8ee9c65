"""Frames from openly licensed drawings."""

from pathlib import Path

import numpy as np
import pytest
from material.drawings import render, survey
from material.scenes import Stock, compose

COLOURS = ("#d33", "#3a3", "#33d", "#dd3", "#3dd", "#d3d", "#eee")


def drawing(seed: int, colours: tuple[str, ...] = COLOURS) -> str:
    rng = np.random.default_rng(seed)
    discs = "".join(
        f'<circle cx="{x}" cy="{y}" r="14" fill="{colour}" stroke="#111" stroke-width="3"/>'
        for colour, (x, y) in zip(colours, rng.integers(16, 84, (len(colours), 2)), strict=True)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="50mm" height="50mm" viewBox="0 0 100 100">{discs}</svg>'


@pytest.fixture
def clipart(tmp_path: Path) -> Path:
    (tmp_path / "animals").mkdir()
    for number in range(30):
        (tmp_path / "animals" / f"cat {number}.svg").write_text(drawing(number))
    (tmp_path / "animals" / "silhouette of a dog.svg").write_text(drawing(99))
    (tmp_path / "animals" / "shadow.svg").write_text(drawing(1, ("#111",)))
    (tmp_path / "animals" / "broken.svg").write_text("<svg")
    return tmp_path


def test_drawings_are_taken_or_left_out_with_a_reason(clipart: Path) -> None:
    judged = {drawing.path.stem: drawing for drawing in survey(clipart, held_out=0.3, workers=1)}
    assert [judged[f"cat {number}"].reason for number in range(30)] == [""] * 30
    assert judged["silhouette of a dog"].reason == "its name says silhouette"
    assert judged["shadow"].reason.startswith(("paints", "too few colours"))
    assert judged["broken"].reason.startswith("cannot be rendered")


def test_who_is_held_out_depends_on_the_name_alone(clipart: Path) -> None:
    def held_out() -> set[str]:
        return {found.path.stem for found in survey(clipart, held_out=0.3, workers=1) if found.is_held_out}

    before = held_out()
    assert 3 <= len(before) <= 18
    (clipart / "animals" / "another cat.svg").write_text(drawing(50))
    assert held_out() - {"another cat"} == before


def test_a_frame_repeats_and_shows_only_what_it_was_given(clipart: Path) -> None:
    cats = tuple(sorted((clipart / "animals").glob("cat *.svg")))
    stock = Stock(cats[:5], (1.0,) * 5, (), ())
    rgb, used = compose(stock, 3, (320, 180))
    assert (rgb.shape, rgb.dtype) == ((180, 320, 3), np.uint8)
    assert set(used) <= {cat.name for cat in cats[:5]}
    assert np.array_equal(rgb, compose(stock, 3, (320, 180))[0])
    assert not np.array_equal(rgb, compose(stock, 4, (320, 180))[0])
    assert rgb.std() > 20


def test_a_rendering_is_cut_to_what_is_painted(clipart: Path) -> None:
    rgba = render(clipart / "animals" / "cat 1.svg", height=200)
    assert rgba.shape[2] == 4
    assert all(rgba[edge, :, 3].any() for edge in (0, -1))
