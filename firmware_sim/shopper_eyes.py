"""What a camera sees and makes of it: product codes on packages, an exit code on a screen, a coupon on paper.

Pictures are drawn here and read back by a decoder that knows nothing of how they were made. EAN-13: GS1 General Specifications,
section 5.2; L, G and R patterns as there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from random import Random

import zxingcpp
from PIL import Image, ImageDraw

__all__ = ["NotReadable", "on_screen", "package", "read", "read_file"]

_L = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_FIRST = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
_STEP = re.compile(r"([Mmhv])(-?[\d.]+)(?:[ ,](-?[\d.]+)|(?=-)(-[\d.]+))?")
FORMATS = (zxingcpp.BarcodeFormat.EAN13, zxingcpp.BarcodeFormat.QRCode)
"""Others are now and then seen in the modules of a QR code."""
QUIET_MODULES = 11
DOTS_A_MODULE = 4


class NotReadable(ValueError):
    """The camera sees no code, or more than one."""


def read(picture: Image.Image) -> str:
    """The text of the one code in a picture. Raises NotReadable."""
    found: set[str] = {code.text for code in zxingcpp.read_barcodes(picture) if code.format in FORMATS}
    if len(found) != 1:
        raise NotReadable(f"{len(found)} codes in the picture")
    return found.pop()


def read_file(png: Path) -> str:
    """As `read`, of a picture in a file. Raises NotReadable."""
    with Image.open(png) as picture:
        return read(picture.convert("L"))


def package(ean13: str, rng: Random) -> Image.Image:
    """A photograph of the code on a package: a little turned, on a grey that is nowhere quite even."""
    bars = _bars(ean13)
    ground = Image.new("L", (bars.width + 120, bars.height + 100), 225)
    ground.paste(bars, (rng.randint(20, 100), rng.randint(20, 80)))
    return ground.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR, fillcolor=225)


@lru_cache(maxsize=512)
def _bars(ean13: str) -> Image.Image:
    modules = f"101{_half(ean13[1:7], _FIRST[int(ean13[0])])}01010{_half(ean13[7:], 'RRRRRR')}101"
    width = (len(modules) + 2 * QUIET_MODULES) * DOTS_A_MODULE
    picture = Image.new("L", (width, 160), 245)
    draw = ImageDraw.Draw(picture)
    for place, module in enumerate(modules):
        if module == "1":
            left = (place + QUIET_MODULES) * DOTS_A_MODULE
            draw.rectangle((left, 10, left + DOTS_A_MODULE - 1, 150), fill=20)
    return picture


def _half(digits: str, sets: str) -> str:
    return "".join(_pattern(int(digit), kind) for digit, kind in zip(digits, sets, strict=True))


def _pattern(digit: int, kind: str) -> str:
    if kind == "L":
        return _L[digit]
    inverted = "".join("10"[int(module)] for module in _L[digit])
    return inverted if kind == "R" else inverted[::-1]


def on_screen(svg: str) -> Image.Image:
    """The picture of a page's QR code as a screen shows it: its lines, drawn. Raises NotReadable for another kind of picture."""
    svg = svg.replace("'", '"')
    size, lines = re.search(r'width="(\d+)"', svg), re.search(r'stroke="#000" d="([^"]+)"', svg)
    scaled = re.search(r"scale\((\d+)\)", svg)
    if size is None or lines is None:
        raise NotReadable("no picture of a code")
    modules = int(size[1]) // (int(scaled[1]) if scaled else 1)
    dots = 4
    picture = Image.new("L", (modules * dots, modules * dots), 255)
    draw = ImageDraw.Draw(picture)
    x = y = 0.0
    for step, number, after, negative in _STEP.findall(lines[1]):
        across, down = float(number), float(after or negative or 0)
        if step == "h":
            draw.rectangle((x * dots, (y - 0.5) * dots, (x + across) * dots - 1, (y + 0.5) * dots - 1), fill=0)
            x += across
        elif step == "M":
            x, y = across, down
        else:
            x, y = x + across, y + down
    return picture
