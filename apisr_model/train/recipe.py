"""What a training run is made of, as strict frozen models; recipes in TOML."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from apisr_data.config import Settings
from apisr_model.degrade import DegradationConfig
from apisr_model.losses.perceptual import PerceptualConfig
from apisr_model.network import ChannelOrder
from apisr_model.targets import TargetConfig

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


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


class DataSettings(Settings):
    """How pictures become pairs."""

    crop_px: int = Field(default=256, ge=8)
    """Side of the high-resolution crops."""
    crops: int = Field(default=1, ge=1)
    """Pairs that are cut from each frame that is degraded; they reach different batches."""
    context_px: int = Field(default=64, ge=0)
    """What is degraded around them, as far as the picture goes: codecs predict a place from what surrounds it."""
    zoom: float = Field(default=1.0, ge=1, le=8)
    """Half of the pictures are enlarged by up to it before crops are cut: a network learns of soft ones too."""
    degrade_on: Literal["cpu", "device"] = "cpu"
    """Where blur, noise and resize run; codecs run on the CPU in either case."""


class LossSettings(Settings):
    """What the network learns from: each term's weight."""

    pixel: Weight = 1.0
    """L1 to the target."""
    perceptual: PerceptualConfig | None = None
    """The twin perceptual term to the target; None leaves it out."""
    adversarial: Weight = 0.0
    """Least-squares GAN; the discriminator learns from the raw pictures as the real ones."""

    @model_validator(mode="after")
    def _weighs(self) -> "LossSettings":
        if not self.pixel and self.perceptual is None:
            raise ValueError("nothing ties the output to the picture: pixel = 0 and no [losses.perceptual]")
        return self


class TrainSettings(Settings):
    """How it is trained. The run ends at `iterations` or after `minutes`, whichever comes first."""

    iterations: int | None = Field(default=None, ge=1)
    """Steps; bit-exact repetition needs them, since a clock never repeats itself."""
    minutes: Positive | None = None
    """Time in the loop, of all the sessions of one run together."""
    batch: int = Field(default=16, ge=1)
    """Pairs a step, of all processes together."""
    accumulate: int = Field(default=1, ge=1)
    """Parts in which a process goes through its share of the batch, where memory is short."""
    learning_rate: Positive = 2e-4
    """Its peak, of both networks, reached in a straight line over `warmup` steps."""
    warmup: int = Field(default=0, ge=0)
    schedule: Literal["cosine", "halving", "constant"] = "cosine"
    """After its peak the rate falls to zero by a cosine over the run, halves every `halve_every` steps, or stays."""
    halve_every: int = Field(default=100_000, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of the forward passes; the weights stay fp32. auto is bf16 on a GPU that has it, else fp32."""
    clip_norm: Positive | None = None
    """The gradient's norm is cut to it."""
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Of the average of the weights over the last steps, which is what the run hands out."""
    channels_last: bool = True
    """Memory layout of the convolutions' inputs; on a GPU only."""
    compile: bool = False
    """torch.compile the network: minutes at the start, faster steps after it."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps after which the run validates and saves."""
    keep: int = Field(default=3, ge=0)
    """Networks of the last checkpoints that stay, beside the newest and the best."""
    log_every: int = Field(default=20, ge=1)
    """Steps between two entries for TensorBoard."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _ends(self) -> "TrainSettings":
        if self.iterations is None and self.minutes is None:
            raise ValueError("a run needs iterations or minutes to end by")
        if self.batch % self.accumulate:
            raise ValueError(f"batch = {self.batch} does not go into {self.accumulate} equal parts")
        return self


class ValidationSettings(Settings):
    """How the averaged weights are measured at each checkpoint, on fixed degradations of the split `val`."""

    images: int = Field(default=16, ge=0)
    """Pictures to measure on, at most."""
    crop_px: int = Field(default=512, ge=8)
    """Side of the crop of each."""
    metric: Literal["psnr", "ssim", "line_f1", "consistency"] = "psnr"
    """What the best checkpoint is chosen by: psnr and ssim to the target, line_f1 to the lines of the pseudo ground
    truth, consistency to the low resolution."""
    shown: int = Field(default=4, ge=0)
    """Pictures that TensorBoard shows."""


class TrainRecipe(Settings):
    """One TOML file with a table for each of these."""

    network: NetworkSettings = NetworkSettings()
    degradation: DegradationConfig = DegradationConfig()
    target: TargetConfig = TargetConfig()
    data: DataSettings = DataSettings()
    losses: LossSettings = LossSettings()
    train: TrainSettings
    validation: ValidationSettings = ValidationSettings()
