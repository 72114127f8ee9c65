"""The page of a report as one text: style, script, facts and, where they are few, the thumbnails."""

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Any

_SCRIPTS = (
    *("elements", "store", "frame", "charts", "table", "sizes", "complexity", "overview"),
    *("range", "grid", "panel", "sheet", "groups", "videos", "app"),
)
"""In the order in which they stand in the page, in one scope; `app` starts it all."""


def render(facts: Mapping[str, Any], thumbnails: Mapping[str, bytes] | None, folder: str | None) -> str:
    """The HTML of `facts` (see `facts.gather`).

    `thumbnails` are JPEG by frame id; without them the page looks for <frame id>.jpg in `folder` beside it. The page
    may run no script but its own and load nothing but pictures from beside it, whatever the names in the tables hold.
    """
    pictures = (
        {"folder": folder}
        if thumbnails is None
        else {"inline": [_encoded(thumbnails.get(frame_id)) for frame_id in facts["frames"]["id"]]}
    )
    dataset = {**facts["dataset"], "path": shlex.quote(facts["dataset"]["path"])}
    script = "(() => {\n'use strict';\n" + "\n".join(_read(f"{name}.js") for name in _SCRIPTS) + "})();\n"
    return Template(_read("page.html")).substitute(
        title=escape(facts["dataset"]["name"]),
        style=_read("page.css"),
        data=_json({**facts, "dataset": dataset, "thumbnails": pictures}),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _encoded(jpeg: bytes | None) -> str | None:
    return None if jpeg is None else base64.b64encode(jpeg).decode()


def _json(facts: Mapping[str, Any]) -> str:
    """JSON that no text within can end or comment out: '<' stands in it as an escape."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
