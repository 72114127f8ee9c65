import io
import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from apisr_data import colour
from apisr_data.colour import Colour
from apisr_data.errors import ColourError, UsageError

# (kr, kb) of the standards: ITU-R BT.601-7, BT.709-6, BT.2020-2.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@dataclass
class Info:
    path: Path = Path("episode.mkv")
    codec: str = "h264"
    height: int = 1080
    pixel_format: str = "yuv420p"
    colorspace: int = 2
    color_range: int = 0
    color_primaries: int = 2
    color_trc: int = 2


def make_colour(matrix="bt709", colour_range="limited", siting="left"):
    return Colour(matrix, colour_range, None, None, siting, "tag")


def make_frame(pixel_format, width, height, planes):
    """A frame whose planes hold `planes`, arrays that broadcast to each."""
    frame = av.VideoFrame(width, height, pixel_format)
    word = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    for plane, samples in zip(frame.planes, planes, strict=True):
        view = np.frombuffer(plane, word).reshape(plane.height, -1)
        view[:] = 77  # padding that must never show
        view[:, : plane.width] = samples
    return frame


def to_yuv(rgb, matrix, colour_range, depth):
    """RGB 0..255 (n, 3) -> the nearest codes (n, 3), by the definition in the standards."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = np.moveaxis(np.asarray(rgb) / 255, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    unit, top = 2 ** (depth - 8), 2**depth - 1
    if colour_range == "limited":
        codes = [(16 + 219 * luma) * unit, (128 + 224 * u) * unit, (128 + 224 * v) * unit]
    else:
        codes = [luma * top, u * top + 128 * unit, v * top + 128 * unit]
    return np.clip(np.rint(np.stack(codes, -1)), 0, top).astype(int)


def from_yuv(codes, matrix, colour_range, depth):
    """Codes (..., 3) -> RGB 0..255, unrounded."""
    kr, kb = WEIGHTS[matrix]
    luma, u, v = np.moveaxis(np.asarray(codes, float), -1, 0)
    unit, top = 2 ** (depth - 8), 2**depth - 1
    if colour_range == "limited":
        luma, u, v = (luma / unit - 16) / 219, (u / unit - 128) / 224, (v / unit - 128) / 224
    else:
        luma, u, v = luma / top, (u - 128 * unit) / top, (v - 128 * unit) / top
    red, blue = luma + 2 * (1 - kr) * v, luma + 2 * (1 - kb) * u
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(255 * np.stack([red, green, blue], -1), 0, 255)


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "yuv420p12le"])
def test_constant_colours_are_within_one_level_of_the_closed_form(pixel_format, colour_range, matrix):
    rgb = np.random.default_rng(1).integers(0, 256, (8, 8, 3))
    rgb[0, :4] = [(200, 50, 50), (255, 255, 255), (0, 0, 0), (0, 255, 0)]
    depth = av.VideoFormat(pixel_format).components[0].bits
    codes = to_yuv(rgb, matrix, colour_range, depth)
    patches = codes.repeat(16, 0).repeat(16, 1)
    across, down = (1 if "444" in pixel_format else 2), (2 if "420" in pixel_format else 1)
    planes = [patches[..., 0], patches[::down, ::across, 1], patches[::down, ::across, 2]]
    picture = colour.to_rgb(make_frame(pixel_format, 128, 128, planes), make_colour(matrix, colour_range))
    difference = picture[8::16, 8::16] - from_yuv(codes, matrix, colour_range, depth)
    assert np.abs(difference).max() < 0.6
    assert np.abs(picture[8::16, 8::16].astype(int) - rgb).max() <= (1 if depth > 8 else 3)


def test_bt709_red_comes_back():
    codes = to_yuv([(200, 50, 50)], "bt709", "limited", 8)[0]
    frame = make_frame("yuv420p", 64, 64, codes)
    assert colour.to_rgb(frame, make_colour("bt709"))[32, 32].tolist() == [200, 50, 50]
    assert np.abs(colour.to_rgb(frame, make_colour("bt601"))[32, 32].astype(int) - (186, 32, 50)).max() <= 2


def test_the_frame_s_own_tags_do_not_override_the_colour():
    codes = to_yuv([(200, 50, 50)], "bt709", "limited", 8)[0]
    frame = make_frame("yuv420p", 64, 64, codes)
    frame.colorspace, frame.color_range = 5, 2
    assert colour.to_rgb(frame, make_colour("bt709"))[32, 32].tolist() == [200, 50, 50]
    assert (frame.colorspace, frame.color_range) == (5, 2)


@pytest.mark.parametrize(("siting", "x", "y"), [("left", 0, 0.5), ("center", 0.5, 0.5), ("topleft", 0, 0)])
def test_chroma_is_interpolated_from_where_its_samples_stand(siting, x, y):
    size, slope = 96, 2.0
    samples = np.arange(size // 2)
    for axis, offset in ((1, x), (0, y)):
        ramp = np.broadcast_to(80 + slope * samples, (size // 2, size // 2))
        frame = make_frame("yuv420p", size, size, [90, 128, ramp if axis else ramp.T])
        picture = colour.to_rgb(frame, make_colour(siting=siting))
        # The k-th chroma sample of the ramp stands at luma position 2k + offset.
        chroma = 80 + slope * (np.arange(size) - offset) / 2
        expected = from_yuv(np.stack([np.full(size, 90.0), np.full(size, 128.0), chroma], -1), "bt709", "limited", 8)
        line = picture[:, 40] if axis == 0 else picture[40]
        error = (line - expected)[8:-8, 0]
        assert np.abs(error).max() < 1.0
        assert abs(error.mean()) < 0.2  # a quarter of a sample off would be 0.9


def encode_interlaced(frame):
    """The frame through MPEG-2 with interlaced tools, at the least quantiser."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("mpeg2video", rate=25, width=frame.width, height=frame.height, pix_fmt="yuv420p")
        stream.options = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "1"}
        container.mux([*stream.encode(frame), *stream.encode()])
    buffer.seek(0)
    with av.open(buffer) as container:
        return next(container.decode(video=0))


def test_interlaced_chroma_stays_within_its_field():
    fields = np.where(np.arange(32) % 2, 170, 110)[:, None]
    frame = make_frame("yuv420p", 64, 64, [90, 128, fields])
    blended = colour.to_rgb(frame, make_colour())[20:28, 30, 0]
    interlaced = encode_interlaced(frame)
    assert interlaced.interlaced_frame
    woven = colour.to_rgb(interlaced, make_colour())[20:28, 30, 0]
    expected = from_yuv([(90, 128, 110), (90, 128, 170)], "bt709", "limited", 8)[:, 0]
    assert np.abs(woven - np.tile(expected, 4)).max() <= 2
    assert np.ptp(blended) < np.ptp(woven)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (17, 16), (63, 65), (1366, 769)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuva420p", "gray"])
def test_odd_sizes_show_no_padding(pixel_format, width, height):
    components = av.VideoFormat(pixel_format).components
    unit = 2 ** (components[0].bits - 8)
    levels = [126 * unit, 128 * unit, 128 * unit, 255][: len(components)]
    frame = make_frame(pixel_format, width, height, levels)
    picture, luma = colour.to_rgb(frame, make_colour()), colour.to_luma(frame, make_colour())
    assert picture.shape == (height, width, 3)
    assert luma.shape == (height, width)
    assert set(np.unique(picture)) | set(np.unique(luma)) == {round((126 - 16) * 255 / 219)}
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "gray", "gray10le", "yuv420p10le", "yuv420p10be", "nv12"])
def test_luma_is_the_plane_at_full_range(pixel_format, colour_range):
    described = av.VideoFormat(pixel_format)
    depth = described.components[0].bits
    ramp = np.linspace(0, 2**depth - 1, 300).astype(np.uint16)
    samples = ramp.byteswap() if described.is_big_endian else ramp
    frame = make_frame(pixel_format, 300, 4, [samples] + [1] * (len(av.VideoFrame(2, 2, pixel_format).planes) - 1))
    luma = colour.to_luma(frame, make_colour(colour_range=colour_range))
    limited = (ramp / 2 ** (depth - 8) - 16) / 219
    expected = 255 * np.clip(limited if colour_range == "limited" else ramp / (2**depth - 1), 0, 1)
    assert np.abs(luma - expected).max() <= 0.5
    assert luma.dtype == np.uint8


@pytest.mark.parametrize("pixel_format", ["yuyv422", "p010le", "pal8", "bgra", "rgb24", "gbrp", "gbrp10le", "monob"])
def test_luma_of_other_layouts_agrees_with_their_rgb(pixel_format):
    frame = av.VideoFrame(66, 34, pixel_format)
    rng = np.random.default_rng(3)
    for plane in frame.planes:
        samples = rng.integers(96, 160, plane.buffer_size, np.uint8)
        samples[1::2] &= 0x03 if "10" in pixel_format and pixel_format != "p010le" else 0xFF
        np.frombuffer(plane, np.uint8)[:] = samples
    described = make_colour("rgb", "full") if not av.VideoFormat(pixel_format).components[0].is_luma else make_colour()
    picture, luma = colour.to_rgb(frame, described), colour.to_luma(frame, described)
    assert np.abs(picture @ np.array([0.2126, 0.7152, 0.0722]) - luma).max() <= 0.51


def test_ten_bit_rgb_is_rounded_not_cut():
    ramp = np.linspace(0, 1023, 256).astype(np.uint16)
    picture = colour.to_rgb(make_frame("gbrp10le", 256, 4, [ramp] * 3), make_colour("rgb", "full"))
    assert np.abs(picture[2, :, 0] - ramp * (255 / 1023)).max() <= 0.51


@pytest.mark.parametrize(
    ("coded", "aspect", "rotation", "displayed"),
    [
        ((720, 480), Fraction(32, 27), 0, (853, 480)),
        ((720, 480), Fraction(8, 9), 0, (720, 540)),
        ((1440, 1080), Fraction(4, 3), 90, (1080, 1920)),
        ((1920, 1080), Fraction(1), 180, (1920, 1080)),
        ((1918, 1080), Fraction(960, 959), 0, (1918, 1080)),  # the rounding of an encoder
        ((1920, 1080), Fraction(0), 270, (1080, 1920)),
        ((1920, 1080), Fraction(1000), 0, (1920, 1080)),  # damage
    ],
)
def test_displayed_size(coded, aspect, rotation, displayed):
    assert colour.displayed_size(*coded, aspect, rotation) == displayed
    frame = make_frame("yuv420p", *coded, [60, 128, 128])
    picture = colour.to_rgb(frame, make_colour(), rotation=rotation, sample_aspect_ratio=aspect)
    assert picture.shape == (displayed[1], displayed[0], 3)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_clockwise(rotation):
    quarters = np.array([[16, 60], [110, 200]]).repeat(16, 0).repeat(16, 1)
    frame = make_frame("yuv420p", 32, 32, [quarters, 128, 128])
    upright = colour.to_rgb(frame, make_colour())
    turned = colour.to_rgb(frame, make_colour(), rotation=rotation)
    corners = [(4, 4), (4, 27), (27, 27), (27, 4)]  # clockwise from the top left
    steps = rotation // 90
    for index, corner in enumerate(corners):
        assert turned[corners[(index + steps) % 4]].tolist() == upright[corner].tolist()


def test_a_small_picture_is_the_average_of_its_pixels():
    rng = np.random.default_rng(5)
    samples = rng.integers(16, 236, (256, 512))
    frame = make_frame("yuv420p", 512, 256, [samples, 128, 128])
    small = colour.to_rgb(frame, make_colour(), size=(64, 32))
    means = samples.reshape(32, 8, 64, 8).mean((1, 3))
    assert small.shape == (32, 64, 3)
    assert np.abs(small[..., 1] - (means - 16) * 255 / 219).max() < 1.5
    turned = colour.to_rgb(frame, make_colour(), size=(32, 64), rotation=90)
    assert np.array_equal(turned, np.rot90(small, -1))


def test_one_converter_serves_frames_one_after_another():
    first = make_frame("yuv420p", 64, 64, [50, 128, 128])
    second = make_frame("yuv420p", 64, 64, [200, 128, 128])
    levels = [int(colour.to_rgb(frame, make_colour())[9, 9, 0]) for frame in (first, second, first)]
    assert levels == [round((v - 16) * 255 / 219) for v in (50, 200, 50)]


def test_an_untagged_stream_is_bt709_from_720_lines_up():
    assert [(c.matrix, c.source) for c in (colour.describe(Info(height=h)) for h in (480, 719, 720, 1080))] == [
        ("bt601", "guess"),
        ("bt601", "guess"),
        ("bt709", "guess"),
        ("bt709", "guess"),
    ]


@pytest.mark.parametrize(("code", "matrix"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (9, "bt2020")])
def test_a_tag_wins_over_the_height(code, matrix):
    for height in (480, 1080):
        described = colour.describe(Info(height=height, colorspace=code))
        assert (described.matrix, described.source) == (matrix, "tag")


def test_an_assumed_matrix_replaces_a_guess_but_never_a_tag(caplog):
    assert colour.describe(Info(), "bt601") == Colour("bt601", "limited", None, None, "left", "user")
    with caplog.at_level(logging.WARNING):
        assert colour.describe(Info(colorspace=1), "bt601").source == "tag"
    assert "episode.mkv" in caplog.text
    with pytest.raises(UsageError, match="bt709, bt601, bt2020"):
        colour.describe(Info(), "bt1886")


@pytest.mark.parametrize(
    ("info", "colour_range"),
    [
        (Info(), "limited"),
        (Info(color_range=2), "full"),
        (Info(pixel_format="yuvj420p"), "full"),
        (Info(pixel_format="gbrp"), "full"),
        (Info(pixel_format="gray"), "limited"),
    ],
)
def test_range_is_the_tag_or_the_pixel_format(info, colour_range):
    assert colour.describe(info).range == colour_range


def test_rgb_needs_no_matrix():
    assert colour.describe(Info(pixel_format="gbrp", colorspace=0)).matrix == "rgb"
    assert colour.describe(Info(pixel_format="yuv444p", colorspace=0)).matrix == "bt709"


@pytest.mark.parametrize(
    ("info", "siting"),
    [
        (Info(), "left"),
        (Info(codec="mpeg2video"), "left"),
        (Info(codec="mpeg1video"), "center"),
        (Info(codec="mjpeg", pixel_format="yuvj420p"), "center"),
        (Info(codec="hevc", colorspace=9), "topleft"),
    ],
)
def test_siting_is_the_codec_s_convention(info, siting):
    assert colour.describe(info).siting == siting


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (Info(color_trc=16), "smpte2084"),
        (Info(color_trc=18), "arib-std-b67"),
        (Info(colorspace=8), "YCgCo"),
        (Info(colorspace=14), "ICtCp"),
        (Info(pixel_format="xyz12le"), "XYZ"),
    ],
)
def test_colour_that_cannot_be_converted_faithfully_is_refused_by_name(info, name):
    with pytest.raises(ColourError, match=rf"episode\.mkv: .*{name}"):
        colour.describe(info)


def read_planes(frame):
    """The samples of each plane, (h, w), without padding."""
    word = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [np.frombuffer(p, word).reshape(p.height, -1)[:, : p.width].astype(int) for p in frame.planes]


FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"]


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_frame_of_constant_colours_is_the_nearest_code_of_the_closed_form(bits, pixel_format, colour_range, matrix):
    top = 255 if bits == 8 else 65535
    rgb = np.random.default_rng(2).integers(0, top + 1, (6, 6, 3))
    rgb[0, :4] = [(0, 0, 0), (top, top, top), (top, 0, 0), (0, 0, top)]
    patches = rgb.repeat(16, 0).repeat(16, 1).astype(np.uint8 if bits == 8 else np.uint16)
    frame = colour.to_frame(patches, make_colour(matrix, colour_range), pixel_format)
    expected = to_yuv(rgb * 255 / top, matrix, colour_range, frame.format.components[0].bits)
    for channel, plane in enumerate(read_planes(frame)):
        down, across = 96 // plane.shape[0], 96 // plane.shape[1]
        found = plane[8 // down :: 16 // down, 8 // across :: 16 // across]
        assert np.abs(found - expected[..., channel]).max() == 0


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_frame_to_rgb_and_back_changes_no_luma_by_more_than_rounding(pixel_format, colour_range, matrix):
    depth = av.VideoFormat(pixel_format).components[0].bits
    rng, unit = np.random.default_rng(4), 2 ** (depth - 8)
    luma = rng.integers(70 * unit, 180 * unit, (90, 130))
    across, down = (1 if "444" in pixel_format else 2), (2 if "420" in pixel_format else 1)
    waves = np.sin(np.arange(130) / 20)[::across] * np.cos(np.arange(90) / 15)[::down, None]
    blue, red = (np.rint((128 + swing * waves) * unit).astype(int) for swing in (20, -15))
    frame = make_frame(pixel_format, 130, 90, [luma, blue, red])
    described = make_colour(matrix, colour_range)
    for bits in (8, 16):
        back = read_planes(colour.to_frame(colour.to_rgb(frame, described, bits=bits), described, pixel_format))
        most = 1 if bits == 16 or depth == 8 else 2 * unit
        assert np.abs(back[0] - luma).max() <= most
        assert max(np.abs(back[1] - blue).max(), np.abs(back[2] - red).max()) <= max(most, unit // 8)


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("colour_range", ["limited", "full"])
@pytest.mark.parametrize(
    "pixel_format", [*FORMATS, "gray", "gray10le", "p010le", "nv12", "gbrp", "gbrp10le", "gbrp16le"]
)
def test_sixteen_bits_reach_from_black_to_white(pixel_format, colour_range, matrix):
    described = av.VideoFormat(pixel_format)
    depth, is_rgb = described.components[0].bits, described.is_rgb
    levels = np.array([0, 77, 128, 255])
    codes = to_yuv(np.stack([levels] * 3, -1), matrix, "full" if is_rgb else colour_range, depth)[:, 0]
    shift = 6 if pixel_format == "p010le" else 0
    for code in codes:
        frame = av.VideoFrame(32, 32, pixel_format)
        for number, plane in enumerate(frame.planes):
            word = np.uint8 if depth == 8 else np.uint16
            np.frombuffer(plane, word)[:] = (code if number == 0 or is_rgb else 2 ** (depth - 1)) << shift
        how = make_colour("rgb", "full") if is_rgb else make_colour(matrix, colour_range)
        picture = colour.to_rgb(frame, how, bits=16)
        grey = codes_to_grey(code, "full" if is_rgb else colour_range, depth)
        assert (picture.dtype, picture.shape) == (np.uint16, (32, 32, 3))
        assert np.abs(picture.astype(int) - 65535 * grey).max() <= 8  # 1/8000 of the whole
    assert picture.max() == 65535 == picture.min()


def codes_to_grey(code, colour_range, depth):
    unit = 2 ** (depth - 8)
    return (code / unit - 16) / 219 if colour_range == "limited" else code / (2**depth - 1)


@pytest.mark.parametrize(
    ("pixel_format", "depth"), [("nv12", 8), ("p010le", 10), ("yuyv422", 8), ("yuva420p", 8), ("yuv420p10be", 10)]
)
def test_other_layouts_hold_the_same_samples(pixel_format, depth):
    rgb = np.random.default_rng(6).integers(0, 256, (34, 66, 3), np.uint8)
    planar = {8: "yuv422p" if "422" in pixel_format else "yuv420p", 10: "yuv420p10le"}[depth]
    frame = colour.to_frame(rgb, make_colour(), pixel_format)
    assert frame.format.name == pixel_format
    expected = read_planes(colour.to_frame(rgb, make_colour(), planar))
    for found, plane in zip(read_planes(frame.reformat(format=planar, threads=1)), expected, strict=True):
        assert np.array_equal(found, plane)
    assert frame.colorspace == 1


@pytest.mark.parametrize("pixel_format", ["gbrp", "rgb24", "bgr0", "gbrp10le", "gbrp16le"])
def test_rgb_formats_hold_the_picture_itself(pixel_format):
    deep = "le" in pixel_format
    rgb = np.random.default_rng(7).integers(0, 65536 if deep else 256, (34, 66, 3), np.uint16 if deep else np.uint8)
    frame = colour.to_frame(rgb, make_colour("bt601"), pixel_format)
    assert (frame.colorspace, frame.color_range) == (0, 2)
    back = colour.to_rgb(frame, make_colour("rgb", "full"), bits=16 if deep else 8)
    assert np.abs(back.astype(int) - rgb).max() <= (64 if pixel_format == "gbrp10le" else 0)  # one code of ten bits


def test_rgb_becomes_bt709_as_ycbcr():
    frame = colour.to_frame(np.full((16, 16, 3), (200, 50, 50), np.uint8), make_colour("rgb", "full"), "yuv420p")
    assert [int(plane[8 // s, 8 // s]) for plane, s in zip(read_planes(frame), (1, 2, 2), strict=True)] == list(
        to_yuv([(200, 50, 50)], "bt709", "limited", 8)[0]
    )
    assert (frame.colorspace, frame.color_range) == (1, 1)


@pytest.mark.parametrize(("siting", "x", "y"), [("left", 0, 0.5), ("center", 0.5, 0.5), ("topleft", 0, 0)])
def test_chroma_is_taken_from_where_its_samples_stand(siting, x, y):
    size = 96
    for axis, offset in ((1, x), (0, y)):
        chroma = 80 + np.arange(size)  # Cr along one axis, at every luma sample
        ramp = from_yuv(np.stack([np.full(size, 120.0), np.full(size, 128.0), chroma / 2 + 40], -1), "bt709", "full", 8)
        line = np.rint(ramp * 257).astype(np.uint16)
        picture = np.broadcast_to(line[None] if axis else line[:, None], (size, size, 3))
        frame = colour.to_frame(np.ascontiguousarray(picture), make_colour("bt709", "full", siting), "yuv420p10le")
        plane = read_planes(frame)[2]
        found = (plane[20] if axis else plane[:, 20])[4:-4]
        at = 2 * np.arange(size // 2)[4:-4] + offset
        expected = ((80 + at) / 2 + 40 - 128) * 1023 / 255 + 512
        assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 16), (63, 65), (130, 129)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "gbrp", "nv12"])
def test_odd_sizes_come_back(pixel_format, size):
    width, height = size
    rgb = np.full((height, width, 3), (90, 120, 60), np.uint8)
    frame = colour.to_frame(rgb, make_colour(), pixel_format)
    assert (frame.width, frame.height) == size
    described = make_colour("rgb", "full") if pixel_format == "gbrp" else make_colour()
    assert np.abs(colour.to_rgb(frame, described).astype(int) - rgb).max() <= 2


def test_a_subsampling_that_is_not_written_is_named():
    with pytest.raises(ValueError, match="yuv410p: only 4:2:0"):
        colour.to_frame(np.zeros((8, 8, 3), np.uint8), make_colour(), "yuv410p")


@pytest.mark.parametrize(
    ("info", "codes"),
    [
        (Info(height=480), (6, 1, 6, 6)),  # untagged: what a player takes 480 lines for, whatever they become
        (Info(height=576), (5, 1, 5, 6)),
        (Info(height=1080), (1, 1, 1, 1)),
        (Info(height=480, colorspace=1), (1, 1, 1, 1)),
        (Info(height=480, colorspace=6, color_primaries=1, color_trc=1), (6, 1, 1, 1)),
        (Info(height=480, colorspace=5), (5, 1, 5, 6)),
        (Info(colorspace=9, color_primaries=9, color_trc=14, color_range=2), (9, 2, 9, 14)),
        (Info(pixel_format="gbrp"), (0, 2, 1, 13)),
    ],
)
def test_an_output_is_tagged_with_what_the_source_was_read_as(info, codes):
    described = colour.describe(info)
    assert described.codes == codes
    frame = colour.to_frame(np.zeros((4, 4, 3), np.uint8), described, info.pixel_format)
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == codes
