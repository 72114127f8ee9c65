"""From a manifest to batches: its rows, the pairs that are cut from their pictures, and their order."""

from apisr_model.data.batches import Batch, Place, batches, deaths_told, floats, place
from apisr_model.data.manifest import Manifest, Row, read_low_res, read_manifest
from apisr_model.data.pairs import Pair, Pairs, Window, cut
from apisr_model.data.record import SampleRecord, look_up

__all__ = [
    "Batch",
    "Manifest",
    "Pair",
    "Pairs",
    "Place",
    "Row",
    "SampleRecord",
    "Window",
    "batches",
    "cut",
    "deaths_told",
    "floats",
    "look_up",
    "place",
    "read_low_res",
    "read_manifest",
]
