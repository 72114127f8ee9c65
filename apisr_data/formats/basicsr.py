"""BasicSR: a folder of PNG files a split, and the list of them that `meta_info` of its datasets names.

Source: BasicSR, docs/DatasetPreparation.md and `paths_from_meta_info_file`: a line is a path below the root folder, a
space, and (height,width,channels); only the path is read.
"""

import pyarrow as pa

from apisr_data.formats import folder


class Writer(folder.Writer):
    """The folders with meta_info_train.txt and meta_info_val.txt; their root folder is the export's."""

    def finish(self, manifest: pa.Table) -> None:
        """Write the lists."""
        rows = manifest.select(["split", "image", "height", "width"]).to_pylist()
        for split in sorted({row["split"] for row in rows}):
            lines = [f"{r['image']} ({r['height']},{r['width']},3)\n" for r in rows if r["split"] == split]
            self.create(f"meta_info_{split}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
