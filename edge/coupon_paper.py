"""A coupon of the contract as a document for the printer."""

from __future__ import annotations

from collections.abc import Iterable

from contract.payloads import ReceiptLine
from devices.escpos_document import Cut, Document, Feed, Line, Qr, Rule, Text

QR_MAX_BYTES = 1000


def document(lines: Iterable[ReceiptLine], *, reprint: bool) -> Document:
    """The receipt lines of a coupon, and how it is cut. A reprint says so: it carries the same coupon ID.

    An empty line of text is a feed; a QR code without text is left out: a coupon must come out whatever a rule wrote.
    """
    found: list[Line] = []
    if reprint:
        found.append(Text("再発行 / Reprint", align="center"))
    for line in lines:
        found += _line(line)
    return Document((*found, Feed(3), Cut()))


def _line(line: ReceiptLine) -> list[Line]:
    match line.kind:
        case "title":
            return [Text(line.text, align="center", size="double", bold=True)]
        case "center":
            return [Text(line.text, align="center")]
        case "rule":
            return [Rule()]
        case "qr" if line.text.strip() and line.text.isprintable() and len(line.text.encode()) <= QR_MAX_BYTES:
            return [Qr(line.text)]
        case "text" if line.text:
            return [Text(line.text)]
        case "qr":
            return []
        case _:
            return [Feed(1)]
