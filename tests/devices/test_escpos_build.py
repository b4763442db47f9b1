"""No text, payload or layout can make the printer obey a command that the builder did not write."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.escpos_build import build
from devices.escpos_document import (
    QR_PAYLOAD_MAX_BYTES,
    Cut,
    Document,
    DocumentError,
    Feed,
    Pair,
    Qr,
    Rule,
    Text,
)
from devices.escpos_text import GETA, clean, columns_of, encodable, wrap

REAL_TIME = (b"\x10\x04", b"\x10\x05", b"\x10\x14")

hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x04\x05\x10\x11\x13\x14\x1b\x1c\x1d\n\r\x7f\x80\xa0、。「」（）ーっ表ソ能ﾊﾟ①髙\u200b\ufe0f😀한"
        ),
    ),
    max_size=60,
)
payloads = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=300)
lines = st.one_of(
    st.builds(
        Text,
        hostile,
        align=st.sampled_from(["left", "center", "right"]),
        size=st.sampled_from(["normal", "tall", "wide", "double", "triple"]),
        bold=st.booleans(),
        inverse=st.booleans(),
    ),
    st.builds(Pair, hostile, hostile, bold=st.booleans()),
    st.builds(Rule, st.sampled_from(["thin", "thick", "dashed"])),
    st.builds(Qr, payloads, module_dots=st.integers(1, 16), level=st.sampled_from("LMQH")),
    st.builds(Feed, st.integers(1, 15)),
)
documents = st.builds(Document, st.lists(lines, min_size=1, max_size=12).map(tuple))


@settings(max_examples=300, deadline=None)
@given(documents, st.sampled_from([48, 42, 32]))
def test_no_document_holds_a_real_time_command(document: Document, columns: int) -> None:
    data = build(document, columns=columns).data
    for command in REAL_TIME:
        assert command not in data
    assert data.count(b"\x1dVB\x00") == 1
    assert data.endswith(b"\x1dVB\x00")


def test_every_unicode_character_becomes_harmless_bytes() -> None:
    """Exhaustive: each of the 1,114,112 code points, in a text, gives bytes that no command starts with."""
    single = set(range(0x20, 0x7F)) | set(range(0xA1, 0xE0))
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        if char == "\n" or not encodable(char):
            continue
        data = char.encode("cp932")
        if len(data) == 1:
            assert data[0] in single, hex(number)
        else:
            assert data[0] in range(0x81, 0xFD), hex(number)
            assert data[0] not in range(0xA0, 0xE0), hex(number)
            assert data[1] in range(0x40, 0xFD), hex(number)
            assert data[1] != 0x7F, hex(number)


@pytest.mark.parametrize("length", [1, 5, 13, 17, 253, 269, 509, 765, QR_PAYLOAD_MAX_BYTES])
def test_qr_lengths_never_spell_a_command(length: int) -> None:
    data = build(Document((Qr("4" * length),))).data
    assert not any(command in data for command in REAL_TIME)


def test_every_qr_length_is_harmless() -> None:
    """Exhaustive over the lengths: pL pH never is 10 04, 10 05 or 10 14, and pH before the body neither."""
    for length in range(1, QR_PAYLOAD_MAX_BYTES + 1):
        header = (length + 3).to_bytes(2, "little") + b"1P0"
        assert not any(command in header for command in REAL_TIME), length


def test_controls_are_removed_and_counted() -> None:
    built = build(Document((Text("A\x10\x04\x01B\x1b@C\x1dV\x00D"),)))
    assert built.removed == 6
    assert b"AB@CVD\n" in built.data


def test_what_the_printer_lacks_is_replaced_and_counted() -> None:
    result = clean("한 😀 é ok")
    assert result.text == f"{GETA} {GETA} ? ok"
    assert result.replaced == 3


def test_common_signs_print_as_meant() -> None:
    assert clean("¥200〜−").text == "￥200～－"
    assert clean("¥200〜−").replaced == 0


def test_japanese_goes_out_as_shift_jis_kanji_between_its_switches() -> None:
    data = build(Document((Text("200円引き OFF"),))).data
    assert b"\x1cC\x01" in data
    assert b"200\x1c&" + "円引き".encode("cp932") + b"\x1c. OFF\n" in data


def test_big_text_is_sized_for_old_and_new_models() -> None:
    data = build(Document((Text("円", size="double"), Text("x"), Text("y")))).data
    assert b"\x1d!\x11\x1c!\x0c" in data
    assert data.count(b"\x1d!\x00\x1c!\x00") == 1


@settings(max_examples=300, deadline=None)
@given(hostile, st.sampled_from([48, 24, 16, 10]))
def test_wrapping_keeps_the_width_and_every_character(text: str, columns: int) -> None:
    safe = clean(text).text
    rows = wrap(safe, columns)
    assert all(columns_of(row) <= columns for row in rows)
    assert "".join(rows).replace(" ", "") == safe.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("ご利用ください。", 14, ["ご利用くださ", "い。"]),
        ("あいう「えお」", 8, ["あいう", "「えお」"]),
        ("ちょっと待って", 6, ["ちょっ", "と待っ", "て"]),
        ("Thank you, customer", 10, ["Thank you,", "customer"]),
        ("abcdefghijkl", 5, ["abcde", "fghij", "kl"]),
        ("", 10, [""]),
    ],
)
def test_kinsoku_and_words(text: str, columns: int, rows: list[str]) -> None:
    assert wrap(text, columns) == rows


def test_a_pair_that_does_not_fit_takes_two_lines() -> None:
    data = build(Document((Pair("有効期限 Valid until " * 2, "2026-12-31"),)), columns=42).data
    assert data.count(b"\n") == 2
    assert b"\x1ba\x02" in data


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Qr("a\x10\x04"), "control character"),
        (lambda: Qr(""), "0 bytes"),
        (lambda: Qr("x" * 1037), "1037 bytes"),
        (lambda: Qr("\ud800"), "surrogate"),
        (lambda: Qr("x", module_dots=17), "17 dots"),
        (lambda: Feed(16), "16 lines"),
        (lambda: Document(()), "0 lines"),
        (lambda: Document((Cut(), Text("x"))), "before the end"),
    ],
)
def test_a_wrong_document_is_refused_with_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(DocumentError, match=sentence):
        make()  # type: ignore[operator]


def test_too_narrow_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="8 columns"):
        build(Document((Text("x"),)), columns=8)
