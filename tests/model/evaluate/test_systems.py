"""Networks, bicubic, and finding the pictures that another system made."""

import cv2
import numpy as np
import pytest

from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import encode_png
from apisr_model.evaluate import systems
from apisr_model.evaluate.samples import Sample
from apisr_model.network import Network
from tests.model.manifests import picture

SAMPLE = Sample(picture(0, (20, 16)))


def network(origin, scale=2):
    def repeat(x):
        return x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

    return Network(repeat, "repeat", scale, origin=origin)


def write(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.full((4, 4, 3), level, np.uint8)))


def test_bicubic_is_opencvs():
    expected = cv2.resize(SAMPLE.low_res, (60, 48), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(systems.bicubic(3).upscale("x", SAMPLE), expected)


def test_a_network_gives_its_picture_and_tells_what_it_is():
    [system] = systems.networks([network("zoo/some name.pth")])
    result = system.upscale("x", SAMPLE)
    assert np.array_equal(result, SAMPLE.low_res.repeat(2, 0).repeat(2, 1))
    assert system.name == "some name"
    assert system.about == "repeat 2x, zoo/some name.pth, fed RGB, float32 on cpu"


def test_files_of_one_name_are_told_apart_by_their_paths():
    names = [system.name for system in systems.networks([network("a/net.pth"), network("b/net.pth"), network("x.pth")])]
    assert names == ["a/net.pth", "b/net.pth", "x"]


def test_one_table_has_one_scale():
    assert systems.common_scale([], None) == 4
    assert systems.common_scale([], 3) == 3
    assert systems.common_scale([network("a"), network("b")], 2) == 2
    with pytest.raises(ConfigError, match="found a 2x, b 4x"):
        systems.common_scale([network("a"), network("b", 4)], None)
    with pytest.raises(ConfigError, match="found a 2x, --scale 4x"):
        systems.common_scale([network("a")], 4)


@pytest.mark.parametrize(
    ("file", "case"),
    [
        ("images/a.jpg.png", "images/a.jpg.tif"),
        ("images/a.png", "images/a.jpg"),
        ("a.webp", "images/a.png"),
        ("a_out.png", "a.png"),
        ("a.apisr.png", "images/a.png"),
        ("x/ä 日-4x.png", "ä 日.png"),
    ],
)
def test_a_result_is_found_by_its_name_whatever_was_added(tmp_path, file, case):
    write(tmp_path / file, 9)
    write(tmp_path / "ab.png", 1)
    assert (systems.results("theirs", tmp_path).upscale(case, SAMPLE) == 9).all()


def test_the_same_path_wins_over_the_same_name_and_that_over_an_addition(tmp_path):
    for file, level in (("one/a.png", 1), ("two/a.png", 2), ("two/a_out.png", 3), ("b.png", 4), ("b_out.png", 5)):
        write(tmp_path / file, level)
    found = systems.results("theirs", tmp_path)
    assert (found.upscale("two/a.png", SAMPLE) == 2).all()
    assert (found.upscale("images/b.png", SAMPLE) == 4).all()


def test_a_missing_or_ambiguous_result_is_named(tmp_path):
    write(tmp_path / "a_1.png", 1)
    write(tmp_path / "a_2.png", 2)
    found = systems.results("theirs", tmp_path)
    with pytest.raises(ImageError, match=r"theirs's result for 'b\.png' was looked for, found none"):
        found.upscale("b.png", SAMPLE)
    with pytest.raises(ImageError, match=r"found 2 that could be meant: a_1\.png, a_2\.png"):
        found.upscale("a.png", SAMPLE)


def test_a_folder_of_results_that_is_not_there_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"theirs=.*: no such folder"):
        systems.results("theirs", tmp_path / "no")
