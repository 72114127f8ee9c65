"""Fields woven as a camera, a telecine machine and an encoder weave them, and videos of them."""

from fractions import Fraction

import av
import cv2
import numpy as np

HEIGHT, WIDTH = 240, 360


def draw_pan(time):
    """Line art that moves 4 px a frame to the left."""
    rng = np.random.default_rng(7)
    picture = np.full((HEIGHT, WIDTH), 200, np.uint8)
    for _ in range(12):
        x, y, radius, level = (int(v) for v in rng.integers((0, 0, 8, 20), (WIDTH, HEIGHT, 40, 240)))
        cv2.circle(picture, (x, y), radius, level, -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, 15, 2, cv2.LINE_AA)
    shift = np.array([[1, 0, -4 * time], [0, 1, 0]], np.float32)
    return cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)


def draw_mover(time):
    """A disc that crosses a still background with thin and double horizontal lines."""
    picture = draw_pan(0)
    for y in range(5, HEIGHT, 23):
        picture[y] = 0
        picture[y + 4 : y + 8 : 2] = 255
    x = int(40 + 6 * time) % WIDTH
    cv2.circle(picture, (x, 120), 30, 230, -1, cv2.LINE_AA)
    cv2.circle(picture, (x, 120), 30, 10, 2, cv2.LINE_AA)
    return picture


def draw_hatched(time):
    """A sheet of lines two px apart that moves sideways: each picture looks woven, and none is."""
    picture = np.full((HEIGHT, WIDTH), 200, np.uint8)
    left = int(20 + 3 * time) % 100
    picture[40:200:2, left : left + 200] = 20
    return picture


def film(draw, frames, hold=1):
    return [draw(frame // hold * hold) for frame in range(frames)]


def weave(first, second):
    woven = first.copy()
    woven[1::2] = second[1::2]
    return woven


def telecine(frames, order="tff"):
    """3:2 pull-down: four frames become five; `order`: the field that is shown first."""
    woven = []
    for a, b, c, d in zip(*(frames[start::4] for start in range(4)), strict=False):
        woven += [a, b, *((weave(b, c), weave(c, d)) if order == "tff" else (weave(c, b), weave(d, c))), d]
    return woven


def interlace(draw, frames, order="tff"):
    """A camera's frames: their two fields are half a frame apart."""
    return [weave(*(draw(n), draw(n + 0.5))[:: 1 if order == "tff" else -1]) for n in range(frames)]


def write(
    path,
    lumas,
    *,
    codec="ffv1",
    fps=Fraction(30000, 1001),
    options=None,
    flags=0,
    times=None,
    time_base=None,
    gop_size=12,
):
    """Pictures (h, w) as the luma planes of a grey video; `times` in units of `time_base`, else one each 1 / `fps`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt = lumas[0].shape[1], lumas[0].shape[0], "yuv420p"
        stream.codec_context.flags |= flags
        stream.codec_context.thread_count, stream.codec_context.gop_size = 1, gop_size
        if time_base:
            stream.codec_context.time_base = time_base
        for number, luma in enumerate(lumas):
            frame = grey_frame(luma)
            frame.pts, frame.time_base = (times[number], time_base) if times else (number, 1 / fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def grey_frame(luma):
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    for plane, samples in zip(frame.planes, (luma, 128, 128), strict=True):
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width] = samples
    return frame


def luma_plane(frame):
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()
