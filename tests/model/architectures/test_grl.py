import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_data.errors import ConfigError
from apisr_model import architectures
from apisr_model.architectures import _grl_windows
from apisr_model.architectures.grl import _doubled
from apisr_model.errors import ShapeError
from apisr_model.network import Network
from tests.filled import fill, uniform

SMALL: dict[str, Any] = {"channels": 16, "depths": (2, 2)}


@pytest.fixture(scope="module")
def tiny2() -> nn.Module:
    return fill(architectures.build("grl"))


@pytest.fixture
def small() -> nn.Module:
    return fill(architectures.build("grl", **SMALL))


@torch.no_grad()
def upscaled(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return network(x)


def authors_entries(golden: Path) -> list[tuple[str, tuple[int, ...], str]]:
    rows = [line.split("\t") for line in (golden / "grl_tiny2_x4.keys.tsv").read_text().splitlines()[1:]]
    return [(key, tuple(map(int, shape.split(","))), kind) for key, shape, _, kind in rows]


def test_tiny2_has_the_papers_number_of_parameters(tiny2: nn.Module) -> None:
    assert sum(p.numel() for p in tiny2.parameters()) == 1_027_939


def test_state_has_the_authors_weights_and_nothing_else(tiny2: nn.Module, golden: Path) -> None:
    weights = {key: shape for key, shape, kind in authors_entries(golden) if kind == "parameter"}
    assert {key: tuple(value.shape) for key, value in tiny2.state_dict().items()} == weights


@pytest.mark.parametrize("case", [0, 1, 2])
def test_output_is_that_of_the_authors_code(tiny2: nn.Module, golden: Path, case: int) -> None:
    expected = np.load(golden / "grl_tiny2_x4.npz")
    network = Network(tiny2, "grl", 4, multiple_of=8)
    output = network(uniform(tuple(expected[f"in{case}_shape"]), int(expected[f"in{case}_seed"]))).numpy()
    for name in ("first", "last", "within"):
        region = expected[f"out{case}_{name}"]
        top, left = expected[f"out{case}_{name}_at"]
        _, height, width = region.shape
        np.testing.assert_allclose(output[-1, :, top : top + height, left : left + width], region, atol=1e-4, rtol=0)
    np.testing.assert_allclose(output.mean(3), expected[f"out{case}_rows"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(output.std((2, 3)), expected[f"out{case}_deviations"], atol=1e-4, rtol=0)


def test_the_authors_file_loads_with_its_tables_and_masks(tiny2: nn.Module, golden: Path) -> None:
    stored = {key: torch.zeros(shape) for key, shape, kind in authors_entries(golden) if kind == "buffer"}
    assert len(stored) == 13
    network = architectures.build("grl")
    network.load_state_dict(stored | tiny2.state_dict())
    assert all(torch.equal(value, tiny2.state_dict()[key]) for key, value in network.state_dict().items())


def test_a_foreign_key_does_not_load(small: nn.Module) -> None:
    with pytest.raises(RuntimeError, match="table_x"):
        small.load_state_dict({**small.state_dict(), "table_x": torch.zeros(1)})


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("upsampler", ["nearest+conv", "pixelshuffle", "pixelshuffledirect"])
def test_detect_tells_every_configuration_from_its_state(upsampler: str, scale: int) -> None:
    sizes = {**SMALL, "depths": (1, 2), "mlp_ratio": 3, "window_heads": 4, "upsampler": upsampler, "scale": scale}
    found = architectures.detect(architectures.build("grl", **sizes).state_dict())
    assert found is not None
    assert found[0].name == "grl"
    assert found[1] == architectures.get("grl").config(**sizes)


@pytest.mark.parametrize(("variant", "count"), [("tiny2", 1_027_939), ("tiny", 906_192), ("small", 3_487_715)])
def test_detect_tells_the_variants(variant: str, count: int) -> None:
    network = architectures.build("grl", variant=variant)
    assert sum(p.numel() for p in network.parameters()) == count
    found = architectures.detect(network.state_dict())
    assert found is not None
    assert found[1] == architectures.get("grl").config(**architectures.get("grl").variants[variant])


def test_detect_knows_the_authors_tables_but_not_those_of_other_windows(small: nn.Module, golden: Path) -> None:
    stored = {key: torch.zeros(shape) for key, shape, kind in authors_entries(golden) if kind == "buffer"}
    state = {**small.state_dict(), **stored}
    assert architectures.get("grl").detect(state) is not None
    assert architectures.get("grl").detect({**state, "table_w": torch.zeros(1, 63, 63, 2)}) is None


@pytest.mark.parametrize(
    "key", ["layers.0.blocks.1.mlp.fc2.bias", "conv_first.weight", "conv_up1.weight", "norm_end.bias"]
)
def test_detect_refuses_a_state_that_lacks_an_entry(small: nn.Module, key: str) -> None:
    state = {name: value for name, value in small.state_dict().items() if name != key}
    assert architectures.detect(state) is None


def test_a_scale_that_no_variant_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="scale"):
        architectures.build("grl", scale=3)


def test_sides_off_the_grid_are_refused(small: nn.Module) -> None:
    with pytest.raises(ShapeError, match="multiples of 8, found 16x20"):
        small(torch.zeros(1, 3, 16, 20))


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (24, 8), (16, 24)])
@pytest.mark.parametrize("upsampler", ["nearest+conv", "pixelshuffle", "pixelshuffledirect"])
def test_any_multiple_of_8_is_upscaled(shape: tuple[int, int], upsampler: str) -> None:
    network = fill(architectures.build("grl", **SMALL, upsampler=upsampler, scale=2))
    assert upscaled(network, uniform((1, 3, *shape), 0)).shape == (1, 3, 2 * shape[0], 2 * shape[1])


def test_a_batch_gives_what_its_pictures_give(small: nn.Module) -> None:
    x = uniform((3, 3, 24, 40), 1)
    torch.testing.assert_close(upscaled(small, x), torch.cat([upscaled(small, part[None]) for part in x]))


def test_parts_and_strips_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, small: nn.Module) -> None:
    x = uniform((2, 3, 88, 40), 2)
    whole = small(x).detach()  # with gradients nothing is cut
    monkeypatch.setattr("apisr_model.architectures._grl_cpu._STRIP_BYTES", 1)
    monkeypatch.setattr("apisr_model.architectures._grl_cpu._WINDOWS_A_THREAD", 3)
    torch.testing.assert_close(upscaled(small, x), whole)


def test_doubling_is_a_convolution_of_repeated_pixels() -> None:
    conv = nn.Conv2d(4, 5, 3, padding=1)
    x = uniform((2, 4, 6, 7), 3)
    expected = functional.leaky_relu(conv(functional.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
    torch.testing.assert_close(_doubled(x, conv), expected)


def test_a_shift_moves_windows_by_half_a_side_and_back() -> None:
    x = torch.arange(2 * 16 * 24.0).view(2, 1, 16, 24)
    grid = _grl_windows.Grid(2, 2, 3)
    shift = _grl_windows.shift(grid, x.device)
    windows = grid.split(x)
    moved = shift.move(windows)
    rolled = grid.split(x.roll((-4, -4), (2, 3))).view(2, 2, 3, 64)
    within, right, below, both = torch.split(moved[..., 0], list(shift.counts))
    torch.testing.assert_close(within, rolled[:, :-1, :-1].reshape(-1, 64))
    torch.testing.assert_close(right, rolled[:, :-1, -1].reshape(-1, 64))
    torch.testing.assert_close(below, rolled[:, -1, :-1].reshape(-1, 64))
    torch.testing.assert_close(both, rolled[:, -1, -1])
    torch.testing.assert_close(grid.join(shift.move_back(moved)), x)


def test_what_lies_beyond_the_overlap_does_not_show(tiny2: nn.Module) -> None:
    overlap_px = architectures.get("grl").overlap_px(None)
    x = uniform((1, 3, 8 + overlap_px + 24, 16), 4)
    whole, tile = upscaled(tiny2, x), upscaled(tiny2, x[:, :, 8:])
    kept = 4 * 24
    assert (whole[:, :, -kept:] - tile[:, :, -kept:]).abs().max() < 3e-5


def test_new_weights_replace_what_was_kept_of_the_old(small: nn.Module) -> None:
    x = uniform((1, 3, 16, 16), 5)
    before = upscaled(small, x)
    state = fill(architectures.build("grl", **SMALL), "other").state_dict()
    own = {key: value.clone() for key, value in small.state_dict().items()}
    cpb = {key: value for key, value in state.items() if "attn_transform" in key}
    small.load_state_dict({**own, **cpb})
    after = upscaled(small, x)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(after, small(x).detach())
    small.load_state_dict(own)
    assert torch.equal(upscaled(small, x), before)


def test_a_step_of_training_replaces_what_was_kept(small: nn.Module) -> None:
    x = uniform((1, 3, 16, 16), 6)
    before = upscaled(small, x)
    optimizer = torch.optim.Adam([p for name, p in small.named_parameters() if "attn_transform" in name], 0.1)
    small(x).square().mean().backward()
    optimizer.step()
    after = upscaled(small, x)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(after, small(x).detach())


def test_a_change_that_torch_does_not_count_shows_after_eval(small: nn.Module) -> None:
    x = uniform((1, 3, 16, 16), 7)
    before = upscaled(small, x)
    for name, parameter in small.named_parameters():
        if "attn_transform" in name:
            parameter.data.add_(0.5)
    after = upscaled(small.eval(), x)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(after, small(x).detach())


def test_a_copy_and_another_type_keep_nothing_of_the_old(small: nn.Module) -> None:
    x = uniform((1, 3, 16, 16), 7)
    upscaled(small, x)
    fill(other := copy.deepcopy(small), "other")
    torch.testing.assert_close(upscaled(other, x), other(x).detach())
    assert upscaled(small.double(), x.double()).dtype == torch.float64


def test_a_network_made_in_inference_mode_works() -> None:
    with torch.inference_mode():
        network = fill(architectures.build("grl", **SMALL))
        assert network(uniform((1, 3, 8, 8), 8)).shape == (1, 3, 32, 32)


def test_training_works_after_inference_at_the_same_size(small: nn.Module) -> None:
    x = uniform((1, 3, 16, 32), 9)
    with torch.inference_mode():
        small(x)
    small.train()(x).sum().backward()


@pytest.mark.parametrize("upsampler", ["nearest+conv", "pixelshuffle", "pixelshuffledirect"])
def test_gradients_reach_every_parameter(upsampler: str) -> None:
    network = fill(architectures.build("grl", **SMALL, upsampler=upsampler, drop_path=0.0)).train()
    network(uniform((2, 3, 16, 24), 10)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_drop_path_passes_over_blocks_of_single_pictures_while_training() -> None:
    network = fill(architectures.build("grl", **SMALL, drop_path=0.9))
    x = uniform((1, 3, 16, 16), 11).repeat(8, 1, 1, 1)
    torch.testing.assert_close(upscaled(network, x)[0], upscaled(network, x)[7])
    torch.manual_seed(0)
    outputs = upscaled(network.train(), x)
    assert len({round(float(output.sum()), 3) for output in outputs}) > 1


def test_bfloat16_is_close(small: nn.Module) -> None:
    x = uniform((1, 3, 32, 32), 12)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = upscaled(small, x).float()
    assert (reduced - upscaled(small, x)).abs().mean() < 0.01


@pytest.mark.slow
def test_the_graph_is_traced_whole() -> None:
    network = fill(architectures.build("grl", channels=16, depths=(2,)))
    x = uniform((2, 3, 16, 32), 13)
    traced = torch.compile(network, fullgraph=True, dynamic=False, backend="eager")
    torch.testing.assert_close(upscaled(traced, x), upscaled(network, x))
