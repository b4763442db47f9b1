"""A coupon as a customer gets it: Japanese and English, a title that is seen, a code that is read."""

from __future__ import annotations

import pytest
import zxingcpp

from devices.escpos_build import build
from devices.escpos_document import Document, Feed, Pair, Qr, Rule, Text
from firmware_sim.escpos_commands import CommandReader
from firmware_sim.escpos_interpreter import Formatter
from firmware_sim.escpos_paper import Paper

COUPON_ID = "CPN-7F3K-92QX"
CODE = f"INSTORE:{COUPON_ID}"
COUPON = Document(
    (
        Text("ひかりマーケット 渋谷店", align="center", bold=True),
        Text("Hikari Market Shibuya", align="center"),
        Rule("thick"),
        Text("お客様クーポン / COUPON", align="center"),
        Feed(),
        Text("200円引き", size="triple", align="center", bold=True),
        Text("¥200 OFF", size="double", align="center"),
        Feed(),
        Text("女性衣料・食器売場でご利用いただけます。1回のお会計につき1枚、他の割引との併用はできません。"),
        Text("Valid for women's clothing and tableware. One coupon per checkout, not with other offers."),
        Rule("dashed"),
        Pair("有効期限 Valid until", "2026-12-31", bold=True),
        Pair("クーポンID Coupon ID", COUPON_ID),
        Qr(CODE, module_dots=8),
        Text("レジでこのコードをお見せください", align="center"),
        Text("Show this code at the checkout", align="center"),
    )
)


def print_it(document: Document, columns: int = 48) -> tuple[Formatter, Paper]:
    reader, formatter = CommandReader(), Formatter(columns)
    reader.feed(build(document, columns=columns).data)
    while (command := reader.next()) is not None:
        formatter.do(command)
    assert reader.waiting_bytes == 0
    assert formatter.cut
    return formatter, formatter.take_receipt()


@pytest.mark.parametrize("columns", [48, 42, 32])
def test_the_coupon_reads_as_written_on_every_width(columns: int) -> None:
    formatter, paper = print_it(COUPON, columns)
    text = "".join(paper.text)
    for words in ["ひかりマーケット 渋谷店", "200円引き", "￥200 OFF", "他の割引との併用はできません。", COUPON_ID]:
        assert words in text
    assert not formatter.unknown
    [code] = zxingcpp.read_barcodes(paper.picture().convert("L"))
    assert code.text == CODE


def test_the_coupon_is_short_enough_for_a_slow_line() -> None:
    assert len(build(COUPON).data) < 760  # 0.8 s at 9600 baud


def test_lines_are_centred_and_the_title_is_three_times_as_high() -> None:
    _, paper = print_it(COUPON)
    picture = paper.picture().convert("L")
    ink = picture.point(lambda value: 255 if value < 128 else 0)
    left, _, right, _ = ink.getbbox() or (0, 0, 0, 0)
    assert abs(left - (picture.width - right)) <= 4
    _, small = print_it(Document((Text("200円引き"),)))
    _, big = print_it(Document((Text("200円引き", size="triple"),)))
    heights = [_ink_height(sheet) for sheet in (small, big)]
    assert 2.6 < heights[1] / heights[0] < 3.4


@pytest.mark.parametrize("module_dots", [2, 3, 6, 12])
@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_codes_are_read_at_every_size_and_level(module_dots: int, level: str) -> None:
    _, paper = print_it(Document((Text("上"), Qr("HTTPS://EXAMPLE.COM/C/7F3K92QX", module_dots, level), Text("下"))))  # type: ignore[arg-type]
    [code] = zxingcpp.read_barcodes(paper.picture().convert("L"))
    assert code.text == "HTTPS://EXAMPLE.COM/C/7F3K92QX"


def test_a_japanese_payload_is_read_back() -> None:
    _, paper = print_it(Document((Qr("クーポン:200円引き"),)))
    [code] = zxingcpp.read_barcodes(paper.picture().convert("L"))
    assert code.text == "クーポン:200円引き"


@pytest.mark.parametrize("size", ["normal", "tall", "wide", "double", "triple"])
def test_every_size_and_style_prints_its_text(size: str) -> None:
    text = "表示ソ能力 ﾊﾝｶｸ ①㈱髙 Ab~\\"
    _, paper = print_it(Document((Text(text, size=size, bold=True, inverse=True),)))  # type: ignore[arg-type]
    assert "".join(paper.text).replace(" ", "") == text.replace(" ", "")


def _ink_height(paper: Paper) -> int:
    box = paper.picture().convert("L").point(lambda value: 255 if value < 128 else 0).getbbox()
    assert box is not None
    return box[3] - box[1]
