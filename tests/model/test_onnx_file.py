"""ONNX files, ours and other people's."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

from apisr_model import checkpoint
from apisr_model.errors import DeviceError, MissingExtraError, WeightsError
from apisr_model.onnx_file import open_onnx
from tests.filled import uniform

KERNEL = np.asarray(uniform((12, 3, 3, 3), 5)) - 0.5


def foreign(
    path: Path,
    *,
    shape: tuple[int | str, ...] = ("n", 3, "h", "w"),
    kernel: np.ndarray = KERNEL,
    dtype: int = TensorProto.FLOAT,
    padding: str = "SAME_UPPER",
) -> Path:
    """A file as others write them: a 3x3 convolution, then 2x pixels out of channels."""
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["features"], auto_pad=padding),
        helper.make_node("DepthToSpace", ["features"], ["large"], blocksize=2, mode="CRD"),
    ]
    weights = numpy_helper.from_array(kernel.astype(helper.tensor_dtype_to_np_dtype(dtype)), "kernel")
    graph = helper.make_graph(
        nodes,
        "upscaler",
        [helper.make_tensor_value_info("picture", dtype, shape)],
        [helper.make_tensor_value_info("large", dtype, None)],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def expected(rgb: torch.Tensor) -> torch.Tensor:
    return functional.pixel_shuffle(functional.conv2d(rgb, torch.from_numpy(KERNEL), padding=1), 2)


def test_a_foreign_file_tells_its_scale_by_running(tmp_path: Path) -> None:
    network = open_onnx(foreign(tmp_path / "外国.onnx"))
    assert (network.scale, network.multiple_of, network.architecture) == (2, 1, "onnx")
    rgb = uniform((2, 3, 70, 91), 1)
    assert torch.allclose(network(rgb), expected(rgb), atol=1e-5)


@pytest.mark.parametrize("text", ["1.0", "{}", '{"scale": 2', '{"architecture": "x", "scale": "two"}', ""])
def test_metadata_of_others_under_our_key_is_no_metadata(tmp_path: Path, text: str) -> None:
    model = onnx.load(foreign(tmp_path / "x.onnx"))
    helper.set_model_props(model, {"apisr": text})
    onnx.save(model, tmp_path / "x.onnx")
    assert open_onnx(tmp_path / "x.onnx").scale == 2


def test_any_size_down_to_one_pixel(tmp_path: Path) -> None:
    network = open_onnx(foreign(tmp_path / "x.onnx"))
    assert network(uniform((1, 3, 1, 1), 1)).shape == (1, 3, 2, 2)


def test_a_file_of_half_precision_takes_and_gives_single(tmp_path: Path) -> None:
    network = open_onnx(foreign(tmp_path / "half.onnx", dtype=TensorProto.FLOAT16))
    rgb = uniform((1, 3, 70, 66), 1)
    result = network(rgb)
    assert result.dtype == torch.float32
    assert torch.allclose(result, expected(rgb), atol=5e-3)


def test_a_fixed_batch_is_met_by_turns(tmp_path: Path) -> None:
    network = open_onnx(foreign(tmp_path / "x.onnx", shape=(2, 3, "h", "w")))
    rgb = uniform((3, 3, 66, 65), 1)
    assert torch.allclose(network(rgb), expected(rgb), atol=1e-5)


@pytest.mark.parametrize("size", [(24, 32), (24, 33), (57, 100), (23, 7)])
def test_a_fixed_size_runs_in_windows_without_a_seam(tmp_path: Path, size: tuple[int, int]) -> None:
    network = open_onnx(foreign(tmp_path / "x.onnx", shape=(1, 3, 24, 32)))
    rgb = uniform((1, 3, *size), 1)
    difference = (network(rgb) - expected(rgb)).abs()
    assert difference[..., :-2, :-2].max() < 1e-5  # the last pixels see the padding instead of zeros
    assert network(rgb).shape[2:] == (2 * size[0], 2 * size[1])


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        pytest.param((1, 1, "h", "w"), r"\[1, 1, 'h', 'w'\]; only RGB networks", id="grey"),
        pytest.param((1, 4, "h", "w"), r"only RGB networks", id="alpha"),
        pytest.param((1, "h", "w", 3), r"wants channels last", id="channels last"),
        pytest.param((1, 3, 64, "w"), r"both be fixed or both be free", id="half fixed"),
    ],
)
def test_a_network_that_takes_no_rgb_picture_is_refused(
    tmp_path: Path, shape: tuple[int | str, ...], told: str
) -> None:
    kernel = KERNEL[:, :1] if shape[1] == 1 else np.repeat(KERNEL, 2, 1)[:, :4] if shape[1] == 4 else KERNEL
    with pytest.raises(WeightsError, match=told):
        open_onnx(foreign(tmp_path / "x.onnx", shape=shape, kernel=kernel))


def test_a_network_that_does_not_upscale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"no upscaling network .*: a picture \(3, 128, 128\) became \(1, 3, 252, 252\)"
    ):
        open_onnx(foreign(tmp_path / "x.onnx", padding="VALID"))


@pytest.mark.parametrize("content", [b"", b"not onnx at all" * 99])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.onnx is not an ONNX file that can be run: "):
        open_onnx(tmp_path / "bad.onnx")
    assert capfd.readouterr() == ("", "")


def test_a_device_that_the_runtime_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"has no cuda, it has .*CPUExecutionProvider: pip install onnxruntime-gpu"):
        open_onnx(foreign(tmp_path / "x.onnx"), "cuda")


def test_auto_takes_what_there_is(tmp_path: Path) -> None:
    assert open_onnx(foreign(tmp_path / "x.onnx"), "auto").scale == 2


def test_without_the_runtime_the_install_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'apisr\[onnx\]'"):
        open_onnx(tmp_path / "x.onnx")


def test_a_web_page_named_onnx_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    for content, said in (
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"", "is empty"),
        (b"\x89PNG", "a PNG picture"),
    ):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"x\.onnx: .*{said}"):
            checkpoint.load(path)
