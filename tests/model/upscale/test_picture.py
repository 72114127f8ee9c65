import io
import logging
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from apisr_data.errors import ConfigError, ImageError
from apisr_model.upscale import picture_formats
from apisr_model.upscale.picture import Picture, identify, read
from apisr_model.upscale.picture_formats import FORMATS, format_after, format_named, write

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (13, 21, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (13, 21, 3), np.uint16)
ALPHA = RNG.integers(0, 256, (13, 21), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x8298] = "mine"
    exif[0x0132] = "2001:02:03 04:05:06"
    exif.get_ifd(0x8769)[0x9003] = "1999:01:01 00:00:00"
    return exif


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
@pytest.mark.parametrize(
    ("colour", "alpha"),
    [(RGB, None), (RGB, ALPHA), (RGB[..., 0], None), (RGB[..., 0], ALPHA), (RGB[:1, :1], None)],
    ids=["RGB", "RGBA", "grey", "grey and alpha", "one pixel"],
)
def test_lossless_formats_give_back_every_level(
    tmp_path: Path, suffix: str, colour: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> None:
    write(Picture(colour, alpha), path := tmp_path / f"画 1{suffix}", format_named(suffix))
    found = read(path)
    expected = colour if found.is_grey or colour.ndim == 3 else colour[..., None].repeat(3, 2)
    if alpha is not None and suffix == ".webp":  # the encoder does not keep what nobody sees
        expected, found_colour = expected * (alpha > 0)[..., None], found.colour * (alpha > 0)[..., None]
        assert np.array_equal(found_colour, expected)
    else:
        assert np.array_equal(found.colour, expected)
    assert (found.alpha is None) if alpha is None else np.array_equal(found.alpha, alpha)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize(
    ("colour", "alpha"),
    [(DEEP, None), (DEEP, DEEP[..., 1]), (DEEP[..., 0], None)],
    ids=["RGB", "RGBA", "grey"],
)
def test_sixteen_bits_come_back_whole(
    tmp_path: Path, suffix: str, colour: NDArray[np.uint16], alpha: NDArray[np.uint16] | None
) -> None:
    write(Picture(colour, alpha), path := tmp_path / f"x{suffix}", format_named(suffix))
    found = read(path)
    assert np.array_equal(found.colour, colour)
    assert (found.alpha is None) if alpha is None else np.array_equal(found.alpha, alpha)


def test_sixteen_bit_grey_with_alpha_is_read_as_grey(tmp_path: Path) -> None:
    write(Picture(DEEP[..., 0], DEEP[..., 1]), path := tmp_path / "x.png", format_named("png"))
    found = read(path)
    assert np.array_equal(found.colour, DEEP[..., 0][..., None].repeat(3, 2))  # stored as RGBA
    assert np.array_equal(found.alpha, DEEP[..., 1])


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_tiff_of_sixteen_bit_grey_with_alpha_is_read_though_pillow_cannot(
    tmp_path: Path, photometric: str, planes: str, orientation: int
) -> None:
    colour, alpha = DEEP[..., 0], DEEP[..., 1]
    stored = np.stack([colour if photometric == "minisblack" else 65535 - colour, alpha], 2)
    tifffile.imwrite(
        path := tmp_path / "x.tif",
        stored if planes == "contig" else np.moveaxis(stored, 2, 0),
        photometric=photometric,
        planarconfig=planes,
        extrasamples=("unassalpha",),
        extratags=[(0x0112, "H", 1, orientation, True), (0x013B, "s", 0, "A. Artist", True)],
    )
    found = read(path)
    turned = (lambda a: a) if orientation == 1 else (lambda a: np.rot90(a, -1))
    assert (identify(path), found.exif[0x013B]) == ("TIFF", "A. Artist")
    assert np.array_equal(found.colour, turned(colour))
    assert np.array_equal(found.alpha, turned(alpha))
    write(found, again := tmp_path / "y.tif", format_named("tiff"))
    assert np.array_equal(read(again).alpha, found.alpha)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match=r"x\.tif: "):
        read(path)


@pytest.mark.parametrize("with_alpha", [False, True], ids=["RGB", "RGBA"])
def test_sixteen_bit_channels_stored_apart_come_back_whole(tmp_path: Path, with_alpha: bool) -> None:
    planes = np.moveaxis(np.concatenate([DEEP, DEEP[..., :1]], axis=2) if with_alpha else DEEP, 2, 0)
    extra = {"extrasamples": ["unassalpha"]} if with_alpha else {}
    tifffile.imwrite(tmp_path / "x.tif", planes, photometric="rgb", planarconfig="separate", **extra)
    found = read(tmp_path / "x.tif")
    assert np.array_equal(found.colour, DEEP)
    assert (found.alpha is None) if not with_alpha else np.array_equal(found.alpha, DEEP[..., 0])


def test_sixteen_bits_whose_zero_is_white_are_turned_to_light(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP[..., 0], photometric="miniswhite")
    assert np.array_equal(read(tmp_path / "x.tif").colour, 65535 - DEEP[..., 0])


@pytest.mark.parametrize("is_grey", [True, False], ids=["grey", "RGB"])
def test_a_clear_colour_of_sixteen_bits_is_transparent(tmp_path: Path, is_grey: bool) -> None:
    stored, clear = (DEEP[..., 0], DEEP[0, 0, :1]) if is_grey else (DEEP, DEEP[0, 0])
    data = cv2.imencode(".png", stored if is_grey else np.ascontiguousarray(stored[..., ::-1]))[1].tobytes()
    (tmp_path / "x.png").write_bytes(_with_chunk(data, b"tRNS", clear.astype(">u2").tobytes()))
    found = read(tmp_path / "x.png")
    assert np.array_equal(found.colour, stored)
    is_clear = stored == clear if is_grey else (stored == clear).all(2)
    assert np.array_equal(found.alpha, np.where(is_clear, 0, 65535))


@pytest.mark.parametrize("is_deep", [False, True], ids=["8 bits", "16 bits"])
def test_premultiplied_colour_is_divided_by_its_alpha(tmp_path: Path, is_deep: bool) -> None:
    top = 65535 if is_deep else 255
    pixels = np.array([[[top // 5, top // 10, 0, top // 5]]], np.uint16 if is_deep else np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    found = read(tmp_path / "x.tif")
    assert np.abs(found.colour[0, 0].astype(int) - (top, top // 2, 0)).max() <= top // 100
    assert found.alpha is not None
    assert found.alpha[0, 0] == top // 5


def test_one_bit_is_grey(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0] > 127).save(tmp_path / "x.png")
    assert np.array_equal(read(tmp_path / "x.png").colour, (RGB[..., 0] > 127) * np.uint8(255))


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_palette_with_a_clear_entry_has_alpha(tmp_path: Path, suffix: str) -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    palette.putpalette([9, 9, 9, 200, 100, 50] + [0] * 762)
    palette.save(tmp_path / f"x{suffix}", transparency=0)
    found = read(tmp_path / f"x{suffix}")
    assert found.colour[0, 1].tolist() == [200, 100, 50]
    assert found.alpha is not None
    assert found.alpha.tolist() == [[0, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "name", ["x.jpg", "x.png", "x.tif", "deep.png", "x.webp", "deep.tif", "deep grey.tif", "deep planes.tif"]
)
def test_a_turned_picture_is_upright_and_no_longer_says_that_it_is_turned(
    tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / name
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = (255, 0, 0)  # one corner tells where row 0 and column 0 are
    if name == "deep.png":
        data, chunk = cv2.imencode(".png", stored[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), exif.tobytes()[6:]
        path.write_bytes(_with_chunk(data, b"eXIf", chunk))
    elif name.startswith("deep"):
        deep, turned = stored.astype(np.uint16) * 257, [(0x0112, "H", 1, orientation, True)]
        if name == "deep grey.tif":
            tifffile.imwrite(path, deep[..., 0], photometric="minisblack", extratags=turned)
        elif name == "deep planes.tif":
            tifffile.imwrite(
                path, np.moveaxis(deep, 2, 0), photometric="rgb", planarconfig="separate", extratags=turned
            )
        else:
            tifffile.imwrite(path, deep, photometric="rgb", extratags=turned)
    else:
        Image.fromarray(stored).save(path, exif=exif, **({"lossless": True} if name == "x.webp" else {}))
    found = read(path)
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert found.size == ((32, 16) if orientation < 5 else (16, 32))
    assert found.colour.dtype == (np.uint16 if name.startswith("deep") else np.uint8)
    reds = (found.colour if found.is_grey else found.colour[..., 0]) > found.colour.max() / 2
    places = [place for place in ((0, 0), (0, -1), (-1, -1), (-1, 0)) if reds[place]]
    assert places == [corner[orientation]]
    write(found, tmp_path / "again.png", format_named("png"))
    with Image.open(tmp_path / "again.png") as again:
        assert 0x0112 not in again.getexif()


def _with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """Source: PNG specification, 5.3: a chunk after IHDR, which ends at byte 33."""
    chunk = len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tiff"])
@pytest.mark.parametrize("is_deep", [False, True], ids=["8 bits", "16 bits"])
def test_profile_date_and_author_go_with_the_picture(tmp_path: Path, suffix: str, is_deep: bool) -> None:
    picture = Picture(DEEP if is_deep else RGB, None, SRGB, _exif())
    write(picture, path := tmp_path / f"x{suffix}", format_named(suffix))
    with Image.open(path) as image:
        assert image.info["icc_profile"] == SRGB
        exif = image.getexif()
        assert exif[0x8298] == "mine"
        assert exif[0x0132] == "2001:02:03 04:05:06"
        if suffix != ".tiff":
            assert exif.get_ifd(0x8769)[0x9003] == "1999:01:01 00:00:00"
    found = read(path)
    assert found.icc_profile == SRGB
    assert found.exif is not None
    assert found.exif[0x8298] == "mine"


def test_a_profile_that_does_not_fit_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(RGB).save(tmp_path / "x.png", icc_profile=b"not a profile")
    assert read(tmp_path / "x.png").icc_profile is None
    assert "x.png: an ICC profile" in caplog.text


def test_grey_with_a_colour_profile_becomes_colour(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "x.png", icc_profile=SRGB)
    found = read(tmp_path / "x.png")
    assert np.array_equal(found.colour, RGB[..., :1].repeat(3, 2))
    assert found.icc_profile == SRGB


def test_cmyk_without_a_profile_is_refused_by_name(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4)).save(tmp_path / "x.jpg")
    with pytest.raises(ImageError, match=r"x\.jpg: CMYK without"):
        read(tmp_path / "x.jpg")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_of_an_animation_the_first_frame_is_read_and_the_rest_named(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 0, 250)))
    first.save(tmp_path / f"x{suffix}", save_all=True, append_images=[second])
    assert read(tmp_path / f"x{suffix}").colour[0, 0, 0] > 200
    assert "only the first of its 2 frames is read" in caplog.text


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".avif", ".gif"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(np.tile(RGB, (8, 8, 1))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"cut{suffix}: "):
        read(path)


def test_a_truncated_deep_file_is_refused_by_name(tmp_path: Path) -> None:
    data = cv2.imencode(".png", np.tile(DEEP, (8, 8, 1)))[1].tobytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"cut\.png: "):
        read(tmp_path / "cut.png")


def test_a_renamed_file_is_what_its_content_says(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "x.jpg", "PNG")
    assert identify(tmp_path / "x.jpg") == "PNG"
    assert np.array_equal(read(tmp_path / "x.jpg").colour, RGB)
    (tmp_path / "y.png").write_bytes(b"hello")
    assert identify(tmp_path / "y.png") is None


def test_a_format_without_transparency_gets_white_paper_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clear = np.zeros((16, 16), np.uint8)
    write(Picture(np.zeros((16, 16, 3), np.uint8), clear), tmp_path / "x.jpg", format_named("jpg"))
    assert (read(tmp_path / "x.jpg").colour == 255).all()
    assert "laid over white" in caplog.text


def test_a_format_of_eight_bits_says_that_sixteen_are_rounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(Picture(DEEP), tmp_path / "x.webp", format_named("webp"))
    assert np.array_equal(read(tmp_path / "x.webp").colour, np.round(DEEP / 257))
    assert "16 are rounded" in caplog.text


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65501), ("webp", 16384), ("avif", 65537)])
def test_a_side_beyond_the_formats_is_refused_with_what_would_do(name: str, side: int) -> None:
    picture_formats.check(format_named(name), (side - 1, 4))
    with pytest.raises(ImageError, match=f"{side}x4 px is more than .*png or tiff"):
        picture_formats.check(format_named(name), (side, 4))


@pytest.mark.parametrize(
    "form", [form for form in FORMATS if form.name in ("JPEG", "WEBP")], ids=lambda form: form.name
)
def test_the_longest_side_that_is_promised_can_be_written(form: picture_formats.Format) -> None:
    picture = Picture(np.zeros((1, form.largest_px, 3), np.uint8))
    assert Image.open(io.BytesIO(picture_formats._encode(picture, form, None))).size == (form.largest_px, 1)


@pytest.mark.parametrize(("name", "quality"), [("png", 90), ("tiff", 1), ("jpeg", 101)])
def test_a_quality_that_means_nothing_is_refused(name: str, quality: int) -> None:
    with pytest.raises(ConfigError, match=f"quality {quality} for"):
        picture_formats.check(format_named(name), (4, 4), quality)


def test_quality_is_heeded(tmp_path: Path) -> None:
    picture = Picture(np.tile(RGB, (8, 8, 1)))
    for name in ("jpeg", "webp", "avif"):
        sizes = []
        for quality in (20, 90):
            write(picture, tmp_path / "x", format_named(name), quality)
            sizes.append((tmp_path / "x").stat().st_size)
        assert sizes[0] < sizes[1] * 0.7


def test_an_unknown_format_lists_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'bmp'; there are png, jpeg, webp, avif, tiff"):
        format_named("bmp")


@pytest.mark.parametrize(
    ("found", "expected"), [("PNG", "PNG"), ("JPEG", "PNG"), ("GIF", "PNG"), ("WEBP", "WEBP"), ("TIFF", "TIFF")]
)
def test_a_picture_stays_in_its_format_where_that_loses_nothing(found: str, expected: str) -> None:
    assert format_after(found).name == expected


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.png").write_bytes(b"old")

    def disk_full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write(Picture(RGB), tmp_path / "x.png", format_named("png"))
    assert (tmp_path / "x.png").read_bytes() == b"old"


@pytest.fixture(autouse=True)
def _warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.mark.parametrize(("suffix", "least_refused"), [(".png", 26), (".avif", 1)])  # every PNG has checksums
def test_damaged_pixels_are_refused_by_name(tmp_path: Path, suffix: str, least_refused: int) -> None:
    path = tmp_path / f"damaged{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    told = []
    coded = whole.rfind(b"mdat") + 4 if suffix == ".avif" else len(whole) // 4
    step = 1 if suffix == ".avif" else len(whole) // 40
    for place in range(coded, coded + 30 * step, step):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        try:
            read(path)
        except ImageError as error:
            told.append(str(error))
    assert len(told) >= least_refused
    assert all(message.startswith(f"{path}: ") for message in told)
