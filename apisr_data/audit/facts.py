"""What an audit says: the fields of its JSON, with their units."""

import pydantic


class _Facts(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class Stream(_Facts):
    """The file and its video stream, as the container describes them."""

    container: str
    codec: str
    profile: str | None
    pixel_format: str
    bit_depth: int
    width: int
    """Coded width, px."""
    height: int
    """Coded height, px."""
    displayed_width: int
    """Width after sample aspect ratio and rotation, px."""
    displayed_height: int
    """Height after sample aspect ratio and rotation, px."""
    sample_aspect_ratio: str
    """`width:height` of a pixel."""
    rotation: int
    """Degrees clockwise."""
    fps: float | None
    duration_s: float | None
    bytes: int
    """File size."""


class PictureType(_Facts):
    """The packets of one picture type."""

    picture_type: str
    """I, P, B, or ? where the packets' headers do not tell."""
    packets: int
    bytes: int
    mean_bytes: float
    kbit_s: float | None
    """Bit rate over the whole duration, kbit/s."""


class Gops(_Facts):
    """Groups of pictures: from one I-frame to the next, in packets, in decoding order."""

    packets: int
    i_frames: int
    """Packets that hold one; 0 where only a full decode tells, which was not made for a refused video."""
    key_packets: int
    """Packets that the container marks as key."""
    idr: int | None
    """I-frames that are IDR pictures; null for codecs that know none."""
    leading: int | None
    """I-frames that are followed by frames shown before them: open GOPs; null where time stamps are absent."""
    shortest: int | None
    median: float | None
    longest: int | None

    @property
    def is_open(self) -> bool | None:
        """Whether any GOP is open; None where the time stamps do not tell."""
        return None if self.leading is None else self.leading > 0


class Colour(_Facts):
    """How the colour is read."""

    matrix: str
    matrix_source: str
    """tag, guess (from the height) or user."""
    range: str
    range_source: str
    """tag or guess."""
    transfer: str | None
    """As tagged; null when silent."""
    primaries: str | None
    """As tagged; null when silent."""
    siting: str


class Fields(_Facts):
    """Interlacing: what the stream says and what its pictures show."""

    flagged: str | None
    """progressive, tff or bff; null when silent."""
    measured: str | None
    """progressive, interlaced or telecine; null when too little moves or nothing was looked at."""
    frames: int
    """Frames looked at."""
    moving_frames: int
    """Frames that were evidence."""
    combed_share: float
    """Share of them that show two moments, 0..1."""


class NativeHeight(_Facts):
    """The height that the work was probably drawn at."""

    height: int | None
    """px; null when nothing points below the source height."""
    kernel: str | None
    """The kernel that it was enlarged with."""
    confidence: float
    """0..1."""


class Plan(_Facts):
    """What `extract` would do."""

    refusal: str | None
    """Why it refuses the video; null when it does not."""
    method: str
    """slice-types, headers, key-packets or full-decode."""
    reason: str | None
    """Why it decodes in full."""
    frames: int
    """Rows that it would write."""
    decode_errors: int
    """Packets that the decoder refused."""
    corrupt: int
    """I-frames that the decoder marks as possibly damaged."""
    warnings: list[str]


class Verification(_Facts):
    """The I-frames of the fast path against those of a full decode."""

    is_equal: bool
    i_frames: int
    full_decode_i_frames: int
    differences: list[str]


class Audit(_Facts):
    """Everything about one video; `model_dump_json()` is what `audit --json` prints."""

    path: str
    title: str
    episode: str | None
    stream: Stream
    gops: Gops
    picture_types: list[PictureType]
    colour: Colour | None
    """Null when the video is refused for its colour."""
    fields: Fields
    native_height: NativeHeight | None
    """Null when no frame was read."""
    extract: Plan
    verification: Verification | None
    """Null unless asked for."""

    @property
    def is_different(self) -> bool:
        """Whether a full decode was compared and found different."""
        return self.verification is not None and not self.verification.is_equal
