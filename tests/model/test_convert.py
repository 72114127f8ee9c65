"""Conversion: what comes out is the same network, or nothing comes out."""

import json
import sys
import warnings
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from apisr_data.errors import UsageError
from apisr_model import architectures, checkpoint, convert
from apisr_model.errors import MissingExtraError, WeightsError
from tests.filled import fill, uniform

COMPACT = {"scale": 2, "features": 8, "convolutions": 2}


def write(path: Path, name: str = "compact", **config: object) -> Path:
    """Weights of ours, trained on BGR, so that nothing about them is the default."""
    config = config or COMPACT
    module = fill(architectures.build(name, **config))
    settings = architectures.get(name).config(**config)
    checkpoint.save(path, module, name, settings, channel_order="bgr", licence="CC0-1.0", source="https://example.org")
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("weights") / "重み.safetensors")


@pytest.fixture(scope="module")
def exported(weights: Path) -> Path:
    convert.convert(weights, weights.with_name("網.onnx"))
    return weights.with_name("網.onnx")


def test_onnx_equals_the_original_at_any_batch_and_size(weights: Path, exported: Path) -> None:
    original, converted = checkpoint.load(weights), checkpoint.load(exported)
    for shape in ((1, 3, 1, 1), (3, 3, 19, 70)):
        rgb = uniform(shape, 3)
        assert torch.allclose(original(rgb), converted(rgb), atol=1e-5)


def test_onnx_keeps_what_is_known_of_the_network(weights: Path, exported: Path) -> None:
    original, converted = checkpoint.load(weights), checkpoint.load(exported)
    assert (converted.architecture, converted.scale, converted.channel_order) == ("compact", 2, "bgr")
    assert (converted.multiple_of, converted.overlap_px) == (original.multiple_of, original.overlap_px)
    assert converted.config == original.config
    told = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    about = json.loads(told["apisr"])
    assert (about["licence"], about["source"]) == ("CC0-1.0", "https://example.org")


def test_the_exporter_says_nothing(weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        convert.convert(weights, tmp_path / "x.onnx")
    assert told == []
    assert capfd.readouterr() == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]


def test_a_trainers_file_becomes_safetensors_that_load_alike(tmp_path: Path) -> None:
    module = fill(architectures.build("compact", **COMPACT))
    torch.save({"params_ema": module.state_dict()}, tmp_path / "x.pth")
    done = convert.convert(tmp_path / "x.pth", tmp_path / "deep" / "x.safetensors")
    assert done.difference == 0
    state, metadata = checkpoint.read(done.path)
    assert state.keys() == module.state_dict().keys()
    assert (metadata["architecture"], metadata["channel_order"], metadata["source"]) == ("compact", "rgb", "x.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_a_converted_file_still_tells_the_order_that_it_was_trained_in(tmp_path: Path, suffix: str) -> None:
    zoos = tmp_path / "4x_APISR_RRDB_GAN_generator.pth"  # trained on BGR and fed RGB, as the zoo knows
    torch.save(fill(architectures.build("compact", **COMPACT)).state_dict(), zoos)
    done = convert.convert(zoos, tmp_path / f"mine{suffix}")
    assert checkpoint.load(done.path).channel_order == "rgb"
    assert checkpoint.load(done.path, channel_order="trained").channel_order == "bgr"


def test_safetensors_keep_channel_order_licence_and_source(weights: Path, tmp_path: Path) -> None:
    done = convert.convert(weights, tmp_path / "x.safetensors")
    metadata = checkpoint.read(done.path)[1]
    assert done.licence == metadata["licence"] == "CC0-1.0"
    assert (metadata["channel_order"], metadata["source"]) == ("bgr", "https://example.org")


def test_half_takes_half_the_space(tmp_path: Path) -> None:
    source = write(tmp_path / "x.safetensors", features=32, convolutions=2)
    done = convert.convert(source, tmp_path / "half.safetensors", half=True)
    assert 0 < done.difference < 1 / 64
    assert done.path.stat().st_size < 0.6 * source.stat().st_size


def test_numbers_too_large_for_half_precision_are_not_kept(tmp_path: Path) -> None:
    module = fill(architectures.build("compact", **COMPACT))
    with torch.no_grad():
        module.get_parameter("body.0.weight").fill_(1e5)
    torch.save(module.state_dict(), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"half\.safetensors was not kept: its output differs"):
        convert.convert(tmp_path / "x.pth", tmp_path / "half.safetensors", half=True)
    assert [file.name for file in tmp_path.iterdir()] == ["x.pth"]


def test_a_result_that_differs_is_not_kept(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"from an earlier day")
    monkeypatch.setattr(convert, "_LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(WeightsError, match="was not kept"):
        convert.convert(weights, tmp_path / "x.safetensors", force=True)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"from an earlier day"]


@pytest.mark.parametrize("name", ["重み.safetensors", "../{folder}/重み.safetensors"])
def test_the_input_is_never_overwritten(weights: Path, name: str) -> None:
    before = weights.read_bytes()
    with pytest.raises(UsageError, match="is the input"):
        convert.convert(weights, weights.parent / name.format(folder=weights.parent.name))
    assert weights.read_bytes() == before


@pytest.mark.parametrize("name", ["x.pth", "x", "x.onnx.txt"])
def test_another_suffix_is_refused(weights: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"convert writes \.safetensors or \.onnx"):
        convert.convert(weights, tmp_path / name)


def test_a_folder_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        convert.convert(weights, tmp_path / "x.onnx")


def test_an_onnx_file_is_converted_no_further(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is an ONNX file already"):
        convert.convert(exported, tmp_path / "x.safetensors")


def test_without_the_exporter_the_install_command_is_told(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"writing ONNX needs onnx: pip install 'apisr\[onnx\]'"):
        convert.convert(weights, tmp_path / "x.onnx")


def test_what_cannot_be_exported_is_told_in_one_line(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def forward(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(x).real

    monkeypatch.setattr("apisr_model.architectures.compact.Compact.forward", forward)
    with pytest.raises(WeightsError, match=r"compact cannot be exported to ONNX: [^\n]+$"):
        convert.convert(weights, tmp_path / "x.onnx")
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("grl", {"channels": 16, "depths": (2,)}),
        ("grl", {"channels": 16, "depths": (1, 2), "scale": 2, "upsampler": "pixelshuffle"}),
        ("grl", {"channels": 16, "depths": (1,), "upsampler": "pixelshuffledirect"}),
        ("rrdb", {"blocks": 1, "scale": 1}),
        ("rrdb", {"blocks": 1, "scale": 2}),
        ("rrdb", {"blocks": 1, "scale": 4}),
        ("span", {"scale": 2}),
    ],
    ids=str,
)
def test_every_architecture_becomes_onnx(tmp_path: Path, name: str, config: dict[str, object]) -> None:
    done = convert.convert(write(tmp_path / "x.safetensors", name, **config), tmp_path / "x.onnx")
    assert done.difference < 1e-4


def test_onnx_in_half_precision(weights: Path, tmp_path: Path, exported: Path) -> None:
    done = convert.convert(weights, tmp_path / "half.onnx", half=True)
    assert 1e-6 < done.difference < 1 / 64


def test_a_file_that_is_there_is_overwritten_only_when_asked(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"x\.safetensors is there already: .* --force"):
        convert.convert(weights, out)
    assert out.read_text() == "mine"
    assert convert.convert(weights, out, force=True).difference == 0


def test_where_nothing_can_be_written_is_told_before_any_work(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        convert.convert(weights, tmp_path / "file" / "x.safetensors")
