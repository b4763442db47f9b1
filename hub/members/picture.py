"""Codes as pictures: SVG, made by the hub, kept by the terminal for when it has no connection."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import segno

TEXT_MAX = 200


@lru_cache(maxsize=256)
def qr_svg(text: str) -> str:
    """A QR code of at most `TEXT_MAX` characters, with its quiet zone, black on white.

    Upper-case letters and digits (a member code, most coupons) go in alphanumeric mode: a smaller code, read from farther
    away. Raises ValueError for no text or too long a one.
    """
    if not 0 < len(text) <= TEXT_MAX:
        raise ValueError(f"a code has 1 to {TEXT_MAX} characters")
    picture = BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="svg", xmldecl=False, nl=False, border=4, scale=10, dark="#000",
                                        light="#fff")  # fmt: skip
    return picture.getvalue().decode()


def member_code(token: str) -> str:
    """What a member's QR code holds."""
    return f"MEMBER:{token}"
