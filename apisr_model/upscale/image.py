"""Arrays and pictures through a network, with what surrounds colour: transparency and grey."""

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.errors import ResourceError
from apisr_model.errors import ShapeError
from apisr_model.network import Network
from apisr_model.upscale import memory
from apisr_model.upscale.picture import Channel, Picture
from apisr_model.upscale.tiles import Progress
from apisr_model.upscale.upscaler import Finish, Upscaler

PLAIN = Finish()
_PLANES_BYTES = 12
"""Of a finish, for each output px: three planes in floats at one time, channel by channel."""
_LOADED_BYTES = 10
"""Of a finish, for each px of the network's result: one channel copied, in floats, and divided."""
_FLAT_PX = 5  # side of the neighbourhood that is all opaque, or all clear


def upscale_image(
    network: Network, image: NDArray[Any], tile: int | None = None, *, finish: Finish = PLAIN
) -> NDArray[Any]:
    """`image` upscaled: uint8 or uint16, RGB (h, w, 3), RGBA (h, w, 4) or grey (h, w), and the result is the same.

    `tile` is the largest side of a tile with its overlap, input px; None: as memory and speed allow.

    Raises:
        ShapeError: another shape or type.
        ResourceError: the memory does not suffice.
        WeightsError: the network's result is not finite.
    """
    if image.ndim == 3 and image.shape[2] == 4:
        whole = upscale_picture(Upscaler(network, finish, tile), Picture(image[..., :3], image[..., 3]))
        assert whole.alpha is not None
        return np.concatenate([whole.colour, whole.alpha[..., None]], axis=2)
    return upscale_picture(Upscaler(network, finish, tile), Picture(image)).colour


def upscale_picture(upscaler: Upscaler, picture: Picture, progress: Progress | None = None) -> Picture:
    """`picture` at the upscaler's size; profile and EXIF stay.

    Transparency goes through the same network as grey, so that its edges follow those of the colour; where all around a
    pixel is opaque, or clear, it stays exactly that. Colour is first continued under what is clear, whose own colour
    nobody has seen: there is no fringe.

    Raises:
        ShapeError: another shape or type than `Picture` says.
        ResourceError: the memory does not suffice; nothing was computed, or it ran out on the way.
        WeightsError: the network's result is not finite.
    """
    if (
        picture.colour.ndim not in (2, 3)
        or 0 in picture.colour.shape
        or (picture.alpha is not None and picture.alpha.shape != picture.colour.shape[:2])
    ):
        raise ShapeError(f"a picture is (h, w, 3), (h, w, 4) or (h, w), found {picture.colour.shape}")
    _check_memory(upscaler, picture)
    if picture.alpha is None:
        return replace(picture, colour=upscaler(picture.colour, progress))
    colour = upscaler(_continued(picture.colour, picture.alpha), progress)
    return replace(picture, colour=colour, alpha=_upscale_alpha(upscaler, picture.alpha))


def _check_memory(upscaler: Upscaler, picture: Picture) -> None:
    width, height = upscaler.size(*picture.size)
    needed = _needed_bytes(upscaler, picture)
    if needed > (free := memory.free_bytes("cpu")):
        raise ResourceError(
            f"a result of {width}x{height} px needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB is "
            "free; a smaller --scale or fewer programs beside it may help"
        )


def _needed_bytes(upscaler: Upscaler, picture: Picture) -> int:
    """What the arrays of a whole picture take at their most; tiles count for themselves."""
    width, height = upscaler.size(*picture.size)
    px, sample = width * height, picture.colour.itemsize
    channels = 1 if picture.is_grey else 3
    needed = px * sample * channels
    if picture.alpha is not None:
        needed += 4 * px * sample  # its result, its plain resize, where it is flat, and their mix
    if not upscaler.is_plain(*picture.size):
        network_px = math.prod(picture.size) * upscaler.network.scale**2
        needed += 2 * network_px * channels  # the network's own result, 16 bits
        needed += max(_PLANES_BYTES * px, _LOADED_BYTES * network_px)
    return needed


def _upscale_alpha(upscaler: Upscaler, alpha: Channel) -> Channel:
    size = upscaler.size(alpha.shape[1], alpha.shape[0])
    kernel = np.ones((_FLAT_PX, _FLAT_PX), np.uint8)
    is_flat = cv2.erode(alpha, kernel) == cv2.dilate(alpha, kernel)
    plain: NDArray[Any] = cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST)
    if is_flat.all():
        return plain
    is_flat_there = cv2.resize(is_flat.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return np.where(is_flat_there, plain, upscaler(alpha))


def _continued(colour: Channel, alpha: Channel) -> Channel:
    """`colour` where something is to be seen; elsewhere that of the nearest such pixel."""
    is_clear = (alpha == 0).astype(np.uint8)
    if is_clear.all() or not is_clear.any():
        return colour
    nearest = cv2.distanceTransformWithLabels(is_clear, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    seen = np.flatnonzero(is_clear == 0)
    place = np.empty(nearest.max() + 1, np.intp)
    place[nearest.ravel()[seen]] = seen
    return colour.reshape(-1, *colour.shape[2:])[place[nearest]]
