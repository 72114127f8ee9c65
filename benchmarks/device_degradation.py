"""The degradation of a batch on a device against that of single pictures on the CPU, part by part.

    python benchmarks/device_degradation.py [--device cuda] [--batches 8 32 64] [--rounds 3] [--lines]

Windows of 384 px (a crop of 256 px with 64 px around it) of the sample clip, 4x, the paper's settings; both ways get
the same draws. Milliseconds a sample: CPU time where the device is the CPU, which other programs do not spoil; else
wall time. Codecs stay on the CPU in both ways: what they take bounds what any device can give, and is printed too.
--lines measures the pseudo ground truth of whole frames instead.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from apisr_data import video
from apisr_data.images import Rgb
from apisr_model import lines, lines_torch
from apisr_model.degradations import blur, from_levels, image_codecs, noise, resize, video_codecs
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.device_degradations import blur as device_blur
from apisr_model.device_degradations import host
from apisr_model.device_degradations import noise as device_noise
from apisr_model.device_degradations import resize as device_resize

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
SCALE, WINDOW_PX = 4, 256 + 2 * 64
PARTS = ("resize", "blur", "noise", "codecs", "transfers", "rest")

Where = tuple[Any, str]
SINGLE: dict[str, list[Where]] = {
    "resize": [(resize, "apply")],
    "blur": [(blur.Blur, "apply")],
    "noise": [(noise.Gaussian, "apply"), (noise.Poisson, "apply")],
    "codecs": [(image_codecs, "code"), (video_codecs, "code")],
}
BATCHED: dict[str, list[Where]] = {
    "resize": [(device_resize, "apply")],
    "blur": [(device_blur, "apply")],
    "noise": [(device_noise, "apply")],
    "codecs": [(host, "each")],
    "transfers": [(host, "moved")],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", action="store_true")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cv2.setNumThreads(1)
    frames = [frame.rgb() for frame in video.iframes(SAMPLE)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{cores} cores, one used by each picture"
    print(f"torch {torch.__version__} on {device}: {name}")
    if arguments.lines:
        compare_lines(frames[:4], device, arguments.rounds)
    else:
        for batch in arguments.batches:
            compare(frames, batch, device, arguments.rounds, cores)


def compare(frames: Sequence[Rgb], batch: int, device: torch.device, rounds: int, cores: int) -> None:
    rng = np.random.default_rng(0)
    single = Degradation(DegradationConfig(), SCALE)
    batched = BatchedDegradation(DegradationConfig(), SCALE, threads=cores)
    windows, drawn = [], []
    for number in range(batch * rounds):
        frame = frames[number % len(frames)]
        top, left = (int(rng.integers(extent - WINDOW_PX + 1)) for extent in frame.shape[:2])
        windows.append(frame[top : top + WINDOW_PX, left : left + WINDOW_PX])
        drawn.append(single.draw(rng))

    def one_by_one() -> None:
        for window, steps in zip(windows, drawn, strict=True):
            single.apply(from_levels(window), steps)

    def together() -> None:
        for start in range(0, len(windows), batch):
            stacked = torch.from_numpy(np.stack(windows[start : start + batch])).to(device)
            high_res = stacked.permute(0, 3, 1, 2).float().div_(255)
            batched.apply(high_res, drawn[start : start + batch])

    one_ms = per_sample_ms(one_by_one, SINGLE, torch.device("cpu"), len(windows))
    batch_ms = per_sample_ms(together, BATCHED, device, len(windows))
    print(f"\nbatch {batch}, {rounds} rounds: ms a sample")
    print(f"{'':<12}" + "".join(f"{part:>11}" for part in (*PARTS, "all")))
    for title, ms in (("CPU, single", one_ms), (f"{device}, batch", batch_ms)):
        print(f"{title:<12}" + "".join(f"{value:11.2f}" for value in (*(ms[part] for part in PARTS), sum(ms.values()))))
    one, all_ = sum(one_ms.values()), sum(batch_ms.values())
    print(f"single: {1e3 / one:.0f} samples/s a core, {cores * 1e3 / one:.0f} on {cores} cores")
    if device.type == "cpu":
        print(f"batch: {1e3 / all_:.0f} samples/s a core, {one / all_:.2f}x")
    else:
        print(f"batch: {1e3 / all_:.0f} samples/s, {one / all_ / cores:.2f}x the {cores} cores")
    print(f"bound by the codecs alone: {one / one_ms['codecs']:.1f}x")


def compare_lines(frames: Sequence[Rgb], device: torch.device, rounds: int) -> None:
    images = torch.from_numpy(np.stack(frames)).to(device).permute(0, 3, 1, 2).float().div_(255).contiguous()

    def one_by_one() -> None:
        for _ in range(rounds):
            for frame in frames:
                lines.pseudo_gt(frame)

    def together() -> None:
        for _ in range(rounds):
            lines_torch.pseudo_gt(images)

    single, batch = (
        per_sample_ms(work, {}, where, rounds * len(frames))["rest"]
        for work, where in ((one_by_one, torch.device("cpu")), (together, device))
    )
    equal = lines_torch.line_mask(images).cpu().numpy() == np.stack([lines.line_mask(frame) for frame in frames])
    print(f"pseudo ground truth of a {frames[0].shape[1]}x{frames[0].shape[0]} frame, ms")
    print(f"CPU, single {single:.0f}; {device}, batch of {len(frames)} {batch:.1f}; masks equal {equal.mean():.4%}")


def per_sample_ms(
    work: Callable[[], object], parts: dict[str, list[Where]], device: torch.device, samples: int
) -> dict[str, float]:
    """Milliseconds of each part, and of the rest; after one call to warm up."""
    work()
    clock = Clock(device)
    with ExitStack() as patches:
        for part, places in parts.items():
            for owner, name in places:
                patches.enter_context(mock.patch.object(owner, name, clock.timed(part, getattr(owner, name))))
        with clock.running("rest"):
            work()
    return {part: 1e3 * clock.spent_s[part] / samples for part in PARTS}


class Clock:
    """Time by part: CPU time of this process, or wall time where a GPU works. A part within a part is its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._parts: list[str] = []
        self._since_s = 0.0
        self.spent_s: dict[str, float] = defaultdict(float)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time goes to `part`."""

        def run(*arguments: Any, **named: Any) -> Any:
            with self.running(part):
                return function(*arguments, **named)

        return run

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Time until the end goes to `part`."""
        self._turn()
        self._parts.append(part)
        yield
        self._turn()
        self._parts.pop()

    def _turn(self) -> None:
        """What passed since the last turn goes to the part that ran."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now_s = time.perf_counter() if self._device.type == "cuda" else time.process_time()
        if self._parts:
            self.spent_s[self._parts[-1]] += now_s - self._since_s
        self._since_s = now_s


if __name__ == "__main__":
    main()
