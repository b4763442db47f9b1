"""Product codes, brought into the one form under which a product is known. Pure.

    EAN-13, JAN     13 digits with a check digit (JAN is EAN-13 that begins with 45 or 49); kept as they are
    UPC-A           12 digits with a check digit; the same number as EAN-13 with a 0 before it, and kept so
    EAN-8           8 digits with a check digit; kept as they are
    GTIN-14         14 digits with a check digit that begin with 0 are the EAN-13 behind the 0
    GS1 Digital Link, GS1 element string
                    a QR code `https://…/01/04901234567894…` or `(01)04901234567894`: its GTIN
    a store's own   anything else of 1 to 64 visible characters, exactly as the QR code has it

Check digit: GS1 General Specifications, section 7.9: weights 3 and 1 from the right, sum a multiple of 10.
"""

from __future__ import annotations

import re
import unicodedata

from config.words import Words

FREE_MAX = 64
_GTIN = re.compile(r"\d{8}|\d{12,14}", re.ASCII)
_IN_LINK = re.compile(r"https?://[^\s?#]*/01/(\d{8,14})(?:[/?#].*)?", re.ASCII)
_IN_ELEMENTS = re.compile(r"\(01\)(\d{14})(?:\(.*)?", re.ASCII)


class CodeRefused(ValueError):
    """No product code; `words` says why to whom has read or typed it. `kind`: empty, length, signs, check_digit."""

    def __init__(self, kind: str, words: Words) -> None:
        super().__init__(words.en)
        self.kind, self.words = kind, words


def product_code(text: str) -> str:
    """The code under which the product is known. Raises CodeRefused."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        raise CodeRefused("empty", Words(ja="商品コードがありません。", en="There is no product code."))
    number = _number(plain)
    return _own(text.strip()) if number is None else _gtin(number)


def check_digit(digits: str) -> int:
    """The check digit that belongs behind these digits."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -total % 10


def _number(plain: str) -> str | None:
    """The GTIN in a text, if it is meant as one; also as people write it, with spaces or hyphens."""
    found = _IN_LINK.fullmatch(plain) or _IN_ELEMENTS.fullmatch(plain)
    if found is not None:
        digits = found[1]
        return digits.zfill(14) if len(digits) not in (8, 12, 13) else digits
    digits = re.sub(r"[ \-]", "", plain)
    return digits if _GTIN.fullmatch(digits) else None


def _gtin(number: str) -> str:
    expected = check_digit(number[:-1])
    if int(number[-1]) != expected:
        raise CodeRefused(
            "check_digit",
            Words(
                ja=f"商品コード {number} の最後の数字が合いません。もう一度読み取ってください。",
                en=f"The last digit of {number} does not fit the others. Please read the code again.",
            ),
        )
    if len(number) == 14:  # of a single product: the EAN-13, or the EAN-8, that is written with zeros before it
        if number.startswith("000000"):
            return number[6:]
        return number[1:] if number.startswith("0") else number
    return f"0{number}" if len(number) == 12 else number


def _own(text: str) -> str:
    if len(text) > FREE_MAX:
        raise CodeRefused(
            "length",
            Words(
                ja=f"商品コードは{FREE_MAX}文字までです。",
                en=f"This code has {len(text)} characters; a product code has at most {FREE_MAX}.",
            ),
        )
    if any(unicodedata.category(sign)[0] in "CZ" and sign != " " for sign in text):
        raise CodeRefused(
            "signs",
            Words(ja="商品コードとして読み取れません。", en="This code has signs that no product code has."),
        )
    return text
