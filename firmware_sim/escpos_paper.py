"""Thermal paper: what has been printed since the last cut, as dots and as text.

203 dots an inch, 8 a millimetre; a half-width character is 12 dots wide, a full-width one 24. Drawn line by line as it is
printed, so that at the cut only the strips remain to be joined.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

DOTS_PER_MM = 8
CELL_DOTS = 12
CHAR_DOTS = 24
_MARGIN_DOTS = 32
_INK = (43, 40, 48)
_PAPER = (252, 251, 246)
_LONGEST_DOTS = 40_000  # 5 m: a printer that is never told to cut must not eat the memory
_LONGEST_LINES = _LONGEST_DOTS // 10

FONT_PATHS = (
    "/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf",
    "/usr/share/fonts/truetype/fonts-japanese-gothic.ttf",
    "/usr/share/fonts/ipa-gothic/ipag.ttf",
    "/usr/share/fonts/OTF/ipag.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansMonoCJKjp-Regular.otf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
)


class FontMissing(Exception):
    """No Japanese font is installed; the text says what to install."""


def font_path() -> str:
    """The Japanese font that stands for the printer's kanji ROM. INSTORE_FONT names another. Raises FontMissing."""
    chosen = os.environ.get("INSTORE_FONT")
    paths = (chosen, *FONT_PATHS) if chosen else FONT_PATHS
    for path in paths:
        if Path(path).is_file():
            return path
    raise FontMissing(
        "no Japanese font found for the simulated printer: install one (sudo apt install fonts-ipafont-gothic) "
        f"or name a font file in INSTORE_FONT; looked for {', '.join(paths)}"
    )


@dataclass(frozen=True, slots=True)
class Style:
    """`wide` and `high` are multiples 1..8 of the normal size."""

    wide: int = 1
    high: int = 1
    bold: bool = False
    inverse: bool = False
    underline: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one style in one line."""

    text: str
    style: Style


@dataclass(slots=True)
class Paper:
    """`width_dots`: printable width, 576 for 48 columns. `text`: what a reader would type off it, line by line."""

    width_dots: int = 48 * CELL_DOTS
    text: list[str] = field(default_factory=list)
    qr: list[bytes] = field(default_factory=list)
    _strips: list[Image.Image | int] = field(default_factory=list)
    _dots: int = 0

    @property
    def blank(self) -> bool:
        return not self.text and not any(isinstance(strip, Image.Image) for strip in self._strips)

    @property
    def length_mm(self) -> float:
        return self._dots / DOTS_PER_MM

    def print_line(self, runs: list[Run], align: int, pitch_dots: int) -> int:
        """One line; `align` 0 left, 1 centre, 2 right. The paper moves `pitch_dots` or the height of the line if that is
        more. Returns the dots that it moved."""
        if len(self.text) < _LONGEST_LINES:
            self.text.append("".join(run.text for run in runs).rstrip(" "))
        if not runs:
            return self.feed(pitch_dots)
        high = max(run.style.high for run in runs)
        moved = max(pitch_dots, CHAR_DOTS * high + (pitch_dots - CHAR_DOTS if high > 1 else 0))
        strip = Image.new("L", (self.width_dots, max(moved, CHAR_DOTS * high)), 255)
        wide = sum(_dots(run) for run in runs)
        x = (0, (self.width_dots - wide) // 2, self.width_dots - wide)[align]
        for run in runs:
            drawn = _draw(run.text, run.style)
            strip.paste(drawn, (x, CHAR_DOTS * high - drawn.height))
            x += drawn.width
        return self._add(strip)

    def print_image(self, image: Image.Image, align: int) -> int:
        strip = Image.new("L", (self.width_dots, image.height), 255)
        spare = self.width_dots - image.width
        strip.paste(image, ((0, max(0, spare) // 2, max(0, spare))[align], 0))
        return self._add(strip)

    def print_qr(self, payload: bytes, level: str, module_dots: int, align: int) -> int:
        """Model 2; a symbol wider than the paper, or of more than a symbol holds, is not printed, as on the real one."""
        try:
            code = segno.make(_qr_content(payload), error=level, boost_error=False, micro=False)
        except segno.DataOverflowError:
            return 0
        rows = [bytes(255 * (1 - bit) for bit in row) for row in code.matrix]
        side = len(rows) * module_dots
        if side > self.width_dots:
            return 0
        image = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows))
        if len(self.qr) < _LONGEST_LINES:
            self.qr.append(payload)
        return self.print_image(image.resize((side, side), Image.Resampling.NEAREST), align)

    def feed(self, dots: int) -> int:
        return self._add(dots)

    def picture(self) -> Image.Image:
        """The paper up to here, margins and colours included."""
        height = max(self._dots, 1) + 2 * _MARGIN_DOTS
        sheet = Image.new("L", (self.width_dots + 2 * _MARGIN_DOTS, height), 255)
        y = _MARGIN_DOTS
        for strip in self._strips:
            if isinstance(strip, int):
                y += strip
            else:
                sheet.paste(strip, (_MARGIN_DOTS, y))
                y += strip.height
        coloured = Image.frombytes("P", sheet.size, sheet.tobytes())
        coloured.putpalette(_ramp())
        return coloured

    def _add(self, strip: Image.Image | int) -> int:
        dots = strip if isinstance(strip, int) else strip.height
        if self._dots + dots > _LONGEST_DOTS:
            return 0
        if dots:
            self._strips.append(strip)
            self._dots += dots
        return dots


def _qr_content(payload: bytes) -> str | bytes:
    return payload.decode() if payload.isascii() else payload


def _ramp() -> list[int]:
    return [round(_INK[c] + (_PAPER[c] - _INK[c]) * i / 255) for i in range(256) for c in range(3)]


def _cells(char: str) -> int:
    return 1 if char < "\x7f" or "｡" <= char <= "ﾟ" else 2


def _dots(run: Run) -> int:
    return sum(_cells(char) for char in run.text) * CELL_DOTS * run.style.wide


@functools.lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_path(), size)


@functools.lru_cache(maxsize=2048)
def _glyph(char: str, high: int, *, bold: bool) -> Image.Image:
    image = Image.new("L", (_cells(char) * high // 2, high), 255)
    draw = ImageDraw.Draw(image)
    for shift in range(1 + bold * (high // CHAR_DOTS)):
        draw.text((shift, 0), char, fill=0, font=_font(high))
    return image


def _draw(text: str, style: Style) -> Image.Image:
    """Drawn at the height asked for and stretched sideways: smooth edges, as with the printer's own smoothing."""
    high = CHAR_DOTS * style.high
    image = Image.new("L", (max(1, sum(_cells(char) for char in text) * high // 2), high), 255)
    x = 0
    for char in text:
        glyph = _glyph(char, high, bold=style.bold)
        image.paste(glyph, (x, 0))
        x += glyph.width
    if style.underline:
        ImageDraw.Draw(image).line((0, high - 2, image.width, high - 2), fill=0, width=1)
    if style.wide != style.high:
        image = image.resize((image.width * style.wide // style.high, high), Image.Resampling.BICUBIC)
    return image.point(lambda value: 255 - value) if style.inverse else image
