"""ICNet's images per second against the authors' code, with the same filled weights, on one core.

    python benchmarks/icnet.py PATH_TO_IC9600

PATH_TO_IC9600 is a checkout of github.com/tinglyfeng/IC9600. CPU time, the median of interleaved rounds.
"""

import argparse
import importlib.util
import statistics
import sys
import time
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from apisr_data.scorers import _icnet_network
from apisr_data.scorers._icnet_network import IcNet, prepare

N = TypeVar("N", bound=nn.Module)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    reference = fill(reference_network(arguments.reference))
    full = prepare(fill(IcNet()))
    half = prepare(fill(IcNet()), dtype=torch.bfloat16)
    picture = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 512, 512), dtype=np.float32))
    picture = torch.nn.functional.avg_pool2d(picture, 5, stride=1, padding=2) * 5
    contenders: dict[str, Callable[[], Tensor]] = {
        "reference fp32": lambda: reference(picture)[0],
        "ours fp32": lambda: full.score(picture.contiguous(memory_format=torch.channels_last)),
        "ours bf16": lambda: half.score(picture.to(torch.bfloat16, memory_format=torch.channels_last)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    scores = {}
    with torch.inference_mode():
        for _ in range(arguments.rounds + 1):  # the first one warms up
            for name, run in contenders.items():
                start_s = time.process_time()
                scores[name] = float(run())
                seconds[name].append(time.process_time() - start_s)
    base_s = statistics.median(seconds["reference fp32"][1:])
    print(f"torch {torch.__version__}, 1 thread, {arguments.rounds} rounds")
    for name, times in seconds.items():
        median_s = statistics.median(times[1:])
        print(
            f"{name:15} {median_s * 1000:6.0f} ms an image  {1 / median_s:5.2f} images/s  {base_s / median_s:4.2f}x"
            f"  score {scores[name]:.6f}  difference {abs(scores[name] - scores['reference fp32']):.1e}"
        )


def reference_network(checkout: Path) -> nn.Module:
    """The authors' network; torchvision is stood in for where it is absent, since only its layers are used."""
    if importlib.util.find_spec("torchvision") is None:
        torchvision = types.ModuleType("torchvision")
        torchvision.models = types.SimpleNamespace(resnet18=_resnet18)  # type: ignore[attr-defined]
        sys.modules["torchvision"] = torchvision
    spec = importlib.util.spec_from_file_location("ICNet", checkout / "ICNet.py")
    if spec is None or spec.loader is None or not (checkout / "ICNet.py").exists():
        sys.exit(f"no ICNet.py in {checkout}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.ICNet(is_pretrain=False)
    return network


def fill(network: N) -> N:
    """`network` in eval mode with reproducible numbers for parameters and statistics, drawn by key."""
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                continue
            noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(tuple(tensor.shape))
            if key.endswith("running_var"):
                noise = 1 + 0.2 * np.abs(noise)
            elif tensor.ndim >= 2:
                noise = noise * np.sqrt(2 / np.prod(tensor.shape[1:]))
            elif key.endswith("weight"):
                noise = 1 + 0.1 * noise
            else:
                noise = 0.05 * noise
            tensor.copy_(torch.from_numpy(noise.astype(np.float32)))
    return network.eval()


def _resnet18(pretrained: bool) -> nn.Sequential:  # noqa: ARG001
    stem = list(_icnet_network._stem())
    stages = [_icnet_network._stage(c, 2 * c) for c in (64, 128, 256)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Linear(512, 1000))


if __name__ == "__main__":
    main()
