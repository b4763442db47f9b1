"""What a terminal holds and nobody guesses; the database has only hashes. Pure, but for randomness."""

from __future__ import annotations

import base64
import hashlib
import secrets

COOKIE, CLAIM_COOKIE = "instore_member", "instore_claim"
SESSION_DAYS = 400
"""Since the terminal was used last; browsers keep no cookie longer (RFC 6265bis, section 5.5)."""
SECRET_MAX = 100
TOKEN_LETTERS = 26


def new_secret() -> str:
    """The value of a cookie: 256 bits."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What the database keeps of it. No salt and no stretching: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_customer() -> str:
    """An ID that is safe as a level of a topic and tells nothing."""
    return f"M{base64.b32encode(secrets.token_bytes(10)).decode()}"


def new_token() -> str:
    """Of a member code: 130 bits as 26 characters of base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()[:TOKEN_LETTERS]


def new_number() -> str:
    """Eight digits, for people to read out or to type."""
    return f"{secrets.randbelow(10**8):08d}"


def digits(text: object) -> str:
    """A number as somebody typed it, without what stands between; "" if it is none."""
    found = (
        "".join(sign for sign in str(text)[:40] if sign.isdecimal() and sign.isascii()) if isinstance(text, str) else ""
    )
    return found if len(found) == 8 else ""
