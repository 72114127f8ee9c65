"""Functions for the worker pool; workers import them by name."""

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from apisr_data.engines import Beat
from apisr_data.errors import FetchError, VideoError


@dataclass(frozen=True)
class Task:
    path: Path
    does: str = "double"
    value: int = 1


def act(task: Task, beat: Beat) -> int:
    beat(0.5)
    if task.does == "double":
        return 2 * task.value
    if task.does == "hang":
        time.sleep(60)
    if task.does == "crash":
        os._exit(9)
    if task.does == "refuse":
        raise VideoError(f"{task.path}: refused")
    if task.does == "surprise":
        raise ZeroDivisionError("by nothing")
    if task.does == "fill the disk":
        raise OSError(errno.ENOSPC, "No space left on device")
    if task.does == "lose the file":
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")
    if task.does == "miss weights":
        raise FetchError("no weights")
    return 0
