"""The dataset card: what an export holds, how it was made, what may be done with it; a README with a YAML header."""

from collections import Counter
from typing import Any

import pyarrow as pa
import tomli_w

from apisr_data import config, tables
from apisr_data.dataset import Dataset

_STAGES: dict[str, type[config.Settings]] = {
    "extract": config.Extract,
    "score": config.Score,
    "dedup": config.Dedup,
    "select": config.Select,
    "rescale": config.Rescale,
}

_HUB_LICENCES = frozenset(
    "apache-2.0 cc-by-2.0 cc-by-3.0 cc-by-4.0 cc-by-nc-4.0 cc-by-nc-nd-4.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 "
    "cc-by-sa-4.0 cc0-1.0 mit unknown".split()
)
"""Those of the Hub's licence names that art is published under."""

_LOADING = {
    "folder": "Read `manifest.parquet`; `image` is a path relative to it.",
    "webdataset": 'In Python: `webdataset.WebDataset("train-000000.tar").decode("rgb8").to_tuple("png", "json")`. '
    "In `manifest.parquet`, `image` is ARCHIVE/MEMBER.",
    "huggingface": 'In Python: `datasets.load_dataset("PATH_OF_THIS_FOLDER")`.',
    "basicsr": "In a BasicSR option file: `dataroot_gt` is this folder, `meta_info` is `meta_info_train.txt` "
    "(`meta_info_file` in paired datasets).",
}


_CARD = """{header}
# Anime frames for super-resolution

{count} {kind} from {titles}, RGB, lossless PNG: {splits}.
Sizes in px: {sizes}{more_sizes}.

## Intended use
Training and validating super-resolution networks for drawn animation: the images are the high resolution, and a
degradation of them the low. Not for recognising people; no measure of any video's quality.

## Splits
{split_rule}.
No title and no cluster of near duplicates stands in two splits, except where one title is all there is.

## Sources and licences
The images belong to those who made the works. Whoever passes this set on answers for having the right to.

| title | images | source | licence |
|---|--:|---|---|
{licences}

## How it was made
I-frames of the videos, the least compressed ones, were scored for complexity, near duplicates set aside, the best of
each stretch of time chosen and decoded again, freed of borders, and brought to the height below, never enlarged:

```toml
{settings}
```

## Reading it
{loading}

## Columns of the manifest
{columns}
"""


def card(dataset: Dataset, manifest: pa.Table, settings: config.Export, split_rule: str) -> str:
    """The card as Markdown, for the Hugging Face Hub and for people."""
    rows = manifest.select(["split", "title", "source", "licence", "width", "height"]).to_pylist()
    titles = len({row["title"] for row in rows})
    in_force = {name: found for name, model in _STAGES.items() if (found := dataset.settings(name, model))}
    stages = {
        name: s.model_dump(mode="json", exclude_none=True) for name, s in (in_force | {"export": settings}).items()
    }
    splits = Counter(row["split"] for row in rows)
    sizes = Counter(f"{row['width']}x{row['height']}" for row in rows)
    return _CARD.format(
        header=_header(rows, settings),
        count=f"{len(rows):,}",
        kind=f"tiles of {settings.tile} px" if settings.tile else "images",
        titles=f"{titles:,} title{'s' if titles != 1 else ''}",
        splits=", ".join(f"{count:,} {split}" for split, count in sorted(splits.items())),
        sizes=", ".join(f"{size} ({count:,})" for size, count in sizes.most_common(8)),
        more_sizes=f" and {len(sizes) - 8:,} more sizes" if len(sizes) > 8 else "",
        split_rule=split_rule[0].upper() + split_rule[1:],
        licences=_licences(rows),
        settings=tomli_w.dumps(stages).rstrip(),
        loading=_LOADING[settings.format],
        columns="\n".join(f"- `{field.name}`: {_meaning(field.name)}" for field in manifest.schema),
    )


def _header(rows: list[dict[str, Any]], settings: config.Export) -> str:
    """The YAML that the Hub reads."""
    licences = {row["licence"].lower() for row in rows}
    licence = licences.pop() if len(licences) == 1 and licences <= _HUB_LICENCES else "other"
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    size = next((name for below, name in bounds if len(rows) < below), "1M<n<10M")
    lines = ["---", "pretty_name: Anime frames for super-resolution", f"license: {licence}"]
    lines += ["task_categories:", "- image-to-image", "tags:", "- super-resolution", "- anime"]
    lines += ["size_categories:", f"- {size}"]
    if settings.format == "huggingface":
        lines += ["configs:", "- config_name: default", "  drop_labels: true", "  data_files:"]
        for split, name in (("train", "train"), ("val", "validation")):
            if any(row["split"] == split for row in rows):
                lines += [f"  - split: {name}", f"    path: {split}/**"]
    return "\n".join([*lines, "---"])


def _licences(rows: list[dict[str, Any]]) -> str:
    counts = Counter((row["title"], row["source"] or "not said", row["licence"]) for row in rows)
    return "\n".join(
        f"| {_cell(title)} | {count:,} | {_cell(source)} | {_cell(licence)} |"
        for (title, source, licence), count in sorted(counts.items())
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").encode(errors="replace").decode()


def _meaning(name: str) -> str:
    known = {column.name: column.meaning for column in tables.MANIFEST.columns}
    known |= {"tile_left": "px from the image's left edge", "tile_top": "px from the image's top edge"}
    return known.get(name, "a score of the whole frame")
