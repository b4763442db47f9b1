"""Eddystone-EID, as published: what a beacon with a key says at a moment. Pure; checked against published vectors.

A beacon has a 128-bit identity key, a counter of seconds (32 bits, at most 150 ppm wrong) and an exponent K: it says the same
8 bytes for a *quantum* of 2^K seconds (github.com/google/eddystone, eddystone-eid/eid-computation.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES, EID_BYTES = 16, 8
EXPONENT_MAX = 15
COUNTER_MASK = 0xFFFF_FFFF
DRIFT_PPM = 150
"""A beacon's clock may be wrong by so much (specification)."""
_PAD = bytes(11)


def temporary_key(identity_key: bytes, counter: int) -> bytes:
    """The key for the 65,536 seconds around this counter. Raises ValueError for a key that is not 16 bytes long."""
    return _aes(identity_key, _PAD + b"\xff\0\0" + ((counter & COUNTER_MASK) >> 16).to_bytes(2, "big"))


def eid(identity_key: bytes, exponent: int, counter: int) -> bytes:
    """The 8 bytes that the beacon says when its counter shows this. Raises ValueError for an impossible key or exponent."""
    _check(exponent)
    return eids(temporary_key(identity_key, counter), exponent, (counter >> exponent,))[0]


def eids(temporary: bytes, exponent: int, quanta: Iterable[int]) -> list[bytes]:
    """Of several quanta within one temporary key: one set-up of the cipher for all."""
    head = _PAD + bytes((exponent,))
    blocks = b"".join(head + ((quantum << exponent) & COUNTER_MASK).to_bytes(4, "big") for quantum in quanta)
    out = _aes(temporary, blocks)
    return [out[at : at + EID_BYTES] for at in range(0, len(out), KEY_BYTES)]


def identity_key(private: bytes, other_public: bytes, *, resolver: bool) -> bytes:
    """What beacon and resolver agree on when a beacon is registered: X25519, then HKDF-SHA256 salted with both public keys.

    `resolver`: whether `private` is the resolver's. Raises ValueError for keys that are not 32 bytes, or no good (a shared
    secret of zero).
    """
    mine = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = mine.exchange(X25519PublicKey.from_public_bytes(other_public))
    except (ValueError, InvalidKey) as error:
        raise ValueError("this public key leads to a shared secret of zero: it is none of an honest beacon") from error
    own_public = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    salt = own_public + other_public if resolver else other_public + own_public
    return HKDF(SHA256(), KEY_BYTES, salt, b"").derive(shared)


def _aes(key: bytes, blocks: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, this one {len(key)}")
    # Single blocks of a counter under a key of their own, as the specification has it: no message, so no mode to choose.
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def _check(exponent: int) -> None:
    if not 0 <= exponent <= EXPONENT_MAX:
        raise ValueError(f"an exponent is 0 to {EXPONENT_MAX}, not {exponent}")
