"""Folder: one folder of PNG files a split; the manifest says the rest."""

import pyarrow as pa

from apisr_data.formats import Create, Sample


class Writer:
    """train/NAME.png and val/NAME.png."""

    def __init__(self, create: Create) -> None:
        self.create = create

    def add(self, sample: Sample) -> str:
        """Write the picture."""
        image = f"{sample.row['split']}/{sample.name}.png"
        self.create(image).write_bytes(sample.png)
        return image

    def finish(self, manifest: pa.Table) -> None:
        """Nothing stands beside the images."""

    def close(self) -> None:
        """Nothing is open."""
