"""Files as the world's trainers leave them, and files that are none."""

import io
import json
import os
import pickle
import sys
import types
import zipfile
from dataclasses import dataclass, field

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from apisr_model import architectures, checkpoint
from apisr_model.architectures.compact import CompactConfig
from apisr_model.errors import DeviceError, WeightsError

CONFIG = CompactConfig(scale=2, features=4, convolutions=1)


@pytest.fixture
def state():
    torch.manual_seed(0)
    return dict(architectures.get("compact").build(CONFIG).state_dict())


def is_same(network, state):
    return all(torch.equal(network.module.state_dict()[key], tensor) for key, tensor in state.items())


WRAPPED = {
    "flat (neosr, traiNNer)": lambda s: s,
    "params (BasicSR)": lambda s: {"params": s},
    "params_ema wins": lambda s: {"params": {k: t + 1 for k, t in s.items()}, "params_ema": s},
    "model_state_dict (APISR)": lambda s: {"iteration": 3, "loss": torch.ones(1), "model_state_dict": s},
    "two deep": lambda s: {"model": {"state_dict": s}, "epoch": 1},
    "with NumPy's numbers": lambda s: {"loss": np.float64(0.5), "step": np.int64(3), "state_dict": s},
    "compiled": lambda s: {"model_state_dict": {f"_orig_mod.{k}": t for k, t in s.items()}},
    "distributed and compiled": lambda s: {f"module._orig_mod.{k}": t for k, t in s.items()},
    "averaged": lambda s: {"n_averaged": torch.tensor(7), **{f"module.{k}": t for k, t in s.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("is_legacy", [False, True], ids=["zip", "legacy"])
def test_every_trainers_wrapping_is_taken_off(tmp_path, state, wrap, is_legacy):
    path = tmp_path / "网络.pth"
    torch.save(wrap(state), path, _use_new_zipfile_serialization=not is_legacy)
    network = checkpoint.load(path)
    assert is_same(network, state)
    assert (network.architecture, network.scale, network.channel_order) == ("compact", 2, "rgb")
    assert network.config == CONFIG.model_dump()
    assert network.origin == str(path)


def test_the_network_is_ready_for_inference(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    network = checkpoint.load(tmp_path / "a.pt")
    assert not network.module.training
    assert not any(p.requires_grad for p in network.module.parameters())
    assert network(torch.rand(1, 3, 1, 5)).shape == (1, 3, 2, 10)


def test_half_precision_on_disk_is_single_precision_in_memory(tmp_path, state):
    half = {key: tensor.half() for key, tensor in state.items()}
    safetensors.torch.save_file(half, tmp_path / "half.safetensors")
    network = checkpoint.load(tmp_path / "half.safetensors")
    assert is_same(network, {key: tensor.float() for key, tensor in half.items()})
    assert {t.dtype for t in network.module.state_dict().values()} == {torch.float32}


def test_what_is_saved_is_loaded_with_its_configuration_and_metadata(tmp_path, state):
    config = CONFIG.model_copy(update={"activation": "leakyrelu"})  # which no key tells
    module = architectures.get("compact").build(config)
    path = tmp_path / "new folder" / "ours.safetensors"
    checkpoint.save(
        path,
        {f"_orig_mod.{k}": t for k, t in module.state_dict().items()},
        "compact",
        config,
        channel_order="bgr",
        steps=12,
    )
    network = checkpoint.load(path)
    assert network.config == config.model_dump()
    assert network.channel_order == "bgr"
    assert is_same(network, module.state_dict())
    assert checkpoint.read(path)[1]["steps"] == "12"
    assert [file.name for file in path.parent.iterdir()] == ["ours.safetensors"]
    assert checkpoint.load(path, channel_order="rgb").channel_order == "rgb"


def test_an_interrupted_save_leaves_the_file_that_was_there(tmp_path, state, monkeypatch):
    path = tmp_path / "ours.safetensors"
    checkpoint.save(path, state, "compact", CONFIG)
    before = path.read_bytes()

    def full_disk(self, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, state, "compact", CONFIG)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["ours.safetensors"]


@pytest.mark.parametrize(("asked", "order"), [(None, "rgb"), ("published", "rgb"), ("trained", "bgr"), ("bgr", "bgr")])
def test_apisrs_files_are_fed_as_published_or_as_trained(tmp_path, state, asked, order):
    path = tmp_path / "4x_APISR_RRDB_GAN_generator.pth"  # the zoo knows it by its name
    torch.save(state, path)
    assert checkpoint.load(path, channel_order=asked).channel_order == order


def test_the_trained_order_is_refused_where_nothing_tells_it(tmp_path, state):
    torch.save(state, tmp_path / "renamed.pth")
    with pytest.raises(WeightsError, match=r"renamed\.pth: nothing tells the channel order that it was trained in"):
        checkpoint.load(tmp_path / "renamed.pth", channel_order="trained")
    assert checkpoint.load(tmp_path / "renamed.pth").trained_order is None


def test_our_own_file_tells_the_order_that_it_was_trained_in(tmp_path, state):
    checkpoint.save(tmp_path / "a.safetensors", state, "compact", CONFIG, channel_order="rgb", trained_order="bgr")
    assert checkpoint.load(tmp_path / "a.safetensors").channel_order == "rgb"
    assert checkpoint.load(tmp_path / "a.safetensors", channel_order="trained").channel_order == "bgr"


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("is_legacy", [False, True], ids=["zip", "legacy"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, state, is_legacy):
    path, target = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save(state | {"x": Malicious(str(target))}, path, _use_new_zipfile_serialization=not is_legacy)
    with pytest.raises(WeightsError, match=r"evil\.pth: holds Python objects besides weights.*mkdir"):
        checkpoint.load(path)
    assert not target.exists()


def torch_script(state):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # as torch.jit.save lays it out
        for name in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"):
            archive.writestr(name, b"")
    return buffer.getvalue()


def other_zip(_state):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("4x_anime.pth", b"")
    return buffer.getvalue()


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


NOT_WEIGHTS = {
    "empty": (lambda s: b"", "is empty"),
    "web page": (lambda s: b"\n <!DOCTYPE html><html><title>Sign in</title>", "is a web page"),
    "LFS pointer": (lambda s: b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "is a Git LFS pointer"),
    "ONNX": (lambda s: b"\x08\x08\x12\x07pytorch\x1a\x062.13.0:\x00", r"is an ONNX file: rename it to net\.onnx"),
    "TorchScript": (torch_script, "is a TorchScript program"),
    "zip": (other_zip, r"is a zip archive of 4x_anime\.pth"),
    "cut zip": (lambda s: saved(s)[:-200], "is cut short or damaged: .* bytes"),
    "cut legacy": (lambda s: saved(s, _use_new_zipfile_serialization=False)[:-50], "is cut short or damaged: .* bytes"),
    "cut safetensors": (lambda s: safetensors.torch.save(s)[:-9], "safetensors, cut short or damaged: .* bytes"),
    "bare pickle": (lambda s: pickle.dumps({"a": 1}), "is a Python pickle"),
    "picture": (lambda s: b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    "text": (lambda s: b"hello, world", "is neither PyTorch's nor safetensors: 12 bytes, starting with b'hello"),
    "no tensors": (lambda s: saved({"epoch": 3, "lr": 0.1}), "holds no weights; its keys are: epoch, lr"),
    "one tensor": (lambda s: saved(torch.zeros(2)), "holds one Tensor, not a network's weights"),
}


@pytest.mark.parametrize(("content", "message"), NOT_WEIGHTS.values(), ids=NOT_WEIGHTS)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_what_is_not_weights_is_named(tmp_path, state, content, message, suffix):
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(content(state))
    with pytest.raises(WeightsError, match=rf"net\.{suffix}: {message}"):
        checkpoint.load(path)


def test_an_absent_file_is_a_weights_error(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        checkpoint.read(tmp_path / "none.pth")


def test_content_decides_not_the_name(tmp_path, state):
    (tmp_path / "a.pth").write_bytes(safetensors.torch.save(state))
    (tmp_path / "b.safetensors").write_bytes(saved(state))
    assert is_same(checkpoint.load(tmp_path / "a.pth"), state)
    assert is_same(checkpoint.load(tmp_path / "b.safetensors"), state)


def test_missing_unexpected_and_misshapen_entries_are_named(tmp_path, state):
    state["body.5.weight"] = torch.zeros(4)  # moves what is taken for the last layer
    del state["body.0.bias"]
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"none of our architectures|lacks") as caught:
        checkpoint.load(tmp_path / "odd.pth")
    assert "odd.pth" in str(caught.value)
    config = json.loads(CONFIG.model_dump_json())
    texts = {"architecture": "compact", "config": json.dumps(config)}
    state["body.2.weight"] = torch.zeros(4, 4, 1, 1)
    safetensors.torch.save_file(state, tmp_path / "odd.safetensors", texts)
    with pytest.raises(WeightsError) as caught:
        checkpoint.load(tmp_path / "odd.safetensors")
    for part in (
        "lacks 1: body.0.bias",
        "has besides 1: body.5.weight",
        "has in another shape 1: body.2.weight (4, 4, 1, 1) for (4, 4, 3, 3)",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"architecture": "compact", "config": '{"width": 3}'}, "compact configuration: width: no such setting"),
    ],
)
def test_a_configuration_from_elsewhere_is_named_with_its_file(tmp_path, state, texts, message):
    safetensors.torch.save_file(state, tmp_path / "new.safetensors", texts)
    with pytest.raises(WeightsError, match=rf"new\.safetensors: .*{message}"):
        checkpoint.load(tmp_path / "new.safetensors")


@pytest.mark.parametrize(
    "texts",
    [
        {"architecture": "SRVGG", "config": '{"num_feat": 4}'},
        {"architecture": "compact", "config": "{}"},
        {"architecture": "compact", "config": "[2]"},
        {"architecture": "compact", "config": "none"},
        {"architecture": "compact"},
    ],
)
def test_another_trainers_words_for_a_network_do_not_hide_it(tmp_path, state, texts):
    safetensors.torch.save_file(state, tmp_path / "theirs.safetensors", texts)
    assert is_same(checkpoint.load(tmp_path / "theirs.safetensors"), state)


def test_a_grey_network_is_refused_with_its_file(tmp_path, state):
    state["body.0.weight"] = torch.zeros(4, 1, 3, 3)
    torch.save(state, tmp_path / "grey.pth")
    with pytest.raises(WeightsError, match=r"grey\.pth: these are compact weights for grey pictures"):
        checkpoint.load(tmp_path / "grey.pth")


def test_devices_and_precisions_that_are_not_here_are_device_errors(tmp_path, state):
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(DeviceError, match=r"no device 'tpu' here; there are .*cpu"):
        checkpoint.load(tmp_path / "a.pth", "tpu")
    with pytest.raises(DeviceError, match="no precision 'int4'; there are auto, fp32, bf16, fp16"):
        checkpoint.load(tmp_path / "a.pth", precision="int4")
    assert checkpoint.load(tmp_path / "a.pth", "auto").device == checkpoint.devices()[0]


def test_the_cpu_computes_in_fp32_unless_told(tmp_path, state):
    torch.save(state, tmp_path / "a.pth")
    full, half = checkpoint.load(tmp_path / "a.pth"), checkpoint.load(tmp_path / "a.pth", precision="bf16")
    assert (full.dtype, half.dtype) == (torch.float32, torch.bfloat16)
    x = torch.rand(1, 3, 8, 8)
    assert 0 < (full(x) - half(x)).abs().max() < 0.02


FOREIGN = {"head.weight": torch.zeros(6, 3, 3, 3), "tail.weight": torch.zeros(3, 6, 3, 3)}


def test_without_spandrel_an_unknown_network_is_described(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    torch.save({"params": FOREIGN}, tmp_path / "new.pth")
    with pytest.raises(WeightsError) as caught:
        checkpoint.load(tmp_path / "new.pth")
    for part in ("new.pth", "2 entries", "head.weight (6, 3, 3, 3)", "compact", "pip install 'apisr[zoo]'"):
        assert part in str(caught.value)


@dataclass
class SizeRequirements:
    minimum: int = 0
    multiple_of: int = 1


class UnsupportedModelError(Exception):
    pass


@dataclass
class ImageModelDescriptor:
    """As spandrel 0.4 documents it."""

    name: str = "DAT"
    scale: int = 4
    input_channels: int = 3
    output_channels: int = 3
    supports_half: bool = False
    supports_bfloat16: bool = False
    size_requirements: SizeRequirements = field(default_factory=lambda: SizeRequirements(16, 8))
    model: nn.Module = field(default_factory=lambda: nn.Conv2d(3, 3, 1))

    @property
    def architecture(self):
        return types.SimpleNamespace(id=self.name)

    def to(self, _device):
        return self

    def __call__(self, image):
        assert image.shape[2] >= 16
        assert image.shape[3] % 8 == 0
        return nn.functional.interpolate(image, scale_factor=self.scale)


@pytest.fixture
def spandrel(monkeypatch):
    """A module in spandrel's place; what its loader answers is put into `.answer`."""
    fake = types.ModuleType("spandrel")

    class ModelLoader:
        def __init__(self, device=None):
            pass

        def load_from_state_dict(self, state):
            assert state.keys() == FOREIGN.keys()
            if isinstance(fake.answer, Exception):
                raise fake.answer
            return fake.answer

    fake.ModelLoader, fake.ImageModelDescriptor = ModelLoader, ImageModelDescriptor
    fake.UnsupportedModelError, fake.answer = UnsupportedModelError, ImageModelDescriptor()
    monkeypatch.setitem(sys.modules, "spandrel", fake)
    return fake


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "foreign.pth"
    torch.save({"params": FOREIGN}, path)
    return path


def test_spandrel_opens_what_is_not_ours(spandrel, foreign):
    network = checkpoint.load(foreign)
    assert (network.architecture, network.scale, network.multiple_of, network.smallest_px) == ("DAT", 4, 8, 16)
    assert network(torch.rand(1, 3, 5, 9)).shape == (1, 3, 20, 36)
    assert not spandrel.answer.model.weight.requires_grad


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ImageModelDescriptor(name="GRL"), "spandrel takes it for GRL, but .*shifted stripes"),
        (ImageModelDescriptor(input_channels=1), "DAT with 1 channels in and 3 out"),
        (types.SimpleNamespace(architecture=types.SimpleNamespace(id="LaMa")), "LaMa, which needs a mask"),
        (UnsupportedModelError(), "nor does spandrel know it"),
        (RuntimeError("size mismatch\nfor head"), "spandrel cannot build it: size mismatch for head$"),
    ],
)
def test_what_spandrel_cannot_do_is_said(spandrel, foreign, answer, message):
    spandrel.answer = answer
    with pytest.raises(WeightsError, match=rf"foreign\.pth: 2 entries .*{message}"):
        checkpoint.load(foreign)


def test_a_precision_that_spandrels_network_lacks_is_a_device_error(spandrel, foreign):
    with pytest.raises(DeviceError, match=r"DAT does not compute in bf16; choose fp32"):
        checkpoint.load(foreign, precision="bf16")
