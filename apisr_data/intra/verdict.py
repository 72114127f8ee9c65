"""What a classifier says of one packet."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Verdict:
    """One packet's picture.

    Attributes:
        picture_type: I, P, B, or ? where the header does not tell.
        is_alone: it is one shown I-frame that decodes to the same pixels without any other packet.
        is_sync: besides, a decoder that starts here shows it and everything that follows it.
        has_headers: the packet brings every header (parameter sets, sequence header) that its picture needs.
        names_others: its header lists reference pictures, though no slice uses them; libav then marks the frame as
            corrupt when it is decoded alone.
        unusual: why nothing but a full decode is exact for this stream; empty otherwise.
    """

    picture_type: str
    is_alone: bool = False
    is_sync: bool = False
    has_headers: bool = False
    names_others: bool = False
    unusual: str = ""


P = Verdict("P")
B = Verdict("B")
UNKNOWN = Verdict("?")


def unusual(reason: str) -> Verdict:
    """A verdict that leaves the stream to a full decode."""
    return Verdict("?", unusual=reason)


class Classifier(Protocol):
    """Follows one stream; `classify` sees every packet once, in decoding order."""

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
