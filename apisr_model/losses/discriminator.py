"""The critic of the adversarial term: three PatchGANs that see the picture at three sizes.

Keys are those of APISR's checkpoints.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017 (PatchGAN); Miyato
et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018, algorithm 1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.errors import ShapeError

MIN_SIDE_PX = 96
"""Below it the coarsest PatchGAN has nothing left to judge."""

_SCALES = 3
_FEATURES = 64
_SLOPE = 0.2
_CONVOLUTIONS = {0: (3, 64, 2), 2: (64, 128, 2), 5: (128, 256, 2), 8: (256, 512, 1), 11: (512, 1, 1)}
"""Index among the authors' layers -> channels in, channels out, stride."""


class Discriminator(nn.Module):
    """8,294,211 parameters in three PatchGANs of the same form; each map's value judges 70x70 px of its picture."""

    def __init__(self) -> None:
        super().__init__()
        self.dis_list = nn.ModuleList(_PatchGan() for _ in range(_SCALES))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """RGB (b, 3, h, w) in [0, 1] -> verdicts at scales 1, 1/2, 1/4, each (b, 1, side / 8 - 2), unbounded.

        Raises:
            ShapeError: a side is below `MIN_SIDE_PX`.
        """
        if rgb.ndim != 4 or rgb.shape[1] != 3 or min(rgb.shape[2:]) < MIN_SIDE_PX:
            raise ShapeError(
                f"the discriminator takes RGB (b, 3, h, w), sides from {MIN_SIDE_PX} px, not {tuple(rgb.shape)}"
            )
        verdicts = []
        for i, patch_gan in enumerate(self.dis_list):
            if i:
                half = (rgb.shape[2] // 2, rgb.shape[3] // 2)
                rgb = functional.interpolate(rgb, half, mode="bilinear", align_corners=True)
            verdicts.append(patch_gan(rgb))
        return verdicts


class _PatchGan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict({str(i): _SpectralConv(*shape) for i, shape in _CONVOLUTIONS.items()})

    def forward(self, x: Tensor) -> Tensor:
        *convolutions, verdict = self.model.values()
        for conv in convolutions:
            x = functional.leaky_relu(conv(x), _SLOPE, inplace=True)
        last: Tensor = verdict(x)
        return last


class _SpectralConv(nn.Module):
    """A 4x4 convolution whose kernel, as a matrix, is divided by its largest singular value.

    That value is estimated by one round of power iteration at each forward in training mode. It is what torch's
    `spectral_norm` does, but in float32 under autocast too.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        drawn = nn.Conv2d(inputs, outputs, 4)
        self.stride = stride
        self.bias = drawn.bias
        self.weight_orig = drawn.weight
        self.register_buffer("weight_u", functional.normalize(torch.randn(outputs), dim=0))
        self.register_buffer("weight_v", functional.normalize(torch.randn(inputs * 4 * 4), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight = self.weight_orig / self._largest_singular_value()
        return functional.conv2d(x, weight, self.bias, self.stride, padding=1)

    def _largest_singular_value(self) -> Tensor:
        matrix = self.weight_orig.flatten(1)  # (outputs, inputs * 4 * 4)
        # copies: the next forward changes the buffers before this one's gradient is computed
        u, v = self.get_buffer("weight_u").clone(), self.get_buffer("weight_v").clone()
        if self.training:
            with torch.no_grad():
                v = functional.normalize(matrix.T @ u, dim=0)
                u = functional.normalize(matrix @ v, dim=0)
                self.get_buffer("weight_u").copy_(u)
                self.get_buffer("weight_v").copy_(v)
        return torch.dot(u, matrix @ v)
