"""One training sample by its number: where it was cut, what was drawn for it, and how it looks."""

from apisr_data.config import Settings
from apisr_model.data.batches import place
from apisr_model.data.pairs import Pair, Pairs
from apisr_model.degrade import Drawn


class SampleRecord(Settings):
    """All that makes a sample of its picture; `model_dump_json` and `model_validate_json` store it.

    A picture that is smaller than the crop is reflected beyond its right and lower edge first.
    """

    sample: int
    image: str
    """The manifest's name of the picture."""
    frame: int
    crop: int
    """Which of the frame's."""
    target: str
    """The kind of target, made of the whole picture."""
    gamma: float | None
    """What was drawn for it."""
    zoom: float = 1.0
    """What the picture was enlarged by before all else."""
    window: tuple[int, int, int, int]
    """What was degraded: top, left, height and width, px of the enlarged picture."""
    corner: tuple[int, int]
    """Of the crop: top and left, px of the enlarged picture."""
    crop_px: int
    turn: tuple[bool, bool, bool]
    """Of the crop: rows reversed, columns reversed, then transposed."""
    drawn: Drawn | None
    """What happened to the window; None for a real pair."""

    def __str__(self) -> str:
        top, left, height, width = self.window
        turns = ("rows reversed", "columns reversed", "transposed")
        turned = ", ".join(name for name, is_done in zip(turns, self.turn, strict=True) if is_done) or "not turned"
        enlarged = "" if self.zoom == 1 else f", enlarged by {self.zoom:.3f}"
        weight = "" if self.gamma is None else f", gamma {self.gamma:.5f}"
        return "\n".join(
            [
                f"sample {self.sample}: {self.image}, frame {self.frame}, crop {self.crop}{enlarged}",
                f"{self.crop_px} px from left {self.corner[1]}, top {self.corner[0]}; {turned}",
                f"in a window of {width}x{height} px from left {left}, top {top}",
                f"target {self.target}{weight}",
                "a real pair: nothing is drawn" if self.drawn is None else str(self.drawn),
            ]
        )


def look_up(pairs: Pairs, sample: int, batch: int) -> tuple[SampleRecord, Pair]:
    """Sample number `sample` of a run whose processes have batches of `batch` together: bit for bit what it sees.

    Raises:
        ImageError, ShapeError, DegradationError: as `Pairs`.
    """
    here = place(sample, batch, pairs.crops)
    window = pairs.window(here.frame)
    (top, left), (height, width) = window.corners[here.crop], window.high_res.shape[:2]
    record = SampleRecord(
        sample=sample,
        image=window.name,
        frame=here.frame,
        crop=here.crop,
        target=pairs.target.kind,
        gamma=window.gamma,
        zoom=window.zoom,
        window=(window.top, window.left, height, width),
        corner=(window.top + top, window.left + left),
        crop_px=window.crop_px,
        turn=window.turns[here.crop],
        drawn=window.drawn,
    )
    return record, pairs[here.frame][here.crop]
