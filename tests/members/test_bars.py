"""A number as Code 128: an independent reader reads it (row B5)."""

from __future__ import annotations

import re

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hub.members.bars import code128_svg, widths


def _picture(bars: str, scale: int = 2) -> Image.Image:
    line = b"\xff" * 10 * scale
    for place, width in enumerate(bars):
        line += (b"\x00" if place % 2 == 0 else b"\xff") * int(width) * scale
    line += b"\xff" * 10 * scale
    return Image.frombytes("L", (len(line), 40), line * 40)


@settings(max_examples=60, deadline=None)
@given(st.from_regex(r"([0-9]{2}){2,10}", fullmatch=True))
@pytest.mark.row("B5")
def test_another_reader_reads_every_number(digits: str) -> None:
    (found,) = zxingcpp.read_barcodes(_picture(widths(digits)))
    assert (found.text, found.format) == (digits, zxingcpp.BarcodeFormat.Code128)


def test_the_picture_has_the_same_bars_and_its_quiet_zones() -> None:
    bars = widths("123456789012")
    svg = code128_svg("123456789012")
    drawn = [(int(x), int(wide)) for x, wide in re.findall(r"M(\d+) 0h(\d+)v40h", svg)]
    at, expected = 10, []
    for place, width in enumerate(bars):
        if place % 2 == 0:
            expected.append((at, int(width)))
        at += int(width)
    assert drawn == expected
    assert f'viewBox="0 0 {at + 10} 40"' in svg


@pytest.mark.parametrize("text", ["", "123", "12a4", "１２", "0" * 42])
def test_what_is_no_such_number_has_no_picture(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        widths(text)
