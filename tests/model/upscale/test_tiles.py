import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from apisr_data.errors import ResourceError
from apisr_model.errors import ShapeError, WeightsError
from apisr_model.network import Network
from apisr_model.upscale import memory, tiles
from tests.model.upscale.networks import convolutions, enlarging, ramp


def _run(network: Network, rgb: Tensor, tile_px: int | None = None, progress: tiles.Progress | None = None) -> Tensor:
    """The results of all tiles, each where it belongs."""
    output = torch.full((1, 3, rgb.shape[2] * network.scale, rgb.shape[3] * network.scale), torch.nan)
    for tile, result in tiles.Tiler(network, tile_px).tiles(rgb, progress):
        output[:, :, *tiles.scaled(tile.kept, network.scale)] = result
    return output


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    tile_px=st.integers(1, 70),
    grid=st.sampled_from([1, 2, 8]),
    scale=st.sampled_from([1, 2, 4]),
)
def test_tiles_give_what_the_whole_picture_gives(height: int, width: int, tile_px: int, grid: int, scale: int) -> None:
    network, rgb = convolutions(scale, grid), ramp(height, width)
    assert torch.allclose(_run(network, rgb, tile_px), network(rgb), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(9, 90), st.sampled_from([1, 8]), st.integers(0, 20))
def test_kept_parts_cover_every_pixel_once_with_their_overlap_around(
    height: int, width: int, tile_px: int, grid: int, overlap_px: int
) -> None:
    network = dataclasses.replace(enlarging(1), multiple_of=grid, overlap_px=overlap_px)
    seen = np.zeros((height, width), int)
    for tile, _ in tiles.Tiler(network, tile_px).tiles(ramp(height, width)):
        seen[tile.kept] += 1
        for span, side in ((tile.down, height), (tile.across, width)):
            assert span.start % grid == 0
            assert span.start == 0 or span.kept_start - span.start >= overlap_px
            assert span.stop == side or (span.stop - span.kept_stop >= overlap_px and span.stop % grid == 0)
    assert (seen == 1).all()


@pytest.mark.parametrize(("dtype", "top"), [(torch.uint8, 255), (torch.uint16, 65535)])
def test_integer_pixels_count_from_zero_to_one(dtype: torch.dtype, top: int) -> None:
    levels = torch.arange(12, dtype=torch.int32).mul(top // 11).to(dtype).reshape(1, 3, 2, 2)
    assert torch.allclose(_run(enlarging(1), levels), levels.float() / top)


class _LittleMemory(nn.Module):
    """Fails above some size like the real allocators do, and on the calls that it is told to."""

    def __init__(self, network: Network, largest_px: int, failing: frozenset[int], error: Exception) -> None:
        super().__init__()
        self.module, self.largest_px, self.failing, self.error, self.calls = (
            network.module,
            largest_px,
            failing,
            error,
            0,
        )

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if max(x.shape[2:]) > self.largest_px or (self.calls in self.failing and max(x.shape[2:]) > 16):
            raise self.error
        return self.module(x)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
    RuntimeError("MPS backend out of memory"),
    MemoryError(),
]


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(OUT_OF_MEMORY),
    st.integers(16, 64),
    st.frozensets(st.integers(1, 30), max_size=5),
    st.integers(24, 90),
)
def test_a_tile_that_ran_out_of_memory_is_computed_again_smaller(
    error: Exception, largest_px: int, failing: frozenset[int], tile_px: int
) -> None:
    network, rgb = convolutions(2), ramp(70, 53)
    little = dataclasses.replace(network, module=_LittleMemory(network, largest_px, failing, error))
    assert torch.allclose(_run(little, rgb, tile_px), network(rgb), atol=1e-5)


@pytest.mark.parametrize("tile_px", [32, None])
def test_memory_that_does_not_suffice_for_the_smallest_tile_is_said(tile_px: int | None) -> None:
    network = convolutions()
    none = dataclasses.replace(network, module=_LittleMemory(network, 3, frozenset(), MemoryError()))
    with pytest.raises(ResourceError, match="even for a tile of 9 px, the smallest"):
        _run(none, ramp(64, 64), tile_px)


def test_memory_that_runs_out_while_it_is_measured_makes_small_tiles() -> None:
    network, rgb = convolutions(1), ramp(40, 40)
    first = dataclasses.replace(network, module=_FailingOnce(network))
    assert torch.allclose(_run(first, rgb), network(rgb), atol=1e-5)


class _FailingOnce(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.module, self.has_failed = network.module, False

    def forward(self, x: Tensor) -> Tensor:
        if not self.has_failed:
            self.has_failed = True
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.module(x)


def test_another_failure_of_the_network_is_not_taken_for_little_memory() -> None:
    network = convolutions()
    broken = dataclasses.replace(network, module=_LittleMemory(network, 3, frozenset(), RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        _run(broken, ramp(64, 64), 32)


def test_a_size_that_failed_is_not_tried_again_on_the_next_picture() -> None:
    network = convolutions(1)
    module = _LittleMemory(network, 20, frozenset(), MemoryError())
    tiler = tiles.Tiler(dataclasses.replace(network, module=module), 64)
    list(tiler.tiles(ramp(40, 40)))
    before = module.calls
    assert len(list(tiler.tiles(ramp(40, 40)))) == module.calls - before


def test_automatic_tiles_fit_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    network = convolutions()
    needed = memory.bytes_per_px(network, 64)
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed * 4 * 40 * 40)
    sides = [tile.side_px for tile, _ in tiles.Tiler(network).tiles(ramp(90, 30))]
    assert len(sides) > 1
    assert max(sides) <= 44


def test_a_picture_that_fits_is_one_tile_whatever_came_before_it() -> None:
    tiler = tiles.Tiler(convolutions())
    assert [len(list(tiler.tiles(ramp(side, side)))) for side in (2, 60, 100)] == [1, 1, 1]


def test_memory_is_measured_where_tensors_are_alive_together() -> None:
    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x + 1  # 12 bytes a px each
            z = y + 1
            del y
            return z + 1

    measured = memory.bytes_per_px(Network(Doubled(), "doubled", 1), 32)
    assert 24 <= measured / 1.5 <= 36  # two at a time, and the measured picture itself


def test_a_networks_own_weights_do_not_count_as_memory_a_px() -> None:
    small, large = (
        memory.bytes_per_px(
            Network(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, side, padding="same")), "conv", 1), 16
        )
        for side in (1, 15)
    )
    assert large <= 2 * small


class _Overflowing(nn.Module):
    def __init__(self, *, always: bool) -> None:
        super().__init__()
        self.always = always

    def forward(self, x: Tensor) -> Tensor:
        is_reduced = torch.is_autocast_enabled("cpu")
        y = x.clone()
        if self.always or is_reduced:
            y[..., 0, 0] = float("inf")
        return y


def test_what_overflows_in_low_precision_is_computed_in_float32() -> None:
    network = Network(_Overflowing(always=False), "overflowing", 1, dtype=torch.bfloat16)
    rgb = ramp(20, 20)
    assert torch.equal(_run(network, rgb), rgb)


def test_a_result_that_is_not_finite_is_refused_by_name() -> None:
    network = Network(_Overflowing(always=True), "overflowing", 1, origin="some.pth")
    with pytest.raises(WeightsError, match=r"some\.pth.*at x 0, y 0.*not finite"):
        _run(network, ramp(20, 20))


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 4, 4), (1, 1, 4, 4), (1, 3, 0, 4)], ids=str)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3, h, w\)"):
        list(tiles.Tiler(enlarging()).tiles(torch.zeros(shape)))


def test_progress_counts_every_pixel() -> None:
    told: list[tuple[int, int]] = []
    _run(convolutions(), ramp(50, 40), 20, lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (2000, 2000)


def _container(folder: Path, limit: str, used: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text("anon 1\ninactive_file 100\n")


@pytest.mark.parametrize(("limit", "free"), [("5000", 4100), ("max", 8192)])
def test_a_containers_limit_counts_as_well_as_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, free: int
) -> None:
    _container(tmp_path, limit, 1000)
    (tmp_path / "meminfo").write_text("MemTotal: 16 kB\nMemAvailable:       8 kB\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert memory.free_bytes("cpu") == free
