"""What a receipt says, before any byte of it: a frozen document model.

A document is a tuple of lines, top to bottom, that ends in one cut. It knows neither paper width nor printer
model; `devices.escpos_build.build` turns it into ESC/POS bytes. Exactly one cut: the cut is what the printer counts, and
that count is the evidence that a receipt left the printer (see `devices.printer_job`).

Japanese and English text alike. A newline inside a text starts a new line of paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "center", "right"]
Size = Literal["normal", "tall", "wide", "double", "triple"]
QrLevel = Literal["L", "M", "Q", "H"]
RuleStyle = Literal["thin", "thick", "dashed"]

QR_PAYLOAD_MAX_BYTES = 1000
"""Longer codes are unreadable from 80 mm paper; and a length of 1,040 or 1,296 would put the bytes 10 04 or
10 05 (real-time commands of the printer) into the length field of GS ( k."""


class DocumentError(ValueError):
    """The document asks for something that no receipt printer can do. Ours: a wrong call, nothing was sent."""


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph, wrapped to the width of the paper. `size` multiplies width and height of every character."""

    text: str
    align: Align = "left"
    size: Size = "normal"
    bold: bool = False
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A label at the left edge and a value at the right edge; two lines if they do not fit beside each other."""

    left: str
    right: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""

    style: RuleStyle = "thin"


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code (model 2) drawn by the printer itself.

    data: printable text, sent as UTF-8, 1..1000 bytes. module_dots: side of one module, 1..16 dots of 0.125 mm.
    Raises DocumentError for control characters, an empty or too long payload, a module size out of range.
    """

    data: str
    module_dots: int = 6
    level: QrLevel = "M"
    align: Align = "center"

    def __post_init__(self) -> None:
        if not 1 <= self.module_dots <= 16:
            raise DocumentError(f"QR module size is {self.module_dots} dots; allowed are 1 to 16")
        if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in self.data):
            raise DocumentError("QR payload holds a control character; only printable text can be a QR payload here")
        try:
            length = len(self.data.encode())
        except UnicodeEncodeError as error:
            raise DocumentError("QR payload holds half a surrogate pair; it is no valid text") from error
        if not 1 <= length <= QR_PAYLOAD_MAX_BYTES:
            raise DocumentError(f"QR payload is {length} bytes; allowed are 1 to {QR_PAYLOAD_MAX_BYTES}")


@dataclass(frozen=True, slots=True)
class Feed:
    """Blank paper, 1..15 lines of 3.75 mm."""

    lines: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= 15:
            raise DocumentError(f"feed is {self.lines} lines; allowed are 1 to 15")


@dataclass(frozen=True, slots=True)
class Cut:
    """Feed to the cutter and cut, leaving one point so that the receipt does not fall. Only as the last line."""


Line = Text | Pair | Rule | Qr | Feed | Cut


@dataclass(frozen=True, slots=True)
class Document:
    """Lines of one receipt, 1..200. A cut at the end is added where it is missing.

    Raises DocumentError if there is no line, too many, or a cut before the end.
    """

    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= 200:
            raise DocumentError(f"a document has {len(self.lines)} lines; allowed are 1 to 200")
        if any(isinstance(line, Cut) for line in self.lines[:-1]):
            raise DocumentError("a cut stands before the end of the document; one document is one receipt")
        if not isinstance(self.lines[-1], Cut):
            object.__setattr__(self, "lines", (*self.lines, Cut()))
