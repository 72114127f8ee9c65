"""GRL's forward against the authors' code: the same filled weights, one picture, CPU time.

    python benchmarks/grl.py PATH_TO_APISR [--side 256] [--threads 1] [--rounds 5]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. Of the packages that it imports only a few lines are used,
which are stood in for where the package is absent. CPU time of the process, the median of interleaved rounds.
"""

import argparse
import importlib
import importlib.util
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from apisr_model import architectures
from tests.filled import fill, uniform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("--side", type=int, default=256, help="of the picture, px")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    reference, ours = fill(reference_network(arguments.reference)), fill(architectures.build("grl"))
    picture = uniform((1, 3, arguments.side, arguments.side), seed=0)
    contenders: dict[str, Callable[[], Tensor]] = {
        "reference fp32": lambda: reference(picture),
        "reference bf16": lambda: in_bfloat16(reference, picture),
        "ours fp32": lambda: ours(picture),
        "ours bf16": lambda: in_bfloat16(ours, picture),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    outputs: dict[str, Tensor] = {}
    with torch.inference_mode():
        for _ in range(arguments.rounds + 1):  # the first one warms up
            for name, run in contenders.items():
                start_s = time.process_time()
                outputs[name] = run().float()
                seconds[name].append(time.process_time() - start_s)

    exact = outputs["reference fp32"]
    base_s = statistics.median(seconds["reference fp32"][1:])
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.rounds} rounds, {picture.shape[2:]}")
    for name, times in seconds.items():
        median_s = statistics.median(times[1:])
        apart = (outputs[name] - exact).abs()
        print(
            f"{name:15} {median_s:6.2f} s of CPU  {base_s / median_s:4.2f}x"
            f"  difference at most {apart.max():.1e}, mean {apart.mean():.1e}"
        )


def in_bfloat16(network: nn.Module, picture: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        result: Tensor = network(picture)
    return result


def reference_network(checkout: Path) -> nn.Module:
    """The authors' tiny2."""
    if not (checkout / "architecture" / "grl.py").is_file():
        sys.exit(f"no architecture/grl.py in {checkout}")
    sys.path.insert(0, str(checkout))
    for package, modules in _stand_ins().items():
        if importlib.util.find_spec(package) is None:
            for name, contents in modules.items():
                sys.modules[name] = types.ModuleType(name)
                sys.modules[name].__dict__.update(contents)
    network: nn.Module = importlib.import_module("architecture.grl").GRL(
        upscale=4,
        img_size=64,
        window_size=8,
        depths=[4] * 4,
        embed_dim=64,
        num_heads_window=[2] * 4,
        num_heads_stripe=[2] * 4,
        mlp_ratio=2,
        qkv_proj_type="linear",
        anchor_proj_type="avgpool",
        anchor_window_down_factor=2,
        out_proj_type="linear",
        conv_type="1conv",
        upsampler="nearest+conv",
    )
    return network


def _stand_ins() -> dict[str, dict[str, dict[str, Any]]]:
    """Package -> module -> what the authors' code takes from it, for a network that is not trained."""
    layers = {
        "DropPath": lambda _rate: nn.Identity(),
        "to_2tuple": lambda side: tuple(side) if isinstance(side, tuple | list) else (side, side),
        "trunc_normal_": nn.init.trunc_normal_,
    }
    settings = types.SimpleNamespace(create=lambda values: types.SimpleNamespace(**values))
    return {
        "torchvision": {
            "torchvision": {},
            "torchvision.transforms": {"ToTensor": None},
            "torchvision.utils": {"save_image": None},
        },
        "fairscale": {"fairscale": {}, "fairscale.nn": {"checkpoint_wrapper": None}},
        "omegaconf": {"omegaconf": {"OmegaConf": settings}},
        "timm": {"timm": {}, "timm.models": {}, "timm.models.layers": layers},
    }


if __name__ == "__main__":
    main()
