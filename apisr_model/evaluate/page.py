"""The comparison as one page that needs nothing else: the means, enlarged places of a few pictures, every score."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from string import Template

from apisr_data.images import Rgb, encode_png
from apisr_model.evaluate.samples import Sample
from apisr_model.evaluate.scoring import Score, Summary
from apisr_model.evaluate.systems import System
from apisr_model.metrics import Metric
from apisr_model.upscale.compare import cut, detailed

_PLACES = 2  # of each picture
_PLACE_PX = 256  # side of a place in the results

_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: light-dark(#1a1a1a, #e6e6e6); --paper: light-dark(#fff, #16181b);
  --soft: light-dark(#666, #9a9fa6); --line: light-dark(#ddd, #33373c); --best: light-dark(#e7f1fb, #1d3348) }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem; max-width: 110rem;
  color: var(--text); background: var(--paper) }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .3rem; overflow-wrap: anywhere }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left } .best { font-weight: 600; background: var(--best) }
p, dd, summary, figcaption { color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem }
dt { font-weight: 600 } dd { margin: 0; overflow-wrap: anywhere } p { margin: .2rem 0 .6rem }
.places { display: grid; grid-auto-flow: row; gap: .8rem .4rem; overflow-x: auto; margin: .6rem 0 }
figure { margin: 0 } figcaption { overflow-wrap: anywhere; font-size: .85rem }
img { width: 100%; aspect-ratio: 1; display: block; image-rendering: pixelated }
pre { white-space: pre-wrap; color: var(--soft) } details { margin: .6rem 0 } summary { cursor: pointer }
@media (max-width: 45rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
</style>
<h1>$title</h1>
$means
<dl>
$about
</dl>
$pictures
<h2>Every picture</h2>
<details><summary>$count</summary>
$every
</details>
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
    about = [(system.name, system.about) for system in systems]
    about += [(metric.name, f"{metric.about}{f' ({metric.licence})' if metric.licence else ''}") for metric in metrics]
    own = {name: [score for score in scores if score.image == name] for name in dict.fromkeys(s.image for s in scores)}
    return _PAGE.substitute(
        title=escape(title),
        means=_table(metrics, means),
        about="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in about),
        pictures="\n".join(_section(name, shown[name], metrics, own[name]) for name in own if name in shown),
        count=f"{len(own):,} picture{'s' if len(own) != 1 else ''}, each with its scores",
        every=_every(metrics, own),
    )


def figure(value: float) -> str:
    """A value as tables show it; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.{3 if abs(value) >= 2 else 4}f}"


def _table(metrics: Sequence[Metric], rows: Sequence[Summary]) -> str:
    best = {metric.name: _best(metric, rows) for metric in metrics}
    lines = (
        f"<tr><td>{escape(row.system)}</td>{''.join(_cell(v, is_best=v == best[n]) for n, v in row.means.items())}</tr>"
        for row in rows
    )
    return _rows("<th>system</th>", metrics, lines)


def _rows(first: str, metrics: Sequence[Metric], lines: Iterable[str]) -> str:
    heads = first + "".join(f"<th>{metric.name} {metric.arrow}</th>" for metric in metrics)
    body = "\n".join(lines)
    return f'<div class="scroll"><table><tr>{heads}</tr>\n{body}\n</table></div>'


def _best(metric: Metric, rows: Sequence[Summary]) -> float:
    known = [row.means[metric.name] for row in rows if not math.isnan(row.means[metric.name])]
    return (max if metric.is_higher_better else min)(known, default=math.nan)


def _cell(value: float, *, is_best: bool) -> str:
    return f"<td{' class=best' if is_best else ''}>{figure(value)}</td>"


def _section(name: str, shown: Shown, metrics: Sequence[Metric], scores: Sequence[Score]) -> str:
    """The picture's own scores, what spoiled it, and its most detailed places as each system shows them."""
    scored = [Summary(score.system, score.values) for score in scores if not score.error]
    drawn = f"<details><summary>what spoiled it</summary><pre>{escape(str(shown.sample.drawn))}</pre></details>"
    return f"""<section><h2>{escape(name)}</h2>
<p>{escape(scores[0].source or "")}</p>
{_table(metrics, scored)}
{drawn if shown.sample.drawn else ""}
{_places(shown)}</section>"""


def _places(shown: Shown) -> str:
    low_res, reference = shown.sample.low_res, shown.sample.reference
    columns = {"input": low_res, **shown.results} | ({"ground truth": reference} if reference is not None else {})
    size = low_res.shape[:2]
    scale = max(1, next(iter(shown.results.values())).shape[0] // size[0])
    side = min(_PLACE_PX // scale, *size)
    figures = "\n".join(
        f'<figure><img alt="{escape(label)}" src="{_source(cut(picture, window, side, size))}">'
        f"<figcaption>{escape(label)}</figcaption></figure>"
        for window in detailed(low_res, side, _PLACES)
        for label, picture in columns.items()
    )
    layout = f"grid-template-columns: repeat({len(columns)}, minmax(12rem, {_PLACE_PX * 1.5:.0f}px))"
    return f'<div class="places" style="{layout}">\n{figures}\n</div>'


def _source(picture: Rgb) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"


def _every(metrics: Sequence[Metric], own: Mapping[str, Sequence[Score]]) -> str:
    lines = (
        f"<tr><td>{escape(name)}</td><td class=text>{escape(score.source or '')}</td>"
        f"<td class=text>{escape(score.system)}</td>{_values(metrics, score)}</tr>"
        for name, scores in own.items()
        for score in scores
    )
    return _rows("<th>picture</th><th class=text>source</th><th class=text>system</th>", metrics, lines)


def _values(metrics: Sequence[Metric], score: Score) -> str:
    if score.error:
        return f'<td class=text colspan="{len(metrics)}">{escape(score.error)}</td>'
    return "".join(f"<td>{figure(score.values[metric.name])}</td>" for metric in metrics)
