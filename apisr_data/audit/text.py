"""An audit as text for a terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from apisr_data.audit import facts

_SHOWN_DIFFERENCES = 20


def render(audit: facts.Audit) -> RenderableType:
    """The audit as one table of facts, one of the picture types, and what `extract` would do."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in (
        ("title", f"{audit.title}, episode {audit.episode}" if audit.episode else audit.title),
        ("stream", _stream(audit.stream)),
        ("picture", _picture(audit.stream)),
        ("colour", _colour(audit.colour)),
        ("fields", _fields(audit.fields)),
        ("native", _native_height(audit.native_height)),
        ("I-frames", _i_frames(audit.gops)),
        ("GOPs", _gops(audit.gops, audit.stream.fps)),
    ):
        table.add_row(name, Text(text))
    verdict = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    verdict.add_column(style="bold", no_wrap=True)
    verdict.add_column(overflow="fold")
    verdict.add_row("extract", _plan(audit.extract))
    for warning in audit.extract.warnings:
        verdict.add_row("", Text(f"warning: {warning}", style="yellow"))
    if audit.verification:
        verdict.add_row("verify", _verification(audit.verification))
    parts = (table, _picture_types(audit.picture_types), verdict)
    return Group(Text(audit.path, style="bold underline", overflow="fold"), *(Padding(p, (0, 0, 0, 2)) for p in parts))


def _stream(stream: facts.Stream) -> str:
    duration = "unknown duration" if stream.duration_s is None else _clock(stream.duration_s)
    rate = "unknown bit rate" if not stream.duration_s else f"{stream.bytes * 8 / stream.duration_s / 1e6:.2f} Mbit/s"
    profile = f" ({stream.profile})" if stream.profile else ""
    size = f"{stream.bytes / 1e6:,.1f} MB" if stream.bytes >= 1e6 else f"{stream.bytes / 1e3:.1f} kB"
    return f"{stream.codec}{profile} in {stream.container}, {duration}, {size}, {rate}"


def _picture(stream: facts.Stream) -> str:
    text = f"{stream.width}x{stream.height}"
    if (stream.displayed_width, stream.displayed_height) != (stream.width, stream.height):
        text += f" shown at {stream.displayed_width}x{stream.displayed_height}"
    if stream.sample_aspect_ratio != "1:1":
        text += f", pixels {stream.sample_aspect_ratio}"
    if stream.rotation:
        text += f", turned by {stream.rotation} degrees"
    rate = f"{stream.fps:.3f}".rstrip("0").rstrip(".") if stream.fps else "unknown"
    return f"{text}, {rate} frames/s, {stream.pixel_format}, {stream.bit_depth} bits"


def _colour(colour: facts.Colour | None) -> str:
    if colour is None:
        return "refused, see extract"
    told = f"transfer {colour.transfer or 'not told'}, primaries {colour.primaries or 'not told'}"
    return f"{colour.matrix} ({colour.matrix_source}), {colour.range} range ({colour.range_source}), {told}"


def _fields(fields: facts.Fields) -> str:
    measured = fields.measured or ("too little moves to tell" if fields.frames else "nothing")
    combed = f" ({fields.combed_share:.0%} of {fields.moving_frames} moving frames combed)" if fields.measured else ""
    return f"measured: {measured}{combed}; the stream says {fields.flagged or 'nothing'}"


def _native_height(native: facts.NativeHeight | None) -> str:
    if native is None:
        return "not measured"
    if native.height is None:
        return "nothing points below the source height"
    return f"{native.height} px, enlarged by {native.kernel} (confidence {native.confidence:.2f})"


def _i_frames(gops: facts.Gops) -> str:
    idr = "" if gops.idr is None else f", {gops.idr:,} IDR pictures"
    return f"{gops.i_frames:,} of {gops.packets:,} packets; {gops.key_packets:,} key packets{idr}"


def _gops(gops: facts.Gops, fps: float | None) -> str:
    kinds = {None: "open or closed: no time stamps tell", False: "closed", True: f"{gops.leading} are open"}
    if gops.longest is None:
        return kinds[gops.is_open]
    seconds = f" ({gops.longest / fps:.1f} s)" if fps else ""
    spread = "" if gops.shortest == gops.longest else f"{gops.shortest:,} to "
    return f"{spread}{gops.longest:,} packets{seconds}, median {gops.median:,g}; {kinds[gops.is_open]}"


def _picture_types(rows: list[facts.PictureType]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("type")
    for name in ("packets", "share of bytes", "mean bytes", "kbit/s"):
        table.add_column(name, justify="right")
    total = sum(row.bytes for row in rows) or 1
    for row in rows:
        rate = "" if row.kbit_s is None else f"{row.kbit_s:,.0f}"
        share = f"{row.bytes / total:.1%}"
        table.add_row(row.picture_type, f"{row.packets:,}", share, f"{row.mean_bytes:,.0f}", rate)
    return table


def _plan(plan: facts.Plan) -> Text:
    if plan.refusal:
        return Text(f"refuses it: {plan.refusal}", style="red")
    text = f"writes {plan.frames:,} frames, found by {plan.method}"
    if plan.reason:
        text += f" ({plan.reason})"
    return Text(f"{text}; {plan.corrupt} marked as damaged" if plan.corrupt else text)


def _verification(verification: facts.Verification) -> Text:
    counts = f"{verification.i_frames:,} I-frames, a full decode {verification.full_decode_i_frames:,}"
    if verification.is_equal:
        return Text(f"equal: {counts}; time stamps and pixels agree", style="green")
    lines = [f"different: {counts}", *verification.differences[:_SHOWN_DIFFERENCES]]
    if more := len(verification.differences) - _SHOWN_DIFFERENCES:
        lines += [f"and {more:,} more (all of them in --json)"] if more > 0 else []
    return Text("\n".join(lines), style="red")


def _clock(duration_s: float) -> str:
    minutes, seconds = divmod(duration_s, 60)
    return f"{int(minutes)} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"
