"""What TensorBoard shows of a run: RUN/tensorboard."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from apisr_model.train.validation import Validation

FOLDER = "tensorboard"


class Board:
    """Curves by step, and validation pictures: input, output and raw picture side by side."""

    def __init__(self, run: Path, step: int) -> None:
        """What an earlier session wrote of the steps after `step` is shown no more: they are done again."""
        self._writer = SummaryWriter(str(run / FOLDER), purge_step=step + 1)

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def step(self, step: int, told: Mapping[str, float], **others: float) -> None:
        """A point of each curve of a step: its terms and gradients, and `others` such as the learning rate."""
        self._curves(step, "step", {**told, **others})

    def _curves(self, step: int, group: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def validation(self, step: int, found: Validation) -> None:
        """The points of the validation's curves."""
        values = {"raw_psnr": found.psnr, "raw_psnr_over_bicubic": found.psnr - found.bicubic_psnr}
        values[found.metric] = found.value
        colours = zip(("drift_red", "drift_green", "drift_blue"), found.drift, strict=True)
        self._curves(step, "validation", values | dict(colours))

    def picture(self, step: int, number: int, low_res: Tensor, output: Tensor, raw: Tensor) -> None:
        """RGB (3, h, w) in [0, 1]; the input's pixels are repeated up to the output's size."""
        enlarged = functional.interpolate(low_res[None], raw.shape[1:], mode="nearest")[0]
        together = torch.cat([enlarged, output, raw], dim=2).cpu()
        self._writer.add_image(f"validation/{number}: input, output, raw", together, step)
