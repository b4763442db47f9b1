"""Calls between the hub and the store's POS server, signed with a secret that both have. Pure.

    Instore-Timestamp: seconds of UNIX time
    Instore-Nonce: 16 to 64 letters and digits, another one for each call
    Instore-Signature: HMAC-SHA256 (RFC 2104), hexadecimal, of `timestamp.nonce.METHOD.path.` and the body's bytes

A call is taken once, and only while its timestamp is near the receiver's clock: one that was overheard is worth nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

TIMESTAMP, NONCE, SIGNATURE = "instore-timestamp", "instore-nonce", "instore-signature"
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_SECONDS = re.compile(r"\d{1,12}", re.ASCII)


class CallRefused(ValueError):
    """A call that is not taken. `kind`: unsigned, bad_signature, clock."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def signed(secret: str, method: str, path: str, body: bytes, *, now_s: int, nonce: str) -> dict[str, str]:
    """The headers of a call."""
    return {TIMESTAMP: str(now_s), NONCE: nonce, SIGNATURE: _signature(secret, str(now_s), nonce, method, path, body)}


def checked(
    secret: str, method: str, path: str, body: bytes, headers: Mapping[str, str], *, now_s: float, skew_s: float
) -> str:
    """The nonce of a call whose signature holds; whoever calls this takes each nonce once. Raises CallRefused."""
    seconds, nonce, given = (headers.get(name, "") for name in (TIMESTAMP, NONCE, SIGNATURE))
    if not secret or not _SECONDS.fullmatch(seconds) or not _NONCE.fullmatch(nonce) or not given:
        raise CallRefused("unsigned", f"sign the call with {TIMESTAMP}, {NONCE} and {SIGNATURE}")
    expected = _signature(secret, seconds, nonce, method, path, body)
    if not hmac.compare_digest(expected.encode(), given.lower().encode(errors="replace")):
        raise CallRefused("bad_signature", "the signature does not fit this call")
    if abs(int(seconds) - now_s) > skew_s:  # judged only after the signature: strangers learn nothing of our clock
        raise CallRefused("clock", f"the call is {round(abs(int(seconds) - now_s))} s from our time; sign it anew")
    return nonce


def _signature(secret: str, seconds: str, nonce: str, method: str, path: str, body: bytes) -> str:
    text = f"{seconds}.{nonce}.{method}.{path}.".encode() + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
