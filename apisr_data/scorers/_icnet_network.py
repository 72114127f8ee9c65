"""ICNet, the network of IC9600: two ResNet-18 branches, attention by channel, a score head and a map head.

The state keys are the authors', so that their checkpoint loads as it is. The arithmetic is reduced where that is
exact, and `prepare` removes the batch norms. Together: 28.3 to 17.9 GMAC for a score.

Source: Feng et al., "IC9600: A Benchmark Dataset for Automatic Image Complexity Assessment", TPAMI 2023, section 4.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE_PX = 512
"""Side of the square input; the context branch sees it at half."""


class IcNet(nn.Module):
    """Complexity of pictures.

    Input (b, 3, 512, 512), RGB with ImageNet's mean and deviation removed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.b1_1 = _stem()
        self.b1_1_slam = _ChannelAttention(32)
        self.b1_2 = _stage(64, 128)
        self.b1_2_slam = _ChannelAttention(32)
        self.b2_1 = _stem()
        self.b2_1_slam = _ChannelAttention(32)
        self.b2_2 = _stage(64, 128)
        self.b2_2_slam = _ChannelAttention(32)
        self.b2_3 = _stage(128, 256)
        self.b2_3_slam = _ChannelAttention(16)
        self.b2_4 = _stage(256, 512)
        self.b2_4_slam = _ChannelAttention(8)
        self.up1 = _Mixer(128, 256, kernel_px=1)
        self.up2 = _Mixer(512, 256, kernel_px=1)
        self.to_map_f = _Mixer(512, 512, kernel_px=3)
        self.to_map_f_slam = _ChannelAttention(32)
        self.to_map = _MapHead(512)
        self.to_score_f = _Mixer(512, 512, kernel_px=3)
        self.to_score_f_slam = _ChannelAttention(32)
        self.head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1), nn.Sigmoid())

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The score of each picture (b,) and its map (b, 1, 64, 64), both in [0, 1]."""
        features = self._features(pictures)
        of_map = self.to_map_f(features).relu_()
        return self._score(features), self.to_map(of_map * self.to_map_f_slam(of_map))

    def score(self, pictures: Tensor) -> Tensor:
        """The score of each picture (b,), in [0, 1], at half the cost of both."""
        return self._score(self._features(pictures))

    def _features(self, pictures: Tensor) -> Tensor:
        detail = pictures
        context = _resize(pictures, SIDE_PX // 2)
        for stage, attention in ((self.b1_1, self.b1_1_slam), (self.b1_2, self.b1_2_slam)):
            detail = stage(detail)
            detail = detail * attention(detail)
        for stage, attention in (
            (self.b2_1, self.b2_1_slam),
            (self.b2_2, self.b2_2_slam),
            (self.b2_3, self.b2_3_slam),
            (self.b2_4, self.b2_4_slam),
        ):
            context = stage(context)
            context = context * attention(context)
        # A pointwise convolution and a bilinear resize commute, bias included: mix first, at 8x8 instead of 64x64.
        mixed = (self.up1(detail), _resize(self.up2(context), SIDE_PX // 8))  # each (b, 256, 64, 64)
        return torch.cat(mixed, dim=1).relu_()

    def _score(self, features: Tensor) -> Tensor:
        of_score = self.to_score_f(features).relu_()
        # The attention is one number a channel, so the mean of the product is the product with the mean.
        pooled = of_score.mean(dim=(2, 3), dtype=torch.float32) * self.to_score_f_slam(of_score).flatten(1)
        return self.head(pooled).flatten()  # type: ignore[no-any-return]


def prepare(network: IcNet, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> IcNet:
    """`network` made fast in place: eval mode, batch norms absorbed by the convolutions before them, channels last.

    The score's head stays float32, so that a smaller `dtype` costs no resolution of the score.
    """
    network.eval()
    for parent in list(network.modules()):
        for (name, layer), (norm_name, norm) in itertools.pairwise(list(parent.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, nn.utils.fuse_conv_bn_eval(layer, norm))
                setattr(parent, norm_name, nn.Identity())
    network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.head.float()
    return network.requires_grad_(False)


class _ChannelAttention(nn.Module):
    """One weight in [0, 1] a channel, (b, c, h, w) -> (b, c, 1, 1), from the channel's own picture."""

    def __init__(self, side_px: int) -> None:
        super().__init__()
        self.side_px = side_px
        self.linear = nn.Sequential(nn.Linear(side_px**2, 512), nn.ReLU(), nn.Linear(512, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(_resize(features, self.side_px).flatten(2)).unsqueeze(3)  # type: ignore[no-any-return]


class _Mixer(nn.Module):
    """A convolution with its batch norm, before the activation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_px: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_px, padding=kernel_px // 2)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        return self.bn(self.conv(features))  # type: ignore[no-any-return]


class _MapHead(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_map = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        return self.to_map(features)  # type: ignore[no-any-return]


class _Block(nn.Module):
    """ResNet's basic block.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5 left.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.bn1(self.conv1(features)).relu_()))
        return residual.add_(self.downsample(features)).relu_()  # type: ignore[no-any-return]


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    stride = 1 if in_channels == out_channels else 2
    return nn.Sequential(_Block(in_channels, out_channels, stride), _Block(out_channels, out_channels, 1))


def _stem() -> nn.Sequential:
    """(b, 3, h, w) -> (b, 64, h / 4, w / 4)."""
    convolution = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
    return nn.Sequential(
        convolution, nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1), _stage(64, 64)
    )


def _resize(features: Tensor, side_px: int) -> Tensor:
    if features.shape[2] == side_px:
        return features
    return functional.interpolate(features, (side_px, side_px), mode="bilinear", align_corners=True)
