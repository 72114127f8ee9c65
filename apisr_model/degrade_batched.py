"""The degradation of `degrade` for many pictures at once, on any device: blur, noise and resize there, codecs here.

Every picture has its own steps in its own order. They are walked in rounds: of the operators that some picture waits
for, the first of `_ORDER` is done for all that wait for it. So blur and noise happen once a stage for all, wherever the
resize stands, and the codecs of a stage together.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apisr_model import cores
from apisr_model.degradations.analogue import Analogue
from apisr_model.degradations.blur import Blur
from apisr_model.degradations.image_codecs import ImageCodec
from apisr_model.degradations.noise import Gaussian, Poisson
from apisr_model.degradations.resize import Resize
from apisr_model.degradations.video_codecs import VideoCodec
from apisr_model.degrade import Degradation, DegradationConfig, Drawn
from apisr_model.device_degradations import Canvases, blur, host, noise, resize
from apisr_model.errors import ShapeError

_ORDER: tuple[tuple[type[Any], ...], ...] = (
    (Resize,),
    (Blur,),
    (Gaussian, Poisson),
    (Analogue,),
    (ImageCodec, VideoCodec),
)


class BatchedDegradation:
    """Draws as `Degradation` does, and applies what was drawn to a batch; `threads`, one a core, run the codecs."""

    def __init__(self, config: DegradationConfig, scale: int, *, threads: int | None = None) -> None:
        self._single = Degradation(config, scale)
        self.scale = scale
        self._threads = threads or cores.mine()

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Parameters for one picture: those that `Degradation.draw` gives."""
        return self._single.draw(rng)

    @torch.no_grad()
    def apply(self, high_res: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        """RGB (b, 3, h, w) in 0..1, one drawing a picture -> (b, 3, h / scale, w / scale) float32 in 0..1, same device.

        Blur and resize are those of `Degradation.apply` within 1e-5, so codecs mostly see the same levels; where one
        differs, an encoder may decide otherwise. Noise has the same distribution and samples of its own. A batch gives
        the same on one device each time; beside other pictures a picture may round otherwise.

        Raises:
            ShapeError: not floats (b, 3, h, w), a side that is no multiple of the scale, or not one drawing a picture.
            DegradationError: a codec failed; the message names it and its parameters.
        """
        shape, scale = tuple(high_res.shape), self.scale
        if len(shape) != 4 or shape[1] != 3 or not high_res.numel() or not high_res.is_floating_point():
            raise ShapeError(f"degradation wants floats (b, 3, h, w), found {high_res.dtype} {shape}")
        count, _, height, width = shape
        if height % scale or width % scale:
            raise ShapeError(f"degradation by {scale} wants sides that are multiples of it, found {width}x{height}")
        if len(drawn) != count:
            raise ShapeError(f"degradation wants one drawing a picture, found {len(drawn)} for {count}")
        canvases = Canvases(high_res.float(), ((height, width),) * count)
        queues = [deque(one.steps) for one in drawn]
        while any(queues):
            kinds = next(kinds for kinds in _ORDER if any(queue and isinstance(queue[0], kinds) for queue in queues))
            places = [place for place, queue in enumerate(queues) if queue and isinstance(queue[0], kinds)]
            steps: list[Any] = [queues[place].popleft() for place in places]
            done = self._apply(canvases.at(places), steps, (width, height))
            canvases = canvases.replaced(places, done)
        if wrong := set(canvases.sizes) - {(height // scale, width // scale)}:
            raise ShapeError(
                f"degradation by {scale}: what was drawn makes {wrong} of {height}x{width}: another scale's?"
            )
        return canvases.pixels.clamp(0, 1)

    def _apply(self, canvases: Canvases, steps: Sequence[Any], high_res_px: tuple[int, int]) -> Canvases:
        """Steps of one kind, one a picture; `high_res_px` is what resizes are relative to, (width, height)."""
        match steps[0]:
            case Resize():
                sizes = [step.size(*high_res_px)[::-1] for step in steps]
                return resize.apply(canvases, [step.kernel for step in steps], sizes)
            case Blur():
                return blur.apply(canvases, steps)
            case Gaussian() | Poisson():
                return noise.apply(canvases, steps)
            case Analogue():
                return host.spoil(canvases, steps, self._threads)
            case _:
                return host.compress(canvases, steps, self._threads)
