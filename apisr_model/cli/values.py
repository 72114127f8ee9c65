"""Values of options as the command line writes them."""

import re
from collections.abc import Iterable

from apisr_data.errors import UsageError


def tile_px(text: str) -> int | None:
    """Px of `128`; None: auto.

    Raises:
        UsageError: neither.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--tile {text}: a number of px, or auto")
    return int(text)


def seconds(flag: str, text: str | None) -> float | None:
    """Seconds of `90`, `1:30`, `0:01:30.5`.

    Raises:
        UsageError: no time; the message names `flag`.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(?:(?:(\d+):)?([0-5]?\d):(?=[0-5]?\d(?:\D|$)))?(\d+(?:\.\d*)?|\.\d+)", text)
    if not found:
        raise UsageError(f"{flag} {text}: seconds such as 90 or 62.5, or [HOURS:]MINUTES:SECONDS such as 1:02:03.5")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def encoder_options(texts: Iterable[str]) -> dict[str, str]:
    """What each KEY=VALUE says; the value may hold more equals signs.

    Raises:
        UsageError: no key, or no equals sign.
    """
    pairs = [text.partition("=") for text in texts]
    for key, equals, value in pairs:
        if not (key and equals):
            raise UsageError(f"--encoder-option {key}{equals}{value}: not KEY=VALUE")
    return {key: value for key, _, value in pairs}
