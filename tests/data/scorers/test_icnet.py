"""ICNet against outputs of the authors' code, with reproducible weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data import scorers
from apisr_data.errors import FetchError, UsageError
from apisr_data.scorers import icnet
from apisr_data.scorers._icnet_network import IcNet, prepare
from tests.filled import fill

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "icnet.npz")


@pytest.fixture(scope="module")
def inputs(golden):
    noise = np.random.default_rng(int(golden["seed"])).standard_normal((2, 3, 512, 512))
    return torch.from_numpy(noise.astype(np.float32))


@pytest.fixture(scope="module")
def network():
    return fill(IcNet())


@pytest.fixture(scope="module")
def scorer(weights):
    return scorers.build("icnet", weights=weights, device="cpu")


def test_the_state_is_the_authors(network):
    lines = (GOLDEN / "icnet.keys.tsv").read_text().splitlines()[1:]
    theirs = {key: shape for key, shape, *_ in (line.split("\t") for line in lines)}
    ours = {key: ",".join(map(str, tensor.shape)) for key, tensor in network.state_dict().items()}
    assert ours == theirs


def test_score_and_map_are_the_authors(network, golden, inputs):
    with torch.inference_mode():
        score, map_ = network(inputs)
    assert score.numpy() == pytest.approx(golden["score"], abs=1e-6)
    assert map_.numpy() == pytest.approx(golden["map"], abs=1e-6)


def test_the_prepared_network_gives_the_same(golden, inputs):
    network = prepare(fill(IcNet()))
    with torch.inference_mode():
        score, map_ = network(inputs)
        assert torch.equal(score, network.score(inputs))
    assert score.numpy() == pytest.approx(golden["score"], abs=1e-6)
    assert map_.numpy() == pytest.approx(golden["map"], abs=1e-6)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.modules())


def test_bfloat16_is_within_a_hundredth(golden, inputs):
    network = prepare(fill(IcNet()), dtype=torch.bfloat16)
    with torch.inference_mode():
        score = network.score(inputs.bfloat16())
    assert score.dtype == torch.float32
    assert score.numpy() == pytest.approx(golden["score"], abs=0.01)


def test_a_picture_is_normalised_as_the_authors_do(scorer, network, picture, drawing):
    small = picture(drawing).rgb((512, 512))
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    normalised = torch.from_numpy(((np.float32(small) / 255 - mean) / deviation).transpose(2, 0, 1)[None])
    with torch.inference_mode():
        expected = network(normalised)[0]
    assert scorer.score([picture(drawing)])["icnet"] == pytest.approx(expected.numpy(), abs=1e-5)


def test_more_pictures_than_a_batch_keep_their_order(scorer, picture, drawing):
    pictures = [picture(drawing[:, : 1280 - 200 * i]) for i in range(5)]
    together = scorer.score(pictures)["icnet"]
    assert together[::4] == pytest.approx([scorer.score([one])["icnet"][0] for one in pictures[::4]], abs=1e-6)


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}])
def test_wrapped_weights_load(weights, wrap, tmp_path, picture, drawing, scorer):
    torch.save(wrap(torch.load(weights)), tmp_path / "ck.pth")
    wrapped = scorers.build("icnet", weights=tmp_path / "ck.pth", device="cpu")
    assert wrapped.score([picture(drawing)])["icnet"] == scorer.score([picture(drawing)])["icnet"]


def test_absent_weights_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("APISR_CACHE", str(tmp_path))
    with pytest.raises(
        FetchError, match=r"needs weights: none at .*ck\.pth; give --weights or choose --scorer detail .*IC9600"
    ):
        scorers.build("icnet")
    assert "needs weights" in str(icnet.missing())


def test_weights_in_the_cache_are_found(weights, monkeypatch):
    monkeypatch.setenv("APISR_CACHE", str(weights.parent))
    assert icnet.missing() is None
    assert icnet.weights_path() == weights


@pytest.mark.parametrize(
    "content", [b"", b"<html>Sign in</html>", b"PK\x03\x04 truncated"], ids=["empty", "page", "cut"]
)
def test_a_file_that_is_not_weights_is_named(content, tmp_path):
    (tmp_path / "ck.pth").write_bytes(content)
    with pytest.raises(FetchError, match=r"ck\.pth does not hold ICNet's weights"):
        scorers.build("icnet", weights=tmp_path / "ck.pth")


@pytest.mark.parametrize(
    "saved", [{"conv.weight": torch.zeros(1)}, torch.zeros(3), [1, 2]], ids=["other", "tensor", "list"]
)
def test_weights_of_another_network_are_named(saved, tmp_path):
    torch.save(saved, tmp_path / "ck.pth")
    with pytest.raises(FetchError, match=r"ck\.pth does not hold ICNet's weights"):
        scorers.build("icnet", weights=tmp_path / "ck.pth")


def test_an_unusable_device_lists_the_usable(weights):
    with pytest.raises(UsageError, match=r"cannot use device 'tpu'; here are auto, .*cpu"):
        scorers.build("icnet", weights=weights, device="tpu")


def test_an_unknown_precision_lists_the_known(weights):
    with pytest.raises(UsageError, match="no precision 'int8'; choose one of fp32, bf16"):
        scorers.build("icnet", weights=weights, precision="int8")
