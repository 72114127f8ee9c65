"""GRL's block: attention within windows and, by way of anchors, within stripes; then an MLP.

Tensors are (windows, pixels, channels), in the order of `_grl_windows`. Modules are named as in the authors' files.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.architectures import _grl_cpu, _grl_windows
from apisr_model.architectures._grl_windows import Grid, Shift

_BIAS_CHANNELS = 512
_MOST_BIAS = 16
_MOST_LOGIT = math.log(100)


class Term(NamedTuple):
    """What an attention multiplies its cosines with, and then adds; follows from the weights alone."""

    scale: Tensor
    """(heads, 1)"""
    bias: Tensor
    """(kinds of windows, heads, queries, keys)"""


class Terms(NamedTuple):
    """Those of one block: within windows, from pixels to anchors, and back to pixels."""

    window: Term
    gather: Term
    spread: Term


class Similarity(nn.Module):
    """The weights that a `Term` follows from: a scale for each head, and a bias by relative position."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, _BIAS_CHANNELS), nn.ReLU(), nn.Linear(_BIAS_CHANNELS, heads, bias=False)
        )


class Linear(nn.Linear):
    """A linear layer that is fast on a CPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as its parent calls it
        return _grl_cpu.linear(input, self.weight, self.bias)


class Block(nn.Module):
    """One block: (windows, 64, c) -> (windows, 64, c); `is_shifted` moves its windows, never its stripes."""

    def __init__(
        self, channels: int, window_heads: int, stripe_heads: int, mlp_ratio: int, *, is_shifted: bool, drop_path: float
    ) -> None:
        super().__init__()
        self.attn = _Attention(channels, window_heads, stripe_heads)
        self.norm1 = nn.LayerNorm(channels)
        self.mlp = _Mlp(channels, mlp_ratio * channels)
        self.norm2 = nn.LayerNorm(channels)
        self.is_shifted = is_shifted
        self.drop_path = drop_path

    def forward(self, x: Tensor, grid: Grid, shift: Shift, terms: Terms) -> Tensor:
        if self.is_shifted:
            local = shift.move_back(self.attn.within_windows(shift.move(x), shift.counts, terms.window))
        else:
            local = self.attn.within_windows(x, (x.shape[0],), terms.window)

        def mix(x: Tensor, local: Tensor) -> Tensor:
            x = x + self._dropped(self.norm1(self.attn(x, local, terms)), grid)
            return x + self._dropped(self.norm2(self.mlp(x)), grid)

        return mix(x, local) if self.training else _grl_cpu.in_parts(mix, x, local)

    def _dropped(self, x: Tensor, grid: Grid) -> Tensor:
        """While training, nothing of some pictures of the batch and more of the others."""
        if not self.training or self.drop_path == 0:
            return x
        kept = x.new_empty(grid.batch, 1, 1, 1).bernoulli_(1 - self.drop_path) / (1 - self.drop_path)
        return (x.view(grid.batch, -1, *x.shape[1:]) * kept).view(x.shape)


class _Mlp(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(channels, hidden)
        self.fc2 = Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return result


class _Attention(nn.Module):
    """Both attentions; the first half of the queries', keys' and values' channels is that of the windows."""

    def __init__(self, channels: int, window_heads: int, stripe_heads: int) -> None:
        super().__init__()
        self.qkv = nn.ModuleDict({"body": nn.Linear(channels, 3 * channels)})
        self.anchor = nn.ModuleDict(
            {"body": nn.ModuleList([nn.ModuleDict({"reduction": Linear(channels, channels // 2)})])}
        )
        self.window_attn = nn.ModuleDict({"attn_transform": Similarity(window_heads)})
        self.stripe_attn = nn.ModuleDict({f"attn_transform{i}": Similarity(stripe_heads) for i in (1, 2)})
        self.proj = Linear(channels, channels)

    def similarities(self) -> list[Similarity]:
        """What the three of `Terms` follow from."""
        names = "window_attn.attn_transform", "stripe_attn.attn_transform1", "stripe_attn.attn_transform2"
        return [cast("Similarity", self.get_submodule(name)) for name in names]

    def within_windows(self, x: Tensor, counts: tuple[int, ...], term: Term) -> Tensor:
        """(windows, 64, c), so many of each kind -> (windows, 64, c / 2)."""

        def attend(x: Tensor, bias: Tensor) -> Tensor:
            return _attend(*self._queries_keys_values(x, 0, term.scale), bias).flatten(2)

        kinds = torch.split(term.bias, 1)
        if _grl_cpu.is_here(x):  # one bias for many windows stays in the cache
            parts = zip(torch.split(x, list(counts)), kinds, strict=True)
            return torch.cat([_grl_cpu.in_parts(partial(attend, bias=bias), part) for part, bias in parts if len(part)])
        return attend(x, torch.cat([bias.expand(n, -1, -1, -1) for bias, n in zip(kinds, counts, strict=True)]))

    def forward(self, x: Tensor, local: Tensor, terms: Terms) -> Tensor:
        """(windows, 64, c) and what `within_windows` made of it -> (windows, 64, c)."""
        q, k, v = self._queries_keys_values(x, 1, terms.spread.scale)
        reduced = self.anchor.get_submodule("body.0.reduction")(_grl_windows.pool(x))
        anchors = _unit(_exact(reduced).view(-1, _grl_windows.ANCHORS, *q.shape[2:]))
        gathered = _attend(anchors * terms.gather.scale, k, v, terms.gather.bias)
        regional = _attend(q, anchors, gathered, terms.spread.bias).flatten(2)
        mixed: Tensor = self.proj(torch.cat([local, regional], 2))
        return mixed

    def _queries_keys_values(self, x: Tensor, half: int, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each (windows, 64, heads, c), of one attention; queries and keys of unit length, queries scaled."""
        body = cast("nn.Linear", self.qkv["body"])
        weight, bias = body.weight.chunk(2)[half], body.bias.chunk(2)[half]
        qkv = _exact(_grl_cpu.linear(x, weight, bias)).view(*x.shape[:2], 3, scale.shape[0], -1)
        factors = torch.stack([scale, torch.ones_like(scale)])
        q, k = _unit(qkv[:, :, :2], factors).unbind(2)
        return q, k, qkv[:, :, 2]


class Relation(nn.Module):
    """The `Term`s of attentions from queries to keys at those places of a window, (n, 2) and (m, 2).

    `furthest` is half the range that the differences of their rows have.
    """

    index: Tensor
    offsets: Tensor

    def __init__(self, queries: Tensor, keys: Tensor, furthest: int) -> None:
        super().__init__()
        apart = queries[:, None] - keys  # (n, m, 2)
        row, column = (apart - apart.amin((0, 1))).unbind(2)
        along = torch.arange(-furthest, furthest + 1) * (8 / furthest)
        along = along.sign() * torch.log2(along.abs() + 1) / 3
        self.register_buffer("index", row * (2 * furthest + 1) + column, persistent=False)
        self.register_buffer("offsets", torch.cartesian_prod(along, along), persistent=False)

    def forward(self, similarities: Sequence[Similarity]) -> list[Term]:
        """One for each; computed together, for there are many and they are small."""
        with torch.autocast(self.offsets.device.type, enabled=False):
            logits = torch.stack([similarity.logit_scale for similarity in similarities])
            scales = logits.clamp(max=_MOST_LOGIT).exp().flatten(2)  # (blocks, heads, 1)
            hidden, _, out = zip(*(similarity.cpb_mlp for similarity in similarities), strict=True)
            inner = torch.stack([layer.weight for layer in hidden]) @ self.offsets.T  # (blocks, 512, offsets)
            inner = functional.relu(inner + torch.stack([layer.bias for layer in hidden])[..., None])
            bias = _MOST_BIAS * torch.sigmoid(torch.stack([layer.weight for layer in out]) @ inner)
            biases = bias[:, :, self.index]  # (blocks, heads, n, m)
        return [Term(scale, bias[None]) for scale, bias in zip(scales, biases, strict=True)]


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Attention of (windows, n, heads, c) to (windows, m, heads, c); the logits are products of q and k, plus bias."""
    with torch.autocast("cpu", enabled=False):  # in float32 it is faster there than in bfloat16, and exact
        attended: Tensor = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), bias.to(q.dtype), scale=1.0
        )
    return attended.transpose(1, 2)


def _unit(x: Tensor, length: Tensor | float = 1.0) -> Tensor:
    """Vectors in the last dimension, brought to that length."""
    factor: Tensor = length / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(1e-12)
    return x * factor


def _exact(x: Tensor) -> Tensor:
    """On a CPU in float32 if it is less exact."""
    is_reduced = x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16)
    return x.float() if is_reduced else x
