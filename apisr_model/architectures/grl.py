"""GRL: a transformer of windows, stripes and anchors, as APISR trains it.

Source: Li et al., "Efficient and Explicit Modelling of Image Hierarchies for Image Restoration", CVPR 2023; the
sizes are those of Wang et al., "APISR: Anime Production Inspired Real-World Anime Super-Resolution", CVPR 2024: windows
and stripes are 8x8 pixels, a stripe has 4x4 anchors, and stripes never shift. A deviation: «nearest+conv» also does
scales 1 and 2.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.architectures import _grl_cpu, _grl_windows
from apisr_model.architectures._grl_block import Block, Relation, Term, Terms
from apisr_model.architectures._grl_windows import SIDE_PX, Grid, Shift
from apisr_model.architectures.record import Architecture, Config, State
from apisr_model.errors import ShapeError

_MEAN = 0.4488, 0.4371, 0.4040
_TAIL_CHANNELS = 64
_OVERLAP_PX = 32
"""Its 16 blocks reach further, but weakly: of tiny2 with made-up weights on noise, a cut changes what lies 16 px away
by 2.4/255, 24 px 0.16/255, 32 px 0.004/255. A multiple of the grid, with a margin for trained weights."""
_WINDOW_TABLES = {
    "table_w": (1, 15, 15, 2),
    "table_sh": (1, 11, 11, 2),
    "table_sv": (1, 11, 11, 2),
    "index_w": (64, 64),
}
_STORED = (
    *_WINDOW_TABLES,
    *(f"{kind}_s{way}_{pair}" for kind in ("index", "mask") for way in "hv" for pair in ("a2w", "w2a")),
    "mask_w",
)
"""What the authors' files hold besides weights: for one size of picture, and all of it follows from the sizes."""


class GrlConfig(Config):
    """Sizes; the defaults are tiny2, the paper's."""

    scale: Literal[1, 2, 4] = 4
    """Output side over input side."""
    channels: int = pydantic.Field(default=64, ge=1)
    """Of the body; a multiple of twice the heads."""
    depths: tuple[int, ...] = (4, 4, 4, 4)
    """Blocks of each stage."""
    window_heads: int = pydantic.Field(default=2, ge=1)
    stripe_heads: int = pydantic.Field(default=2, ge=1)
    mlp_ratio: int = pydantic.Field(default=2, ge=1)
    """Channels within the MLP over `channels`."""
    upsampler: Literal["nearest+conv", "pixelshuffle", "pixelshuffledirect"] = "nearest+conv"
    drop_path: float = 0.1
    """Chance that the last block is passed over while training; it rises evenly from none at the first."""


class Grl(nn.Module):
    """(b, 3, h, w) in [0, 1] -> (b, 3, scale * h, scale * w); h and w are multiples of 8.

    Without gradients, what follows from the weights alone is kept until they change in place; a change through their
    `.data`, of which torch tells nothing, shows after the next `train()` or `eval()`.

    Raises:
        ShapeError: the sides are no multiples of 8.
    """

    mean: Tensor
    masks: Tensor

    def __init__(self, config: GrlConfig) -> None:
        super().__init__()
        channels = config.channels
        self.conv_first = _conv(3, channels)
        self.norm_start = nn.LayerNorm(channels)
        blocks = sum(config.depths)
        drop_paths = iter([config.drop_path * i / max(blocks - 1, 1) for i in range(blocks)])
        self.layers = nn.ModuleList([_Stage(config, [next(drop_paths) for _ in range(n)]) for n in config.depths])
        self.norm_end = nn.LayerNorm(channels)
        self.conv_after_body = _conv(channels, channels)
        pixels, anchors = _grl_windows.positions(4), _grl_windows.positions(2)
        self.relations = nn.ModuleList(
            [Relation(pixels, pixels, 7), Relation(anchors, pixels, 5), Relation(pixels, anchors, 5)]
        )
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("masks", _grl_windows.border_masks()[:, None], persistent=False)
        self._kept: _Kept | None = None
        self.register_load_state_dict_pre_hook(_drop_stored)  # type: ignore[no-untyped-call]
        self.apply(_draw)

    def forward(self, x: Tensor) -> Tensor:
        """Upscale; see above."""
        batch, _, height, width = x.shape
        if height % SIDE_PX or width % SIDE_PX:
            raise ShapeError(f"grl wants sides that are multiples of {SIDE_PX}, found {height}x{width}")
        grid = Grid(batch, height // SIDE_PX, width // SIDE_PX)
        x = self.conv_first((x - self.mean).contiguous(memory_format=torch.channels_last))
        return self.enlarge(self.conv_after_body(self._body(x, grid)) + x) + self.mean

    def enlarge(self, x: Tensor) -> Tensor:
        """Features (b, c, h, w) -> RGB less the mean (b, 3, scale * h, scale * w)."""
        raise NotImplementedError

    def _body(self, x: Tensor, grid: Grid) -> Tensor:
        x = self.norm_start(grid.split(x))
        shift, terms = _grl_windows.shift(grid, x.device), iter(self._terms())
        for stage in self.layers:
            x = stage(x, grid, shift, terms)
        return grid.join(self.norm_end(x))

    def _terms(self) -> list[Terms]:
        blocks = [cast("Block", block) for stage in self.layers for block in cast("_Stage", stage).blocks]
        if torch.is_grad_enabled() or _grl_cpu.is_traced():
            return self._compute_terms(blocks)
        sources = [p for block in blocks for similarity in block.attn.similarities() for p in similarity.parameters()]
        if any(source.is_inference() for source in sources):  # these do not tell whether they have changed
            return self._compute_terms(blocks)
        versions = [source._version for source in sources]
        if self._kept is None or not self._kept.is_of(sources, versions):
            self._kept = _Kept(sources, versions, self._compute_terms(blocks))
        return self._kept.terms

    def _compute_terms(self, blocks: list[Block]) -> list[Terms]:
        similarities = zip(*(block.attn.similarities() for block in blocks), strict=True)
        within, gather, spread = (r(of) for r, of in zip(self.relations, similarities, strict=True))
        within = [
            Term(t.scale, t.bias + self.masks if b.is_shifted else t.bias) for t, b in zip(within, blocks, strict=True)
        ]
        return [Terms(*each) for each in zip(within, gather, spread, strict=True)]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Grl":
        self._kept = None  # a move to another device or type does not count as a change in place
        return cast("Grl", super()._apply(fn, recurse))  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> "Grl":
        """As any module's; what was kept is computed anew."""
        self._kept = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # a copy's weights change without us


class _Nearest(Grl):
    """Enlarges by repeating pixels before a convolution."""

    def __init__(self, config: GrlConfig) -> None:
        super().__init__(config)
        self.conv_before_upsample = _before_upsample(config)
        if config.scale >= 2:
            self.conv_up1 = _conv(_TAIL_CHANNELS, _TAIL_CHANNELS)
        if config.scale >= 4:
            self.conv_up2 = _conv(_TAIL_CHANNELS, _TAIL_CHANNELS)
        self.conv_hr = _conv(_TAIL_CHANNELS, _TAIL_CHANNELS)
        self.conv_last = _conv(_TAIL_CHANNELS, 3)

    def enlarge(self, x: Tensor) -> Tensor:
        doublings = [getattr(self, name) for name in ("conv_up1", "conv_up2") if hasattr(self, name)]
        x = self.conv_before_upsample(x)
        for conv in doublings[:-1]:
            x = _doubled(x, conv)

        def finish(x: Tensor) -> Tensor:
            for conv in doublings[-1:]:
                x = _doubled(x, conv)
            result: Tensor = self.conv_last(functional.leaky_relu(self.conv_hr(x), 0.2, inplace=True))
            return result

        return _grl_cpu.in_strips(finish, x, halo=2, widest=4 * _TAIL_CHANNELS)


class _Shuffle(Grl):
    """Enlarges by sub-pixel convolutions, each by two."""

    def __init__(self, config: GrlConfig) -> None:
        super().__init__(config)
        self.conv_before_upsample = _before_upsample(config)
        ups = [
            up
            for _ in range(config.scale // 2)
            for up in (_conv(_TAIL_CHANNELS, 4 * _TAIL_CHANNELS), nn.PixelShuffle(2))
        ]
        self.upsample = nn.ModuleDict({"up": nn.Sequential(*ups)})
        self.conv_last = _conv(_TAIL_CHANNELS, 3)

    def enlarge(self, x: Tensor) -> Tensor:
        ups = list(cast("nn.Sequential", self.upsample["up"]))
        x = nn.Sequential(self.conv_before_upsample, *ups[:-2])(x)
        finish = nn.Sequential(*ups[-2:], self.conv_last)
        return _grl_cpu.in_strips(finish, x, halo=2, widest=4 * _TAIL_CHANNELS)


class _ShuffleDirect(Grl):
    """Enlarges by one sub-pixel convolution."""

    def __init__(self, config: GrlConfig) -> None:
        super().__init__(config)
        up = nn.Sequential(_conv(config.channels, 3 * config.scale**2), nn.PixelShuffle(config.scale))
        self.upsample = nn.ModuleDict({"up": up})

    def enlarge(self, x: Tensor) -> Tensor:
        result: Tensor = self.upsample["up"](x)
        return result


class _Stage(nn.Module):
    """Blocks of which every other shifts its windows, then a convolution, around all of which the input is added."""

    def __init__(self, config: GrlConfig, drop_paths: list[float]) -> None:
        super().__init__()
        sizes = config.channels, config.window_heads, config.stripe_heads, config.mlp_ratio
        self.blocks = nn.ModuleList(
            [Block(*sizes, is_shifted=i % 2 == 0, drop_path=drop_path) for i, drop_path in enumerate(drop_paths)]
        )
        self.conv = _conv(config.channels, config.channels)

    def forward(self, x: Tensor, grid: Grid, shift: Shift, terms: Iterator[Terms]) -> Tensor:
        """(windows, 64, c) -> (windows, 64, c); takes its blocks' terms."""
        y = x
        for block in self.blocks:
            y = block(y, grid, shift, next(terms))
        return grid.split(self.conv(grid.join(y))) + x


class _Kept(NamedTuple):
    """The terms of weights as they were."""

    sources: list[nn.Parameter]
    versions: list[int]
    terms: list[Terms]

    def is_of(self, sources: list[nn.Parameter], versions: list[int]) -> bool:
        return self.versions == versions and all(map(operator.is_, self.sources, sources))


def detect(state: State) -> GrlConfig | None:
    """The configuration of the network with these weights; the authors' tables and masks may be among them."""
    tables = {key: tuple(state[key].shape) for key in _WINDOW_TABLES if key in state}
    if any(shape != _WINDOW_TABLES[key] for key, shape in tables.items()):
        return None  # windows of other sizes
    shapes = {key: tuple(value.shape) for key, value in state.items() if key not in _STORED}
    config = _guess(shapes)
    with torch.random.fork_rng(devices=()):  # building it on the meta device takes longer
        expected = _build(config).state_dict()
    return config if shapes == {key: tuple(value.shape) for key, value in expected.items()} else None


def _guess(shapes: Mapping[str, tuple[int, ...]]) -> GrlConfig:
    """What the shapes say if they are of a GRL at all."""
    channels = shapes["conv_first.weight"][0]
    places = {tuple(map(int, key.split(".")[1:4:2])) for key in shapes if key.endswith(".attn.proj.weight")}
    depths = tuple(sum(stage == i for stage, _ in places) for i in range(max(places)[0] + 1))
    first = "layers.0.blocks.0"
    if "conv_hr.weight" in shapes:
        upsampler, scale = "nearest+conv", 2 ** sum(f"conv_up{i}.weight" in shapes for i in (1, 2))
    elif "conv_last.weight" in shapes:
        upsampler, scale = "pixelshuffle", 2 ** sum(f"upsample.up.{i}.weight" in shapes for i in (0, 2))
    else:
        upsampler, scale = "pixelshuffledirect", math.isqrt(shapes["upsample.up.0.weight"][0] // 3)
    return GrlConfig.model_validate(
        {
            "scale": scale,
            "channels": channels,
            "depths": depths,
            "window_heads": shapes[f"{first}.attn.window_attn.attn_transform.logit_scale"][0],
            "stripe_heads": shapes[f"{first}.attn.stripe_attn.attn_transform1.logit_scale"][0],
            "mlp_ratio": shapes[f"{first}.mlp.fc1.weight"][0] // channels,
            "upsampler": upsampler,
        }
    )


def _build(config: GrlConfig) -> Grl:
    kinds = {"nearest+conv": _Nearest, "pixelshuffle": _Shuffle, "pixelshuffledirect": _ShuffleDirect}
    return kinds[config.upsampler](config)


def _doubled(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Each pixel repeated 2x2, then `conv`, then its activation, without the repeated pixels ever being there.

    A 3x3 convolution sees only 2x2 different ones of them, so that a transposed one of 4x4 at stride 2, whose weights
    are sums of up to four of its weights, gives the same with 4/9 of the multiplications.
    """
    flipped = conv.weight.flip(2, 3).transpose(0, 1)
    sums = 4 * functional.avg_pool2d(flipped, 2, stride=1, padding=1)
    return functional.leaky_relu(
        functional.conv_transpose2d(x, sums, conv.bias, stride=2, padding=1), 0.2, inplace=True
    )


def _conv(channels: int, result: int) -> nn.Conv2d:
    return nn.Conv2d(channels, result, 3, padding=1)


def _before_upsample(config: GrlConfig) -> nn.Sequential:
    return nn.Sequential(_conv(config.channels, _TAIL_CHANNELS), nn.LeakyReLU(inplace=True))


def _draw(module: nn.Module) -> None:
    """The authors' initial weights; convolutions keep torch's."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _drop_stored(_module: nn.Module, state: dict[str, Any], prefix: str, *_rest: object) -> None:
    for key in _STORED:
        state.pop(prefix + key, None)


ARCHITECTURE = Architecture(
    name="grl",
    config=GrlConfig,
    build=_build,
    detect=detect,
    rename=lambda state: {key: tensor for key, tensor in state.items() if key not in _STORED},
    multiple_of=lambda _config: SIDE_PX,
    overlap_px=lambda _config: _OVERLAP_PX,
    variants={
        "tiny2": {},
        "tiny": {"upsampler": "pixelshuffledirect"},
        "small": {"channels": 128, "upsampler": "pixelshuffle"},
    },
)
