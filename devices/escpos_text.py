"""Text for a receipt: made safe, folded to what a Japanese printer has, wrapped to columns. Pure.

One column is half a full-width character (12 dots). Source for the encodable set: the printer's Shift_JIS is Windows
code page 932 without the user-defined area.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

GETA = "〓"
"""The printers' mark for "a character stood here that this font does not have" (0x81AC)."""

# Common signs that cp932 has under another code point, so that a coupon typed on any computer prints as meant.
_FOLD = str.maketrans(
    {"¥": "￥", "〜": "～", "−": "－", "—": "―", "‖": "∥", "–": "-", "‐": "-", "\u2011": "-", "\xa0": " "}
    | {"\u2009": " ", "\u202f": " ", "•": "・", "✓": "レ", "€": "EUR"}
)

_NOT_AT_START = frozenset(
    "、。，．,.!?！？：；:;)）」』】〕］｝〉》’”・ー～々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％%‰℃円"
)
_NOT_AT_END = frozenset("(（「『【〔［｛〈《‘“￥＄$№")


@dataclass(frozen=True, slots=True)
class CleanText:
    """`text` holds printable characters of the printer and newlines only. The counts say what was lost."""

    text: str
    replaced: int
    removed: int


def clean(text: str) -> CleanText:
    """Remove what could be a command or has no shape, replace what the printer's font lacks.

    Removed and counted: control characters (C0 without newline, DEL, C1), format characters (zero width,
    direction marks), combining marks, variation selectors. Replaced and counted: anything else outside cp932, by 〓 if
    wide and ? if narrow.
    """
    kept: list[str] = []
    replaced = removed = 0
    for char in unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(_FOLD):
        if char == "\n" or encodable(char):
            kept.append(char)
        elif unicodedata.category(char) in ("Cc", "Cf", "Mn", "Me"):
            removed += 1
        else:
            kept.append(GETA if _is_wide(char) else "?")
            replaced += 1
    return CleanText("".join(kept), replaced, removed)


def encodable(char: str) -> bool:
    """True if the printer has this character: ASCII 20-7E, half-width katakana, or a two-byte cp932 character."""
    if " " <= char <= "~":
        return True
    if unicodedata.category(char) in ("Cc", "Co"):  # Python's cp932 maps C1 and the private area to lone bytes
        return False
    try:
        encoded = char.encode("cp932")
    except UnicodeEncodeError:
        return False
    return len(encoded) == 2 or 0xA1 <= encoded[0] <= 0xDF


def columns_of(text: str) -> int:
    """Width in columns as printed: two bytes in cp932 are two columns, whatever Unicode says of the character."""
    return sum(_width(char) for char in text)


def wrap(text: str, columns: int) -> list[str]:
    """Break clean text into lines of at most `columns` (>= 2), never an empty list.

    Words of Latin letters stay whole where they fit; no line starts with a closing mark or small kana, none ends
    with an opening bracket (the basic rules of kinsoku).
    """
    return [line for paragraph in text.split("\n") for line in _wrap_paragraph(paragraph, columns)]


def _wrap_paragraph(paragraph: str, columns: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for piece in _pieces(paragraph):
        if columns_of(line) + columns_of(piece.rstrip(" ")) <= columns:
            line += piece
            continue
        if line.strip(" "):
            lines.append(line.rstrip(" "))
        *full, line = _chop(piece, columns)
        lines.extend(full)
    lines.append(line.rstrip(" "))
    return lines


def _pieces(text: str) -> list[str]:
    """Unbreakable pieces: a word with its trailing spaces, a wide character with the marks bound to it."""
    pieces: list[str] = []
    previous = ""
    for char in text:
        if pieces and previous and _bound(previous, char):
            pieces[-1] += char
        else:
            pieces.append(char)
        previous = char
    return pieces


def _bound(before: str, char: str) -> bool:
    if char == " ":
        return True
    if before == " ":
        return False
    if char in _NOT_AT_START or before in _NOT_AT_END:
        return True
    return _width(before) == 1 and _width(char) == 1


def _chop(piece: str, columns: int) -> list[str]:
    """A piece wider than the paper is cut where the paper ends."""
    lines = [""]
    for char in piece:
        if char != " " and columns_of(lines[-1]) + _width(char) > columns:
            lines.append("")
        lines[-1] += char
    return lines


def _width(char: str) -> int:
    return 1 if char < "\x7f" or "｡" <= char <= "ﾟ" else 2


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in ("W", "F")
