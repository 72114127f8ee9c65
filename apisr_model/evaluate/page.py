"""The comparison as one page that needs nothing else: the means, and enlarged places of a few pictures."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from string import Template

from apisr_data.images import Rgb, encode_png
from apisr_model.evaluate.samples import Sample
from apisr_model.evaluate.scoring import Score, Summary
from apisr_model.evaluate.systems import System
from apisr_model.metrics import Metric
from apisr_model.upscale.compare import compare

_PLACES = 2  # of each picture

_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #111; background: #fff }
table { border-collapse: collapse } th, td { padding: .2rem .8rem; text-align: right }
tr { border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left } dt { font-weight: 600 } img { max-width: 100% }
.best { font-weight: 600 } pre { white-space: pre-wrap }
</style>
<h1>$title</h1>
<table><tr><th>system</th>$heads</tr>
$means
</table>
<dl>
$about
</dl>
$pictures
</html>
""")


@dataclass
class Shown:
    """One picture of the page: its sample, and each system's result as it came."""

    sample: Sample
    results: dict[str, Rgb] = field(default_factory=dict)


def render(
    title: str,
    systems: Sequence[System],
    metrics: Sequence[Metric],
    means: Sequence[Summary],
    shown: Mapping[str, Shown],
    scores: Sequence[Score],
) -> str:
    """The page as HTML; `shown` by the pictures' names. The best of each column stands out."""
    best = {metric.name: _best(metric, means) for metric in metrics}
    rows = (
        f"<tr><td>{escape(row.system)}</td>{''.join(_cell(v, is_best=v == best[n]) for n, v in row.means.items())}</tr>"
        for row in means
    )
    about = [(system.name, system.about) for system in systems]
    about += [(metric.name, f"{metric.about}{f' ({metric.licence})' if metric.licence else ''}") for metric in metrics]
    return _PAGE.substitute(
        title=escape(title),
        heads="".join(f"<th>{metric.name} {metric.arrow}</th>" for metric in metrics),
        means="\n".join(rows),
        about="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in about),
        pictures="\n".join(_section(name, picture, scores) for name, picture in shown.items() if picture.results),
    )


def figure(value: float) -> str:
    """A value as tables show it; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.{3 if abs(value) >= 2 else 4}f}"


def _best(metric: Metric, means: Sequence[Summary]) -> float:
    known = [row.means[metric.name] for row in means if not math.isnan(row.means[metric.name])]
    return (max if metric.is_higher_better else min)(known, default=math.nan)


def _cell(value: float, *, is_best: bool) -> str:
    return f"<td{' class=best' if is_best else ''}>{figure(value)}</td>"


def _section(name: str, shown: Shown, scores: Sequence[Score]) -> str:
    """The picture's most detailed places as each system shows them, with its own scores."""
    own = {score.system: score for score in scores if score.image == name}
    columns = {
        f"{system}: {', '.join(f'{metric} {figure(value)}' for metric, value in own[system].values.items())}": result
        for system, result in shown.results.items()
    }
    if shown.sample.reference is not None:
        columns["ground truth"] = shown.sample.reference
    picture = encode_png(compare(shown.sample.low_res, columns, places=_PLACES))
    drawn = f"<pre>{escape(str(shown.sample.drawn))}</pre>" if shown.sample.drawn else ""
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return f'<section><h2>{escape(name)}</h2>{drawn}<img alt="{escape(name)}, enlarged" src="{source}"></section>'
