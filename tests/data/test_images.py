import hashlib
import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from apisr_data import images
from apisr_data.errors import ImageError


@pytest.fixture
def noise() -> images.Rgb:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


@pytest.mark.parametrize("name", ["a b.png", "日本語.png", "ä [1] 'x'.bmp", "x.tiff", "lossless.webp"])
def test_lossless_formats_are_read_back_exactly_under_any_name(tmp_path: Path, noise: images.Rgb, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(noise).save(path, **({"lossless": True} if path.suffix == ".webp" else {}))
    assert np.array_equal(images.read(path), noise)


@pytest.mark.parametrize("suffix", [".jpg", ".avif", ".webp"])
def test_lossy_formats_keep_red_first(tmp_path: Path, suffix: str) -> None:
    red = np.full((32, 32, 3), (220, 40, 30), np.uint8)
    Image.fromarray(red).save(tmp_path / f"x{suffix}", quality=95)
    assert np.abs(images.read(tmp_path / f"x{suffix}").astype(int) - red).max() <= 4


def test_png_bytes_are_what_another_decoder_reads(noise: images.Rgb) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(images.encode_png(noise)))), noise)
    assert np.array_equal(images.decode(images.encode_png(noise)), noise)


def test_jpeg_bytes_are_what_another_decoder_reads() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    ramp[..., 2] = 40
    decoded = np.asarray(Image.open(io.BytesIO(images.encode_jpeg(ramp, quality=95)))).astype(int)
    assert np.abs(decoded - ramp).mean() < 3


def test_exif_orientation_is_applied(tmp_path: Path, noise: images.Rgb) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: a viewer rotates by 90 degrees clockwise
    Image.fromarray(noise).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(images.read(tmp_path / "x.png"), np.rot90(noise, -1))


def test_transparency_shows_white_paper(tmp_path: Path) -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 1] = (10, 20, 30, 255)
    rgba[:, 2] = (0, 0, 0, 51)  # a fifth black
    Image.fromarray(rgba).save(tmp_path / "x.png")
    assert images.read(tmp_path / "x.png")[0].tolist() == [[255, 255, 255], [10, 20, 30], [204, 204, 204]]


def test_palette_transparency_shows_white_paper(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    palette.putpalette([9, 9, 9, 200, 100, 50] + [0] * 762)
    palette.save(tmp_path / "x.png", transparency=0)
    assert images.read(tmp_path / "x.png")[0].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_grey_and_palette_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("L", (4, 2), 255).convert(mode).save(tmp_path / "x.png")
    assert np.array_equal(images.read(tmp_path / "x.png"), np.full((2, 4, 3), 255))


def test_sixteen_bit_grey_is_rounded_to_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 128, 129, 40000, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.png")
    assert images.read(tmp_path / "x.png")[0, :, 0].tolist() == [0, 0, 1, 156, 255]  # v / 257, rounded


def test_sixteen_bit_rgb_is_within_a_level(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), np.uint16)
    (tmp_path / "x.png").write_bytes(cv2.imencode(".png", deep[..., ::-1])[1].tobytes())
    assert np.abs(images.read(tmp_path / "x.png") - deep / 257).max() <= 1


def _linear_light_profile() -> bytes:
    """An ICC profile (ICC.1:2010, 7.2 and 9) with sRGB's primaries and no gamma."""
    white = (0.9642, 1.0, 0.8249)
    primaries = {b"r": (0.4361, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    text = b"linear"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(white)}
    for name, values in primaries.items():
        tags |= {name + b"XYZ": xyz(values), name + b"TRC": b"curv\0\0\0\0" + struct.pack(">I", 0)}
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = bytes(4) + bytes([2, 0x10, 0, 0]) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + xyz(white)[8:]
    body = header + bytes(128 - len(header) - 4) + table + data
    return struct.pack(">I", len(body) + 4) + body


def test_an_icc_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    Image.fromarray(grey).save(tmp_path / "x.png", icc_profile=_linear_light_profile())
    expected = 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    assert np.abs(images.read(tmp_path / "x.png") - expected).max() <= 1


def test_pixels_that_say_srgb_stay_as_they_are(tmp_path: Path, noise: images.Rgb) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "x.png", icc_profile=srgb)
    assert np.array_equal(images.read(tmp_path / "x.png"), noise)


def test_an_unusable_icc_profile_is_ignored(tmp_path: Path, noise: images.Rgb) -> None:
    Image.fromarray(noise).save(tmp_path / "x.png", icc_profile=b"not a profile")
    assert np.array_equal(images.read(tmp_path / "x.png"), noise)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not a picture"), (b"hello", "not a picture"), (b"\x89PNG\r\n\x1a\n", "x.png")],
    ids=["empty", "text", "signature"],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        images.read(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".avif"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, noise: images.Rgb, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(np.tile(noise, (4, 4, 1))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"cut{suffix}: "):
        images.read(path)


def test_cmyk_without_a_profile_is_refused(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4)).save(tmp_path / "x.jpg")
    with pytest.raises(ImageError, match=r"x\.jpg: CMYK without"):
        images.read(tmp_path / "x.jpg")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: No such file"):
        images.ImageFile(tmp_path / "gone.png").rgb()


def test_an_image_file_offers_what_a_frame_does(tmp_path: Path, noise: images.Rgb) -> None:
    (tmp_path / "x.png").write_bytes(images.encode_png(noise))
    picture = images.ImageFile(tmp_path / "x.png")
    assert np.array_equal(picture.rgb(), noise)
    assert picture.rgb((20, 10)).shape == (10, 20, 3)
    assert picture.rgb((512, 512)).shape == (512, 512, 3)
    weights = (0.299, 0.587, 0.114)  # ITU-R BT.601
    assert np.abs(picture.luma() - noise @ np.array(weights)).max() <= 1


@pytest.mark.parametrize("kernel", ["lanczos", "area"])
def test_antialiased_kernels_average_a_fine_checkerboard(kernel: images.Kernel) -> None:
    board = (np.indices((120, 180)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    small = images.resize(board, (45, 30), kernel)
    assert small.shape == (30, 45, 3)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127.5).max() <= 3


def test_the_papers_kernel_is_opencv_bicubic_without_antialiasing(noise: images.Rgb) -> None:
    expected = cv2.resize(noise, (20, 15), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(images.resize(noise, (20, 15), "paper"), expected)


@pytest.mark.parametrize("kernel", ["lanczos", "area", "paper"])
def test_a_picture_of_that_size_is_returned_as_it_is(noise: images.Rgb, kernel: images.Kernel) -> None:
    assert images.resize(noise, (53, 37), kernel) is noise


def test_writing_replaces_a_file_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "絵.png"
    images.write_bytes(b"old", path)
    images.write_bytes(b"new", path)
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.write_bytes(b"old", tmp_path / "x.png")

    def disk_full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left"):
        images.write_bytes(b"new", tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_the_pixels_sum_is_of_the_rgb_bytes_row_by_row(noise: images.Rgb) -> None:
    assert images.pixels_sha256(noise[:, ::-1]) == hashlib.sha256(noise[:, ::-1].tobytes()).hexdigest()


def test_sixteen_bits_become_the_nearest_of_eight() -> None:
    every = np.arange(65536).astype(np.uint16)
    assert np.array_equal(images.to_eight_bits(every), np.rint(every / 257))
    assert np.array_equal(images.to_eight_bits(np.arange(256).astype(np.uint8)), np.arange(256))
