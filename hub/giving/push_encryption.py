"""What is pushed to a browser, encrypted so that its push service can't read it (RFC 8291 with RFC 8188, aes128gcm). Pure."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BODY_MAX = 4096
"""RFC 8030, section 7.2: what every push service takes."""
RECORD = 4096
_HEADER, _TAG = 16 + 4 + 1 + 65, 16
PLAIN_MAX = BODY_MAX - _HEADER - _TAG - 1


def public_key(raw: bytes) -> EllipticCurvePublicKey:
    """A browser's key: an uncompressed point of P-256, 65 bytes. Raises ValueError for what is none."""
    if len(raw) != 65 or raw[0] != 4:
        raise ValueError("is no uncompressed point of P-256")
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)


def raw(key: EllipticCurvePublicKey) -> bytes:
    """The point as 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypted(
    plain: bytes, browser: bytes, auth: bytes, *, ours: EllipticCurvePrivateKey, salt: bytes, block: int = 1
) -> bytes:
    """The body of a push: one record. `browser` and `auth` as the subscription has them (65 and 16 bytes); `ours` and `salt`
    (16 bytes) new for each push; the text is filled up to a multiple of `block` bytes, so that its length tells less.

    Raises ValueError for a key that is none, and for a text that is longer than `PLAIN_MAX`.
    """
    if len(plain) > PLAIN_MAX:
        raise ValueError(f"a push holds at most {PLAIN_MAX} bytes")
    if len(auth) != 16 or len(salt) != 16:
        raise ValueError("auth and salt have 16 bytes")
    theirs, mine = public_key(browser), raw(ours.public_key())
    shared = ours.exchange(ECDH(), theirs)
    material = _expanded(_hmac(auth, shared), b"WebPush: info\x00" + browser + mine, 32)
    pseudo_random = _hmac(salt, material)
    key = _expanded(pseudo_random, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _expanded(pseudo_random, b"Content-Encoding: nonce\x00", 12)
    fill = min(-(len(plain) + 1) % block, PLAIN_MAX - len(plain))
    text = plain + b"\x02" + bytes(fill)  # 2: the last record (RFC 8188, section 2)
    return salt + RECORD.to_bytes(4, "big") + bytes([len(mine)]) + mine + AESGCM(key).encrypt(nonce, text, None)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _expanded(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869) for one block."""
    return _hmac(key, info + b"\x01")[:length]
