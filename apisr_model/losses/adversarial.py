"""The least-squares GAN, averaged over the discriminator's scales.

Source: Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, equation 9 with a = 0, b = c = 1; the
halves before its terms are left out, as in APISR's code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def generator_loss(fake: Sequence[Tensor]) -> Tensor:
    """How far the verdicts on generated pictures, one map a scale, are from 1 (real): a float32 scalar.

    The gradient passes through the discriminator: freeze its parameters (`requires_grad_(False)`) meanwhile.
    """
    return _mean_square(fake, 1.0)


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> dict[str, Tensor]:
    """The discriminator's two terms, float32 scalars: verdicts on `real` from 1, on `fake` from 0. It learns their sum.

    In APISR `real` are verdicts on the raw ground truth, not on the sharpened one: sharp lines should not become the
    mark of a real picture. `fake` are verdicts on the generator's output, detached.
    """
    return {"real": _mean_square(real, 1.0), "fake": _mean_square(fake, 0.0)}


def _mean_square(verdicts: Sequence[Tensor], wanted: float) -> Tensor:
    """Each scale weighs the same, whatever its map's size."""
    return torch.stack([(map_.float() - wanted).square().mean() for map_ in verdicts]).mean()
