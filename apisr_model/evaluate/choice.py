"""Which metrics are taken: those that are asked for, or all of ours that apply."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from apisr_data.errors import ConfigError, FetchError, UsageError
from apisr_data.images import read
from apisr_model.data import read_manifest
from apisr_model.metrics import METRICS, Metric, fit_niqe, learned, naturalness

log = logging.getLogger(__name__)


def choose_metrics(
    asked: Sequence[str], *, has_reference: bool, niqe_reference: Path | None = None, device: str = "cpu"
) -> list[Metric]:
    """The metrics called `asked`; where none are, ours that need no reference that is not there.

    `niqe_reference` is a manifest whose training pictures NIQE's model is fitted on. Where the published model cannot
    be had and niqe was not asked for by name, it is left out with a warning.

    Raises:
        UsageError: an unknown name; a metric that needs a reference, and there is none; a manifest for niqe without it.
        ConfigError: `niqe_reference` has no training pictures.
        MissingExtraError: a metric of pyiqa's, and that is not installed.
        FetchError: parameters of a metric that was asked for cannot be had.
        ConfigError, ImageError, InputError: as `read_manifest`, `read` and `fit_niqe`, of `niqe_reference`.
    """
    known = [*METRICS, *learned.VARIANTS]
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"--metrics {unknown[0]}: there is no such metric; there are {', '.join(known)}")
    if niqe_reference and asked and "niqe" not in asked:
        raise UsageError(f"--niqe-reference is for niqe, which --metrics {','.join(asked)} leaves out")
    chosen = []
    for name in dict.fromkeys(asked or METRICS):
        metric = METRICS.get(name) or learned.load(name, device)
        if metric.needs == "reference" and not has_reference:
            if asked:
                raise UsageError(f"--metrics {name} needs a ground truth, and a folder has none; give a manifest")
            continue
        if name == "niqe" and niqe_reference:
            metric = _fitted(metric, niqe_reference)
        elif name == "niqe" and not _has_published_model(is_needed=bool(asked)):
            continue
        chosen.append(metric)
    return chosen


def _fitted(metric: Metric, manifest: Path) -> Metric:
    rows = read_manifest(manifest).train
    if not rows:
        raise ConfigError(f"manifest {manifest}: no row has split 'train', so there is nothing to fit niqe on")
    pristine = fit_niqe(read(row.path) for row in rows)
    about = f"BT.601 luma, no border cut, float64, fitted on the {len(rows):,} training pictures of {manifest}"
    return replace(metric, function=partial(metric.function, pristine=pristine), about=about)


def _has_published_model(*, is_needed: bool) -> bool:
    try:
        naturalness.published()
    except FetchError as error:
        if is_needed:
            raise
        log.warning("without niqe: %s", error)
        return False
    return True
