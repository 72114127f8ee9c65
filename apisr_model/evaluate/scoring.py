"""Every system on every sample by every metric; what it comes to; and as a table for the disk."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from apisr_data.errors import InputError
from apisr_data.images import Rgb
from apisr_data.tables import Column, Table
from apisr_model.evaluate.samples import Case, Sample
from apisr_model.evaluate.systems import System
from apisr_model.metrics import Metric

OnResult = Callable[[Case, Sample, System, Rgb], None]


@dataclass(frozen=True)
class Score:
    """What one system came to on one picture: a value a metric, or the reason why there is none."""

    image: str
    system: str
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    """To upscale it, without what reading and scoring took."""
    drawn: str | None = None
    """What spoiled the picture, as JSON that `Drawn` reads again."""
    source: str | None = None
    """Where the picture was taken from, if that is more than its name."""
    error: str | None = None


@dataclass(frozen=True)
class Summary:
    """Means of one system over the pictures that every system has a value for; NaN where there is none."""

    system: str
    means: Mapping[str, float]


def score(
    cases: Sequence[Case],
    systems: Sequence[System],
    metrics: Sequence[Metric],
    on_result: OnResult = lambda _case, _sample, _system, _result: None,
) -> Iterator[Score]:
    """Scores as they are made, picture by picture; a picture or a result that cannot be used is a score with a reason.

    `on_result` is told each result that was scored.

    Raises:
        WeightsError: a network's result is not finite.
        FetchError: a metric's parameters cannot be had.
    """
    for case in cases:
        try:
            sample = case.read()
        except InputError as error:
            yield from (Score(case.name, system.name, source=case.source, error=str(error)) for system in systems)
            continue
        drawn = sample.drawn.model_dump_json() if sample.drawn else None
        for system in systems:
            start_s = time.perf_counter()
            try:
                result = system.upscale(case.name, sample)
                seconds = time.perf_counter() - start_s
                values = {metric.name: _measure(metric, result, sample) for metric in metrics}
            except InputError as error:
                yield Score(case.name, system.name, drawn=drawn, source=case.source, error=str(error))
            else:
                on_result(case, sample, system, result)
                yield Score(case.name, system.name, values, seconds, drawn, case.source)


def summarize(scores: Sequence[Score], metrics: Sequence[Metric]) -> list[Summary]:
    """Each system's means, in the order in which systems come; all systems' over the same pictures."""
    systems = list(dict.fromkeys(score.system for score in scores))
    counted = {metric.name: counted_images(scores, metric.name) for metric in metrics}
    return [
        Summary(system, {name: _mean(scores, system, name, images) for name, images in counted.items()})
        for system in systems
    ]


def counted_images(scores: Sequence[Score], metric: str) -> set[str]:
    """The pictures on which every system has a value of `metric`."""
    without = {score.image for score in scores if math.isnan(score.values.get(metric, math.nan))}
    return {score.image for score in scores} - without


def table(metrics: Sequence[Metric]) -> Table:
    """The table's columns; each metric's says its variant and direction."""
    arrows = {True: "higher is better", False: "lower is better"}
    return Table(
        "scores",
        (
            Column("image", pa.string(), "the manifest's name, or the path in the folder"),
            Column("system", pa.string(), "what made the result"),
            Column("about", pa.string(), "weights, precision, channel order; or the folder"),
            *(Column(m.name, pa.float64(), f"{m.about}; {arrows[m.is_higher_better]}") for m in metrics),
            Column("seconds", pa.float64(), "to upscale the picture"),
            Column("drawn", pa.string(), "what spoiled the picture, as JSON; null where it was so already"),
            Column("source", pa.string(), "the frame of a clip that the picture is; null where its name says all"),
            Column("error", pa.string(), "why there is no score; null where there is one"),
        ),
        is_per_video=False,
    )


def rows(scores: Sequence[Score], systems: Sequence[System]) -> list[dict[str, object]]:
    """`scores` as rows of `table`."""
    about = {system.name: system.about for system in systems}
    return [
        {"image": s.image, "system": s.system, "about": about[s.system], **s.values}
        | {"seconds": s.seconds, "drawn": s.drawn, "source": s.source, "error": s.error}
        for s in scores
    ]


def _measure(metric: Metric, result: Rgb, sample: Sample) -> float:
    if metric.needs == "nothing":
        return metric.function(result)
    return metric.function(result, sample.reference if metric.needs == "reference" else sample.low_res)


def _mean(scores: Sequence[Score], system: str, metric: str, images: set[str]) -> float:
    found = [score.values[metric] for score in scores if score.system == system and score.image in images]
    return sum(found) / len(found) if found else math.nan
