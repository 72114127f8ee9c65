"""Networks, bicubic, and finding the pictures that another system made."""

import cv2
import numpy as np
import pytest

from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import encode_png
from apisr_model.evaluate import files, systems
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
    assert (systems.results("theirs", tmp_path, [case]).upscale(case, SAMPLE) == 9).all()


def found(folder, case, *others):
    return systems.results("theirs", folder, [case, *others]).upscale(case, SAMPLE)[0, 0, 0]


def test_the_same_path_wins_over_the_same_name_and_that_over_an_addition(tmp_path):
    for file, level in (("one/a.png", 1), ("two/a.png", 2), ("two/a_out.png", 3), ("b.png", 4), ("b_out.png", 5)):
        write(tmp_path / file, level)
    assert found(tmp_path, "two/a.png") == 2
    assert found(tmp_path, "images/b.png") == 4


def test_a_missing_or_ambiguous_result_is_named(tmp_path):
    write(tmp_path / "a_1.png", 1)
    write(tmp_path / "a_2.png", 2)
    with pytest.raises(ImageError, match=r"the result for 'b\.png' was looked for, found none"):
        found(tmp_path, "b.png")
    with pytest.raises(ImageError, match=r"found 2 that could be meant: a_1\.png, a_2\.png"):
        found(tmp_path, "a.png")


@pytest.mark.parametrize(
    ("file", "case", "owner"),
    [
        ("ep1-2.png", "ep1.png", "ep1-2.png"),
        ("ep1-2_out.png", "ep1.png", "ep1-2.png"),
        ("x/ep1-2.png", "ep1.png", "y/ep1-2.png"),
        ("two/a.png", "one/a.png", "two/a.png"),
        ("two/a_4x.png", "one/a.png", "two/a.png"),
        ("a.jpg.png", "a.png", "a.jpg"),
        ("a.jpg", "a.png", "a.jpg"),
    ],
)
def test_what_is_anothers_result_is_not_taken(tmp_path, file, case, owner):
    write(tmp_path / "other.png", 1)
    write(tmp_path / file, 9)
    assert found(tmp_path, owner, case) == 9
    with pytest.raises(ImageError, match=f"'{case}' was looked for, found none"):
        found(tmp_path, case, owner)


def test_a_flat_file_is_no_ones_where_two_pictures_have_its_name(tmp_path):
    write(tmp_path / "a.png", 1)
    for case, other in (("one/a.png", "two/a.png"), ("two/a.png", "one/a.png")):
        with pytest.raises(ImageError, match="found none"):
            found(tmp_path, case, other)


def test_every_case_has_a_path_of_its_own():
    names = ["x/a.png", "x/a.jpg", "a.png", "b.c.png", "../d.png", "/e/f.tif", "x/a.png.png", "g"]
    paths = {name: path.as_posix() for name, path in files.stems(names).items()}
    assert paths == {
        "x/a.png": "x/a.png",
        "x/a.jpg": "x/a.jpg",
        "a.png": "a",
        "b.c.png": "b.c",
        "../d.png": "d",
        "/e/f.tif": "e/f",
        "x/a.png.png": "x/a.png.png",
        "g": "g",
    }
