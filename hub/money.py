"""Amounts for people."""

from __future__ import annotations

from config.words import Words

_DECIMALS = {**dict.fromkeys(["JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF", "XPF", "RWF"], 0),
             **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)}  # fmt: skip
"""ISO 4217: digits of the minor unit; 2 for all others."""


def money(minor: int, currency: str) -> Words:
    """An amount for people: 312円, 312 yen; 3.12 EUR."""
    digits = _DECIMALS.get(currency, 2)
    whole, rest = divmod(minor, 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    if currency == "JPY":
        return Words(ja=f"{text}円", en=f"{text} yen")
    return Words(ja=f"{text} {currency}", en=f"{text} {currency}")
