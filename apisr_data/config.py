"""Every setting of every stage, as strict frozen models; their digests; recipes in TOML.

A setting here changes what a stage writes, and so enters its digest. What only changes how fast or where a stage runs
(workers, device, time limits) is a flag, never a setting.
"""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import pydantic

from apisr_data.errors import ConfigError

Matrix = Literal["bt601", "bt709", "bt2020"]

S = TypeVar("S", bound="Settings")


class Settings(pydantic.BaseModel):
    """Base of the settings: an unknown key or a wrong type is an error, and nothing changes after construction."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, values: Any) -> Any:
        if isinstance(values, dict):  # TOML and JSON know lists only
            return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return values


class Extract(Settings):
    """Which frames are read, and how their colour is."""

    exact: bool = False
    """Decode every frame instead of the packets that hold I-frames."""
    assume_matrix: Matrix | None = None
    """Colour matrix of untagged video, in place of the guess by height."""


class Score(Settings):
    """What is measured on each frame."""

    scorer: Literal["auto", "icnet", "detail"] = "auto"
    """The complexity scorer; auto is icnet where its weights are present, else detail."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of ICNet's arithmetic; bf16 is about twice as fast and moves scores by some thousandths."""
    also: tuple[str, ...] = ("sharpness", "blockiness")
    """The other scorers to run."""
    native_height: bool = True
    """Measure the height that each title was drawn at."""


class Dedup(Settings):
    """When two frames show the same picture."""

    phash_distance: int = pydantic.Field(default=6, ge=0, le=7)
    """Largest Hamming distance of two perceptual hashes that are compared further."""
    thumbnail_difference: float = pydantic.Field(default=12.0, ge=0)
    """Largest mean difference (0..255) of any block of two thumbnails that count as one picture."""
    min_entropy: float = pydantic.Field(default=2.0, ge=0)
    """Frames below this luma entropy (bits) are not compared: black, white, fades."""
    repeat_s: float = pydantic.Field(default=20.0, gt=0)
    """Shortest stretch that counts as repeated in another video (an opening, an ending), s."""
    repeat_frames: int = pydantic.Field(default=4, ge=2)
    """Fewest different pictures that such a stretch has in common."""


Limit = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


class Select(Settings):
    """Which frames are kept."""

    policy: Literal["diverse", "paper"] = "diverse"
    per_video: int | None = pydantic.Field(default=None, ge=1)
    """Most frames kept of one video; None is 10 under `diverse`, and 16 up to 30 min or 24 above under `paper`."""
    partitions: int = pydantic.Field(default=8, ge=1)
    """Stretches of a video that share the quota: equal in time under `diverse`, in number of frames under `paper`."""
    step: int = pydantic.Field(default=5, ge=1)
    """Under `paper`, every step-th I-frame of a partition is a candidate."""
    rank_by: Literal["complexity", "random"] = "complexity"
    """What a candidate's rank follows; random is the paper's ablation."""
    seed: int = pydantic.Field(default=0, ge=0)
    """Of the random ranks."""
    where: str | None = None
    """SQL condition that a candidate must meet, over the columns of frames, scores and videos."""
    min_entropy: Limit = 3.0
    """Under `diverse`, the least luma entropy, bits."""
    min_sharpness: Limit | None = None
    """Under `diverse`, the least sharpness, 0..1."""
    max_blockiness: Limit | None = None
    """Under `diverse`, the most blockiness, levels."""
    max_combing: Limit = 0.1
    """Under `diverse`, the largest share of combed blocks, 0..1."""


class Rescale(Settings):
    """How a chosen frame becomes a file."""

    height: Annotated[int, pydantic.Field(ge=16)] | Literal["native"] = 720
    """Height in px that the uncropped frame is brought to; native is the title's measured height, or else 720."""
    kernel: Literal["lanczos", "area", "paper"] = "lanczos"
    """Resampling kernel; paper is the authors' bicubic without antialiasing."""
    below: Literal["keep", "refuse"] = "keep"
    """What happens to a frame below the height: kept at its size, or refused."""
    crop_borders: bool = True
    """Cut letterbox and pillarbox borders."""
    multiple_of: int = pydantic.Field(default=8, ge=1)
    """Both sides are cut to a multiple of this, around the centre."""


class Export(Settings):
    """How the training set is laid out."""

    format: Literal["folder", "webdataset", "huggingface", "basicsr"] = "folder"
    tile: int | None = pydantic.Field(default=None, ge=32)
    """Side in px of the tiles that are cut; None exports whole images."""
    tiles_per_image: int = pydantic.Field(default=4, ge=1)
    val_fraction: float = pydantic.Field(default=0.05, ge=0, lt=1)
    seed: int = 0
    hold_out: tuple[str, ...] = ()
    """Titles that validate, and no others; where none is named, `val_fraction` and `seed` choose."""


class Recipe(Settings):
    """All stages' settings: one TOML file with a table a stage."""

    extract: Extract = Extract()
    score: Score = Score()
    dedup: Dedup = Dedup()
    select: Select = Select()
    rescale: Rescale = Rescale()
    export: Export = Export()


def digest(settings: Settings, *inputs: str) -> str:
    """12 hex digits that name `settings` and what they were applied to."""
    content = json.dumps([settings.model_dump(mode="json"), *inputs], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


def parse(model: type[S], values: dict[str, Any], origin: str) -> S:
    """`values` as a `model`.

    Raises:
        ConfigError: an unknown key or an unusable value; the message names `origin` and the key.
    """
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = f"{first['msg']} (found {first['input']!r})"
        if first["type"] == "value_error":  # a rule of ours, which says itself what it found
            message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = f"no such setting; there are {', '.join(_fields(model, first['loc'][:-1]))}"
        raise ConfigError(f"{origin}: {key}: {message}") from None


def _fields(model: type[Settings], location: Sequence[int | str]) -> list[str]:
    """The keys of the model that stands at `location` inside `model`."""
    for key in location:
        annotation = model.model_fields[str(key)].annotation
        for kind in (annotation, *get_args(annotation)):  # a table that may be left out is `Model | None`
            if isinstance(kind, type) and issubclass(kind, Settings):
                model = kind
    return list(model.model_fields)


def recipe_names(job: str = "curate") -> tuple[str, ...]:
    """Names of the recipes that are shipped for a job (curate, train), for `--recipe NAME`."""
    files = resources.files("apisr_data.pipelines").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.startswith(f"{job}_")))


def load_recipe(name_or_path: str) -> Recipe:
    """The curation recipe of that name in pipelines/, or in the TOML file of that path.

    Raises:
        ConfigError: no such recipe or file, not TOML, or a wrong key or value in it.
    """
    return load_recipe_as(Recipe, name_or_path, job="curate")


def load_recipe_as(model: type[S], name_or_path: str, *, job: str) -> S:
    """The recipe for `job` of that name in pipelines/, or in the TOML file of that path, as a `model`.

    Raises:
        ConfigError: as `load_recipe`.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe {path}: cannot be read: {error}") from None
    elif name_or_path in recipe_names(job):
        text = resources.files("apisr_data.pipelines").joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise ConfigError(f"no recipe '{name_or_path}': give a .toml file or one of {', '.join(recipe_names(job))}")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {name_or_path}: {error}") from None
    return parse(model, values, f"recipe {name_or_path}")


def override(recipe: S, assignments: Sequence[str]) -> S:
    """The recipe with `stage.key=value` assignments applied; a value is TOML, a bare string, or none.

    A key may lie in a table inside the stage's, `stage.table.key=value`, also where the recipe has no such table yet.

    Raises:
        ConfigError: an assignment is not of that form, or its key or value is wrong.
    """
    values = recipe.model_dump()
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        stage, *tables = path.split(".")
        if not (tables and equals) or stage not in values:
            raise ConfigError(f"--set {assignment}: not STAGE.KEY=VALUE; stages: {', '.join(values)}")
        *tables, key = tables
        table = values[stage]
        for name in tables:
            if table.get(name) is None:
                table[name] = {}
            table = table[name]
            if not isinstance(table, dict):
                raise ConfigError(f"--set {assignment}: '{name}' is one value, and has no '{key}' in it")
        if text == "none":  # TOML has no word for it
            table[key] = None
            continue
        try:
            table[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            table[key] = text
    return parse(type(recipe), values, "--set")
