"""Hugging Face: an ImageFolder that `datasets.load_dataset` reads as it stands; the card names its splits.

Source: the documentation of `datasets`, "Create an image dataset", ImageFolder with a metadata file.
"""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from apisr_data.formats import Create, Sample, folder

FILES_PER_FOLDER = 5000
"""The Hub refuses folders of more than 10,000 files."""


class Writer(folder.Writer):
    """train/0000/NAME.png ... and train/metadata.parquet with the manifest's columns; so for val."""

    def __init__(self, create: Create) -> None:
        super().__init__(create)
        self._written: Counter[str] = Counter()

    def add(self, sample: Sample) -> str:
        """Write the picture."""
        split = sample.row["split"]
        image = f"{split}/{self._written[split] // FILES_PER_FOLDER:04d}/{sample.name}.png"
        self._written[split] += 1
        self.create(image).write_bytes(sample.png)
        return image

    def finish(self, manifest: pa.Table) -> None:
        """Write each split's table; `image` is left to the library, which calls the decoded picture so."""
        for split in self._written:
            rows = manifest.filter(pc.equal(manifest["split"], split))
            names = [image.removeprefix(f"{split}/") for image in rows["image"].to_pylist()]
            table = rows.drop_columns(["image", "split"]).add_column(0, "file_name", pa.array(names))
            pq.write_table(table, self.create(f"{split}/metadata.parquet"))
