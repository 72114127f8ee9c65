"""What a training run is made of, as strict frozen models; recipes in TOML."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from apisr_data.config import Settings
from apisr_model.degrade import DegradationConfig
from apisr_model.network import ChannelOrder

Positive = Annotated[float, Field(gt=0)]


class NetworkSettings(Settings):
    """Which network is trained."""

    architecture: str = "compact"
    scale: int = Field(default=4, ge=1)
    """High-resolution side over low-resolution side."""
    variant: str | None = None
    """One of the architecture's named configurations; None is its default."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Fields of the architecture's configuration that differ from the variant's."""
    channel_order: ChannelOrder = "rgb"
    """What the network is fed; APISR's own were trained on bgr, and go on from there only so."""


class TrainSettings(Settings):
    """How it is trained. The run ends at `iterations` or after `minutes`, whichever comes first."""

    iterations: int | None = Field(default=None, ge=1)
    """Steps; bit-exact repetition needs them, since a clock never repeats itself."""
    minutes: Positive | None = None
    """Time in the loop, of all the sessions of one run together."""
    batch: int = Field(default=16, ge=1)
    """Pairs a step."""
    crop_px: int = Field(default=256, ge=8)
    """Side of the high-resolution crops."""
    learning_rate: Positive = 2e-4
    """Its peak: reached in a straight line over `warmup` steps, then falling to zero by a cosine over the run."""
    warmup: int = Field(default=0, ge=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Of the average of the weights over the last steps, which is what the run hands out."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps after which the run validates and saves."""
    val_images: int = Field(default=16, ge=0)
    """Pictures of the validation split to measure on, at most."""
    val_crop_px: int = Field(default=512, ge=8)
    """Side of their crops."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _ends(self) -> "TrainSettings":
        if self.iterations is None and self.minutes is None:
            raise ValueError("a run needs iterations or minutes to end by")
        return self


class TrainRecipe(Settings):
    """One TOML file with a table for each of these."""

    network: NetworkSettings = NetworkSettings()
    degradation: DegradationConfig = DegradationConfig()
    train: TrainSettings
