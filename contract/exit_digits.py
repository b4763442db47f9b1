"""The short number that stands for an exit code: for a lane's keypad, and in a Code 128. Pure, but for randomness.

Eleven random digits and a check digit. It is a name, not a proof: a lane can't judge it and asks the hub, which knows for which
code it was given out and until when. 36 random bits: with a thousand codes in the store at once and a try every two seconds,
one lane meets a number that is somebody's once in six years.

The check digit is Damm's (M. Damm, "Total anti-symmetrische Quasigruppen", 2004): it finds every wrong digit and every two
neighbours exchanged, and no product's barcode passes for a number more often than chance has it.
"""

from __future__ import annotations

import secrets
import unicodedata

DIGITS = 12
_GROUP = 4
_DAMM = ("0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
         "3674209581", "5869720134", "8945362017", "9438617205", "2581436790")  # fmt: skip


def new_digits() -> str:
    """A number that nobody guesses."""
    body = f"{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """What belongs behind these digits."""
    interim = 0
    for digit in body:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)


def read_digits(text: str) -> str | None:
    """The number in a text as it was read or typed, with or without what stands between its groups; None: it is none."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text[:40]) if sign not in " -\t\r\n")
    if len(plain) != DIGITS or not (plain.isascii() and plain.isdecimal()):
        return None
    return plain if check_digit(plain[:-1]) == plain[-1] else None


def grouped(digits: str) -> str:
    """As people read and type it: `1234 5678 9012`."""
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))
