"""What the page of an evaluation holds."""

import base64
import html
import io
import math
import re

import numpy as np
from PIL import Image

from apisr_model.degradations import resize
from apisr_model.degrade import Drawn
from apisr_model.evaluate import page
from apisr_model.evaluate.samples import Sample
from apisr_model.evaluate.scoring import Score, Summary
from apisr_model.evaluate.systems import System
from apisr_model.metrics import METRICS
from tests.model.manifests import picture

SYSTEMS = [System("bicubic", "2x", lambda *_: picture(0)), System("<b>&", "weights <i>", lambda *_: picture(0))]
CHOSEN = [METRICS["psnr"], METRICS["niqe"]]
MEANS = [Summary("bicubic", {"psnr": 30.0, "niqe": math.nan}), Summary("<b>&", {"psnr": 31.5, "niqe": 5.0})]


def render(reference=None):
    shown = page.Shown(
        Sample(picture(0), reference, Drawn(steps=(resize.Resize(kernel="area", factor=0.5),))),
        {"<b>&": picture(0).repeat(2, 0).repeat(2, 1)},
    )
    scores = [Score("a.png", "<b>&", {"psnr": 31.5, "niqe": 5.0})]
    return page.render("Evaluation of <x>", SYSTEMS, CHOSEN, MEANS, {"a.png": shown}, scores)


def test_the_best_of_each_column_stands_out_and_what_is_not_known_is_empty():
    text = render()
    assert "<td>bicubic</td><td>30.000</td><td></td>" in text
    assert "<td class=best>31.500</td><td class=best>5.000</td>" in text
    assert "<th>psnr ↑</th><th>niqe ↓</th>" in text


def test_it_says_what_spoiled_a_picture():
    assert "resize 0.500 area" in render()


def test_names_are_text_and_nothing_else():
    text = render()
    assert "Evaluation of &lt;x&gt;" in text
    assert "&lt;b&gt;&amp;" in text
    assert not re.search(r"<[bx]>|<i>", text)


def places(text):
    found = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', text)
    return [(html.unescape(label), np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))) for label, png in found]


def test_the_same_places_are_cut_from_every_system_and_the_ground_truth():
    twice = picture(0).repeat(2, 0).repeat(2, 1)
    assert {label for label, _ in places(render())} == {"input", "<b>&"}
    (first, low_res), (second, result), (third, truth) = places(render(twice))[:3]
    assert (first, second, third) == ("input", "<b>&", "ground truth")
    assert np.array_equal(result, truth)
    assert np.array_equal(result, low_res.repeat(2, 0).repeat(2, 1))


def test_every_picture_is_listed_with_its_source_its_scores_or_its_reason():
    scores = [
        Score("a.png", "<b>&", {"psnr": 31.5, "niqe": 5.0}, source="frame 1 of 9 of <clip>"),
        Score("b.png", "<b>&", error="b.png: damaged & <gone>"),
    ]
    text = page.render("x", SYSTEMS, CHOSEN, MEANS, {}, scores)
    assert "2 pictures, each with its scores" in text
    assert "frame 1 of 9 of &lt;clip&gt;" in text
    assert "b.png: damaged &amp; &lt;gone&gt;" in text


def test_it_needs_nothing_from_elsewhere():
    assert "http" not in render()
