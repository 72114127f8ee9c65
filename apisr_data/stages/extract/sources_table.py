"""The table of sources: every place where a content was seen, and the title that it goes by."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from apisr_data import sources, tables, titles
from apisr_data.dataset import Dataset
from apisr_data.errors import InputError


def update_sources(
    dataset: Dataset, found: sources.Found, titles_csv: Path | None
) -> tuple[list[dict[str, Any]], list[InputError]]:
    """Write what was found into the table of sources; returns the rows of this call and what could not be read.

    Places that were seen by earlier calls stay in the table.
    """
    overrides = titles.read_titles_csv(titles_csv) if titles_csv else None
    path = dataset.table_path("sources")
    before = {(r["path"], r["video_id"]): r for r in dataset.sql("FROM sources").to_arrow_table().to_pylist()}
    known = {r["path"]: r for r in before.values() if r["kind"] == "video"}
    rows: list[dict[str, Any]] = []
    failed = list(found.errors)
    for video, root in found.videos.items():
        try:
            stat = video.stat()
            old = known.get(str(video))
            is_same = old is not None and (old["bytes"], old["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
            video_id = old["video_id"] if old and is_same else sources.content_id(video)
        except OSError as error:
            failed.append(InputError(f"{video}: {error.strerror}"))
            continue
        title = titles.title_of(video, root)
        rows.append(
            {
                "video_id": video_id,
                "path": str(video),
                "bytes": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
                "kind": "video",
                "title": title.title,
                "episode": title.episode,
            }
        )
    for folder, pictures in found.pictures.items():
        known_batches = [r for r in before.values() if r["path"] == str(folder) and r["kind"] == "images"]
        rows += sources.batches(folder, pictures, known_batches)
    for row in rows:
        row |= {"source": None, "licence": "unknown"}
        if overrides and (override := overrides.apply(Path(row["path"]))):
            row |= {k: v for k, v in override.items() if v}
        elif not overrides and (old := before.get((row["path"], row["video_id"]))):
            row |= {k: old[k] for k in ("title", "episode", "source", "licence")}
    seen, contents = {row["path"] for row in rows}, {row["video_id"] for row in rows}
    elsewhere = [r for r in before.values() if r["path"] not in seen]
    # a file that was renamed or moved is where it is now
    after = [r for r in elsewhere if r["video_id"] not in contents or Path(r["path"]).exists()] + rows
    table = tables.SOURCES.rows(after).sort_by([("path", "ascending"), ("video_id", "ascending")])
    if not path.exists() or table != pq.read_table(path):
        tables.write(table, path)
        dataset.refresh()
    return rows, failed
