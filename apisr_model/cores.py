"""How many cores there are to work with."""

import os


def mine() -> int:
    """Cores that this process may use: a share of the machine's where a launcher started several beside it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
