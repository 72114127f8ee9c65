"""Small networks whose every property the tests know."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.network import Network
from tests.filled import fill


class Convolutions(nn.Module):
    """The input enlarged, plus what a few convolutions add; its reach is exactly their number, px."""

    def __init__(self, scale: int, grid: int, count: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(count):
            layers += [nn.Conv2d(8 if index else 3, 8, 3, padding=1), nn.Tanh()]
        self.body = nn.Sequential(*layers[:-1], nn.Conv2d(8, 3 * scale**2, 1), nn.PixelShuffle(scale))
        self.scale, self.grid = scale, grid

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % self.grid == 0 == x.shape[3] % self.grid
        if self.grid > 1:  # what lies off the grid gives another result
            x = functional.avg_pool2d(x, self.grid).repeat_interleave(self.grid, 2).repeat_interleave(self.grid, 3) + x
            x = x / 2
        return functional.interpolate(x, scale_factor=self.scale) + 0.2 * self.body(x)


def convolutions(scale: int = 4, grid: int = 1) -> Network:
    """A network that sees 3 px, or the cell of its grid beyond them."""
    module = fill(Convolutions(scale, grid))
    return Network(module, "convolutions", scale, multiple_of=grid, overlap_px=3 + (grid - 1))


class Enlarged(nn.Module):
    """Every pixel repeated."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def enlarging(scale: int = 4) -> Network:
    """A network whose result anyone can work out."""
    return Network(Enlarged(scale), "enlarged", scale, overlap_px=1)


def ramp(height: int, width: int) -> Tensor:
    """A picture (1, 3, h, w) in [0, 1] with no two equal rows or columns."""
    down, across = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
    waves = torch.sin(17 * down + 5 * across) / 4 + 0.5
    return torch.stack([waves, (down + across) / 2, (1 - down) * across + waves / 9])[None].clamp(0, 1)
