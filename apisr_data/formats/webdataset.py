"""WebDataset: tar archives of about 1 GB in which NAME.png stands before NAME.json, its manifest row."""

import io
import json
import tarfile
from collections import Counter

import pyarrow as pa

from apisr_data.formats import Create, Sample

SHARD_BYTES = 1 << 30


class Writer:
    """train-000000.tar, train-000001.tar, ..., val-000000.tar, ...; the same samples give the same bytes."""

    def __init__(self, create: Create) -> None:
        self.create = create
        self._open: dict[str, tarfile.TarFile] = {}
        self._shards: Counter[str] = Counter()

    def add(self, sample: Sample) -> str:
        """Append the picture and its row to the split's archive."""
        split = sample.row["split"]
        if split in self._open and self._open[split].offset >= SHARD_BYTES:
            self._open.pop(split).close()
        if split not in self._open:
            path = self.create(f"{split}-{self._shards[split]:06d}.tar")
            self._open[split] = tarfile.open(path, "w")  # noqa: SIM115 -- closed by `finish`
            self._shards[split] += 1
        text = json.dumps(dict(sample.row), ensure_ascii=False).encode(errors="surrogateescape")
        for name, content in ((f"{sample.name}.png", sample.png), (f"{sample.name}.json", text)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            self._open[split].addfile(member, io.BytesIO(content))
        return f"{split}-{self._shards[split] - 1:06d}.tar/{sample.name}.png"

    def finish(self, manifest: pa.Table) -> None:
        """Nothing stands beside the archives."""

    def close(self) -> None:
        """Close the archives; each gets its end mark."""
        for shard in self._open.values():
            shard.close()
