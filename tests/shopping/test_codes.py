"""Product codes: every form of a number leads to one code, and a misread one to none (row B2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.shopping.codes import CodeRefused, check_digit, product_code

pytestmark = [pytest.mark.row("B1", "B2")]
COLA = "4901234567894"


@pytest.mark.parametrize(
    ("read", "known"),
    [
        (COLA, COLA),  # JAN
        ("4006381333931", "4006381333931"),  # EAN-13 of another country
        ("036000291452", "0036000291452"),  # UPC-A
        ("0036000291452", "0036000291452"),  # the same as EAN-13
        ("96385074", "96385074"),  # EAN-8
        ("49968170", "49968170"),  # JAN-8
        ("04901234567894", COLA),  # GTIN-14 of a single product
        ("00000096385074", "96385074"),
        ("14901234567891", "14901234567891"),  # of a case
        ("4 901234 567894", COLA),  # as it stands under the bars
        ("4901234-567894", COLA),
        ("４９０１２３４５６７８９４", COLA),  # as a Japanese keyboard writes it
        (f" {COLA}\n", COLA),
        (f"https://id.gs1.org/01/0{COLA}", COLA),
        (f"https://example.com/shop/01/0{COLA}/10/LOT7?17=271231", COLA),
        (f"(01)0{COLA}", COLA),
        (f"(01)0{COLA}(10)LOT7", COLA),
        ("APPLES-7", "APPLES-7"),
        ("りんご", "りんご"),
        ("4011", "4011"),  # a number for loose goods
        ("https://shop.example/p/77", "https://shop.example/p/77"),
        ("a b", "a b"),
    ],
)
def test_a_code_in_its_one_form(read: str, known: str) -> None:
    assert product_code(read) == known
    assert product_code(known) == known


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("4901234567895", "check_digit"),
        ("036000291453", "check_digit"),
        ("96385075", "check_digit"),
        ("04901234567895", "check_digit"),
        ("https://id.gs1.org/01/04901234567895", "check_digit"),
        ("x" * 65, "length"),
        ("a\x00b", "signs"),
        ("a\nb", "signs"),
        ("a\u2028b", "signs"),
        ("\ud800", "signs"),
    ],
)
def test_what_is_no_code_says_why_in_both_languages(read: str, kind: str) -> None:
    with pytest.raises(CodeRefused) as refused:
        product_code(read)
    assert refused.value.kind == kind
    assert refused.value.words.ja
    assert refused.value.words.en


DIGITS = st.text("0123456789", min_size=12, max_size=12)


@given(DIGITS, st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(digits: str, place: int, more: int) -> None:
    whole = digits + str(check_digit(digits))
    wrong = whole[:place] + str((int(whole[place]) + more) % 10) + whole[place + 1 :]
    with pytest.raises(CodeRefused):
        product_code(wrong)


@given(st.text("0123456789", min_size=11, max_size=11))
def test_upc_a_is_ean_13_with_a_zero(digits: str) -> None:
    upc = digits + str(check_digit(digits))
    assert product_code(upc) == product_code("0" + upc) == "0" + upc


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        found = product_code(text)
    except CodeRefused:
        return
    assert 1 <= len(found) <= 64
    assert product_code(found) == found
