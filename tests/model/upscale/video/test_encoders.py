import os
import subprocess
import sys
from fractions import Fraction

import pytest

from apisr_data.errors import UsageError
from apisr_model.errors import DeviceError
from apisr_model.upscale.video.encoders import CODECS, Coded, Encoding, available, resolve

FILM = Fraction(24000, 1001)


def resolved(codec="auto", bits=8, chroma="420", **encoding):
    return resolve(Encoding(codec, **encoding), bits=bits, size=(64, 48), frame_rate=FILM, chroma=chroma)


def test_eight_bits_become_h264_and_ten_become_hevc():
    assert (resolved().codec, resolved().pixel_format) == ("h264", "yuv420p")
    assert (resolved(bits=10).codec, resolved(bits=10).pixel_format) == ("hevc", "yuv420p10le")


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_chroma_in_full_stays(codec):
    assert resolved(codec, bits=10, chroma="444").pixel_format == "yuv444p10le"
    assert resolved(codec, bits=10, chroma="444").loss is None


def test_what_an_encoder_cannot_keep_is_told():
    assert "coarser chroma" in resolved("av1", chroma="444").loss
    assert "fewer bits" in resolved("mpeg4", bits=10).loss


def test_quality_goes_by_the_encoders_own_name():
    assert resolved("h264", crf=21).options["crf"] == "21"
    assert resolved("mpeg4", crf=3).options["global_quality"] == str(3 * 118)


def test_the_users_options_win_over_our_defaults():
    options = resolved("h264", crf=21, options={"preset": "veryfast", "crf": "30"}).options
    assert (options["preset"], options["crf"]) == ("veryfast", "30")
    assert resolved("h264", options={"pix_fmt": "yuv444p"}).pixel_format == "yuv444p"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ({"options": {"prest": "slow"}}, "no option 'prest'; near it: preset"),
        ({"options": {"crf": "low"}}, "libx264: .*low"),
        ({"options": {"x264-params": "nonsense=1"}}, "nonsense"),
        ({"codec": "hevc", "options": {"x265-params": "nonsense=1"}}, "nonsense"),
        ({"codec": "av1", "options": {"svtav1-params": "nonsense=1"}}, "nonsense"),
        ({"options": {"pix_fmt": "rgb24"}}, "does not take the pixel format 'rgb24'"),
        ({"codec": "ffv1", "crf": 20}, "ffv1 is lossless"),
    ],
)
def test_an_option_that_the_encoder_does_not_know_is_refused(encoding, said):
    with pytest.raises(UsageError, match=said):
        resolved(**encoding)


@pytest.mark.parametrize("name", ["nonsense", "aac"])
def test_an_unknown_encoder_is_named_with_those_that_are_there(name):
    with pytest.raises(DeviceError, match=f"no video encoder '{name}'; there are h264, hevc, av1, ffv1"):
        resolved(name)


def test_an_encoder_that_does_not_open_here_is_refused_with_the_reason():
    absent = [found for found in available() if found.reason]
    if not absent:
        pytest.skip("every hardware encoder opens here")
    with pytest.raises(DeviceError, match=f"{absent[0].name} cannot be opened here at 64x48"):
        resolved(absent[0].name)


def test_our_own_encoders_are_there_and_open():
    assert {found.name for found in available() if not found.reason} >= set(CODECS.values())


@pytest.mark.parametrize("codec", CODECS)
def test_two_encoders_of_the_same_settings_write_the_same_header(codec):
    encoder = resolved(codec, bits=10)
    coded = Coded((64, 48), Fraction(1, 24000), FILM)
    first, second = encoder.opened(coded), encoder.opened(coded)
    assert first.extradata
    assert first.extradata == second.extradata


def test_encoders_say_nothing_on_the_terminal():
    program = (
        "from fractions import Fraction\nfrom apisr_model.upscale.video.encoders import Encoding, resolve\n"
        f"for codec in {tuple(CODECS)}: resolve(Encoding(codec), bits=8, size=(64, 48), frame_rate=Fraction(24))"
    )  # in a process of its own: SVT-AV1 settles at its first use how much it says
    environment = {key: value for key, value in os.environ.items() if key != "SVT_LOG"}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    assert (told.stdout, told.stderr) == (b"", b"")


@pytest.mark.parametrize(("codec", "worst"), [("h264", 51), ("hevc", 51), ("av1", 63), ("mpeg4", 51)])
def test_a_quality_beyond_the_encoders_scale_is_refused(codec: str, worst: int) -> None:
    resolve(Encoding(codec, crf=worst), bits=8, size=(64, 48), frame_rate=Fraction(24))
    with pytest.raises(UsageError, match=rf"--crf {worst + 1} is beyond its scale, 0 to {worst}"):
        resolve(Encoding(codec, crf=worst + 1), bits=8, size=(64, 48), frame_rate=Fraction(24))
