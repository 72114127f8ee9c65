"""GRL's forward against the authors' code: the same filled weights, one picture.

    python benchmarks/grl.py PATH_TO_APISR [--side 256] [--threads 1] [--rounds 5]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. Of the packages that it imports only a few lines are used,
which are stood in for where the package is absent. The median of interleaved rounds: on the CPU the process's CPU time;
on CUDA, where there is a card, wall time between synchronisations and the peak of its memory, with torch's defaults.
"""

import argparse
import copy
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
    print(f"torch {torch.__version__}, {arguments.rounds} rounds, {tuple(picture.shape[2:])}")
    cases = {
        "reference fp32": lambda: reference(picture),
        "reference bf16": lambda: in_bfloat16(reference, picture),
        "ours fp32": lambda: ours(picture),
        "ours bf16": lambda: in_bfloat16(ours, picture),
    }
    print(f"CPU, {arguments.threads} threads, CPU time")
    compare(cases, arguments.rounds, time.process_time)
    if not torch.cuda.is_available():
        print("CUDA: skipped, for torch finds no card")
        return
    print(f"{torch.cuda.get_device_name()}, wall time")
    compare(cases_on(torch.device("cuda"), reference, ours, picture), arguments.rounds, synchronised_s)


def cases_on(
    device: torch.device, reference: nn.Module, ours: nn.Module, picture: Tensor
) -> dict[str, Callable[[], Tensor]]:
    """What may be the fastest on a GPU, each with its own copy of the weights there."""
    x = picture.to(device)
    theirs, plain, last = (copy.deepcopy(network).to(device) for network in (reference, ours, ours))
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(copy.deepcopy(last))
    return {
        "reference fp32": lambda: theirs(x),
        "ours fp32": lambda: plain(x),
        "ours fp32, channels_last": lambda: last(x),
        "ours bf16": lambda: in_bfloat16(plain, x),
        "ours bf16, channels_last": lambda: in_bfloat16(last, x),
        "ours fp32, compiled": lambda: compiled(x),
        "ours bf16, compiled": lambda: in_bfloat16(compiled, x),
    }


@torch.inference_mode()
def compare(cases: dict[str, Callable[[], Tensor]], rounds: int, clock: Callable[[], float]) -> None:
    """Print each case's time beside the first's, and how far its output is from the first's."""
    seconds: dict[str, list[float]] = {}
    outputs: dict[str, Tensor] = {}
    peaks: dict[str, int] = {}
    for name, run in cases.items():
        try:
            outputs[name] = run().float().cpu()  # also warms up
        except RuntimeError as error:  # of a compiler that is not there, of too little memory; the others still tell
            print(f"{name:25} failed: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
    for _ in range(rounds):
        for name in outputs:
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            start_s = clock()
            cases[name]()
            seconds.setdefault(name, []).append(clock() - start_s)
            peaks[name] = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    first = next(iter(cases))
    for name, times in seconds.items():
        median_s = statistics.median(times)
        apart = (outputs[name] - outputs[first]).abs()
        print(
            f"{name:25} {median_s:8.4f} s  {statistics.median(seconds[first]) / median_s:5.2f}x"
            f"  difference at most {apart.max():.1e}, mean {apart.mean():.1e}"
            + (f"  peak {peaks[name] / 2**20:,.0f} MiB" if peaks[name] else "")
        )


def synchronised_s() -> float:
    """Wall time once the card has done all that it was given."""
    torch.cuda.synchronize()
    return time.perf_counter()


def in_bfloat16(network: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """The result by autocast, where the picture lies."""
    with torch.autocast(picture.device.type, torch.bfloat16):
        return network(picture)


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
