"""Exit codes: a CWT (RFC 8392) as COSE_Sign1 (RFC 9052) with Ed25519, in Base45 (RFC 9285), behind `IS1:`. Pure.

    IS1: + Base45( D2 84 | bstr{1: -8 EdDSA, 4: kid} | {} | bstr{claims} | bstr signature )

Claims by their registered numbers: 1 `iss` = store, 2 `sub` = sale, 4 `exp`, 6 `iat`, 7 `cti` = one-time ID of 8 bytes. Some
170 characters, all of them of QR's alphanumeric mode: version 7 at error level M, 15 ms on a reader's line at 115,200 baud.

The frame around the claims is compared byte by byte instead of being parsed: before the signature holds, no general
decoder sees a stranger's bytes, and exactly one form of each code is taken. `cwt` would do the same from a library, but
takes four times as long to import (60 against 15 ms here), which a Pi pays at each start; that it reads our codes is a test.

Lanes hold public keys only. A code is bound to its store; used once is the business of the hub and of the lane's own list.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import base45
import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX = "IS1:"
MAX_CHARS = 600
"""A longer code is refused unread. Ours have some 170; store and sale of 64 characters each make 330."""
LEEWAY_S = 60.0
"""Clocks of hub and lanes may differ by this much."""

Reason = Literal["malformed", "bad_signature", "unknown_key", "expired", "wrong_store"]

_TEXT = re.compile(r"IS1:[0-9A-Z $%*+\-./:]+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KID_BYTES, _CTI_BYTES, _SIGNATURE_BYTES = 4, 8, 64
_HEADER = bytes.fromhex("a201270444")  # {1: -8, 4: bytes(4)}; the key ID follows
_START = bytes.fromhex("d28449") + _HEADER  # tag 18, array(4), bytes(9)
_ISS, _SUB, _EXP, _IAT, _CTI = 1, 2, 4, 6, 7
_LATEST = 253402300799  # the last second of the year 9999, the end of datetime


class ExitCodeError(ValueError):
    """A code that cannot be trusted. `reason` as in `contract.payloads.LaneRefused`; `claims` once the signature held."""

    def __init__(self, reason: Reason, detail: str, claims: ExitClaims | None = None) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.claims = claims


@dataclass(frozen=True, slots=True)
class ExitClaims:
    """What an exit code says. Times are UTC in whole seconds; `code_id` is 16 hexadecimal digits."""

    store: str
    sale: str
    issued: datetime
    expires: datetime
    code_id: str


def new_code_id() -> str:
    """A one-time ID: 8 random bytes, as 16 hexadecimal digits."""
    return secrets.token_hex(_CTI_BYTES)


def key_id(key: Ed25519PublicKey) -> str:
    """The key's ID: the first 4 bytes of the SHA-256 of its 32 bytes, as 8 hexadecimal digits. A hint, never trusted."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[: 2 * _KID_BYTES]


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as it travels in `contract.payloads.ExitKeys`: base64url of 32 bytes, without padding."""
    return urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()


def public_key(text: str) -> Ed25519PublicKey:
    """The public key of `public_text`. Raises ValueError when the text is none."""
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def issue(claims: ExitClaims, private_key: Ed25519PrivateKey, kid: str) -> str:
    """The signed code of these claims, `IS1:…`, all characters of QR's alphanumeric mode.

    Raises ValueError for claims that no lane would take (an ID that breaks the contract, a time before 1970).
    """
    header, body = _HEADER + _bytes(kid, _KID_BYTES), _claims_bytes(claims)
    signature = private_key.sign(_to_be_signed(header, body))
    frame = _START[:-5] + header + b"\xa0" + cbor2.dumps(body) + cbor2.dumps(signature)
    text: str = base45.b45encode(frame).decode("ascii")
    return PREFIX + text


def verify(code: str, keys: Mapping[str, Ed25519PublicKey], *, store: str, now: datetime | None,
           leeway_s: float = LEEWAY_S) -> ExitClaims:  # fmt: skip
    """The claims of a code that may be trusted; `keys` by key ID.

    `now` is an aware datetime, or None on a machine whose clock was not set yet (a Pi has no battery clock): then the times
    are not judged. Raises ExitCodeError and nothing else.
    """
    kid, header, body, signature = _open(code)
    key = keys.get(kid)
    if key is None:
        raise ExitCodeError("unknown_key", f"signed with key {kid}, which is not among this store's keys")
    if not _is_signed(key, signature, _to_be_signed(header, body)):
        raise ExitCodeError("bad_signature", f"the signature does not match key {kid}: forged or misread")
    claims = _read_claims(body)
    if claims.store != store:
        raise ExitCodeError("wrong_store", f"issued by store {claims.store!r}, this is {store!r}", claims)
    if now is not None:
        judge_times(claims, now, leeway_s)
    return claims


def judge_times(claims: ExitClaims, now: datetime, leeway_s: float = LEEWAY_S) -> None:
    """Raises ExitCodeError (`expired`) when the claims don't hold at `now`.

    A code from the future is one of ours all the same: the store's own signature proves that the moment has been, so the
    clock that says otherwise was set back, or the hub's was ahead when it signed. Nobody is held for that.
    """
    leeway = timedelta(seconds=leeway_s)
    if now >= claims.expires + leeway:
        raise ExitCodeError("expired", f"expired at {claims.expires.isoformat()}, it is {now.isoformat()}", claims)


def _open(code: str) -> tuple[str, bytes, bytes, bytes]:
    """Key ID, header, claims and signature, still unproven. Raises ExitCodeError(malformed)."""
    if len(code) > MAX_CHARS or not _TEXT.fullmatch(code):
        raise ExitCodeError("malformed", f"no exit code: expected {PREFIX} and Base45, at most {MAX_CHARS} characters")
    try:
        frame = base45.b45decode(code[len(PREFIX) :])
    except ValueError:
        raise ExitCodeError("malformed", "no exit code: what follows the prefix is no Base45") from None
    after_kid = len(_START) + _KID_BYTES
    head, body, signature = frame[:after_kid], frame[after_kid:-66], frame[-_SIGNATURE_BYTES:]
    # The claims' byte string: its length stands in its head, so a cut or a stretched frame fails here.
    content = body[3:] if body[1:2] == b"\x58" else body[2:]
    if not head.startswith(_START) or body != b"\xa0" + cbor2.dumps(content) or frame[-66:-64] != b"\x58\x40":
        raise ExitCodeError("malformed", "no exit code: this is not our form of a signed CWT")
    return head[-_KID_BYTES:].hex(), head[3:], content, signature


def _is_signed(key: Ed25519PublicKey, signature: bytes, what: bytes) -> bool:
    try:
        key.verify(signature, what)
    except InvalidSignature:
        return False
    return True


def _to_be_signed(header: bytes, body: bytes) -> bytes:
    return cbor2.dumps(["Signature1", header, b"", body])


def _bytes(text: str, count: int) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != count:
        raise ValueError(f"{text!r} is not {2 * count} hexadecimal digits")
    return raw


def _claims_bytes(claims: ExitClaims) -> bytes:
    content = {
        _ISS: claims.store,
        _SUB: claims.sale,
        _EXP: int(claims.expires.timestamp()),
        _IAT: int(claims.issued.timestamp()),
        _CTI: _bytes(claims.code_id, _CTI_BYTES),
    }
    if not _acceptable(content):
        raise ValueError(f"these claims make no exit code: {claims}")
    return cbor2.dumps(content)


def _acceptable(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and all(isinstance(content.get(key), str) and _ID.fullmatch(content[key]) for key in (_ISS, _SUB))
        and all(type(content.get(key)) is int and 0 <= content[key] <= _LATEST for key in (_IAT, _EXP))
        and isinstance(content.get(_CTI), bytes)
        and len(content[_CTI]) == _CTI_BYTES
    )


def _read_claims(body: bytes) -> ExitClaims:
    # Signed by a key of ours, but perhaps by another version: read with the same care.
    try:
        content = cbor2.loads(body)
    except Exception:
        raise ExitCodeError("malformed", "the signature holds, but the claims are no CBOR") from None
    if not _acceptable(content):
        raise ExitCodeError("malformed", "the signature holds, but the claims are not those of an exit code")
    issued, expires = (datetime.fromtimestamp(content[key], UTC) for key in (_IAT, _EXP))
    return ExitClaims(content[_ISS], content[_SUB], issued, expires, content[_CTI].hex())
