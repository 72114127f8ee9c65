"""Datasets that know their sources as they stand on disk, so that a change of a file is a change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apisr_data import config, tables
from apisr_data.dataset import Dataset, create_dataset
from apisr_data.stages.extract import extract
from tests.data import datasets


def make_dataset(folder: Path, sources: Mapping[Path, str], **columns: Any) -> Dataset:
    """The dataset by hand, with the files' times in its table of sources."""
    dataset = datasets.make_dataset(folder, sources, **columns)
    rows = dataset.sql("FROM sources").to_arrow_table().to_pylist()
    for row in rows:
        row["mtime_ns"] = Path(row["path"]).stat().st_mtime_ns
    tables.write(tables.SOURCES.rows(rows), dataset.table_path("sources"))
    dataset.refresh()
    return dataset


def extracted(folder: Path, *paths: Path) -> Dataset:
    """What `extract` makes of these videos and folders, every frame selected."""
    dataset = create_dataset(folder)
    extract(dataset, paths, config.Extract(), workers=0)
    datasets.choose(dataset)
    return dataset
