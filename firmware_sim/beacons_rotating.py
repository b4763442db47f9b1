"""A beacon that says something else every 2^K seconds (Eddystone-EID), as its firmware does it: key, exponent, a counter of seconds.

`eid:<32 hex digits>:<exponent>` in place of a frame. Its counter shows `counter` when it is put on the floor (the UNIX time, unless
said otherwise: a hub then enters it with the time 1970-01-01T00:00:00Z) and runs `speed` times as fast as the clock on the wall,
so that a day's changes pass in minutes, or wrong by some ppm. With each identifier the Bluetooth address changes too.

The computing is this simulator's own, by the specification (github.com/google/eddystone, eddystone-eid/eid-computation.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["Rotating", "is_rotating"]

_FORM = re.compile(r"eid:([0-9a-f]{32}):([0-9]|1[0-5])", re.IGNORECASE)
SPEEDS = (0.5, 10_000.0)


def is_rotating(frame: str) -> bool:
    """Whether this stands for a rotating beacon rather than for a fixed frame."""
    return frame.strip().lower().startswith("eid:")


@dataclass(frozen=True, slots=True)
class Rotating:
    """`since`: when its counter showed `counter`, on the caller's clock. Raises `ValueError` with a sentence."""

    key: bytes
    exponent: int
    counter: float
    since: float
    speed: float = 1.0

    @classmethod
    def of(cls, frame: str, counter: float, since: float, speed: float = 1.0) -> Rotating:
        found = _FORM.fullmatch(frame.strip())
        if found is None:
            raise ValueError(f"{frame!r} is no rotating beacon; expected eid:<32 hex digits>:<exponent 0 to 15>")
        if not SPEEDS[0] <= speed <= SPEEDS[1]:
            raise ValueError(f"a speed of {speed} is outside {SPEEDS[0]} to {SPEEDS[1]}")
        return cls(bytes.fromhex(found[1]), int(found[2]), counter, since, speed)

    def quantum(self, now: float) -> int:
        """Which of its identifiers it says now."""
        return int(self.counter + (now - self.since) * self.speed) % 2**32 >> self.exponent

    def frame(self, now: float) -> str:
        """What it says now, as a canonical frame."""
        shown = self.quantum(now) << self.exponent
        top = _block(0xFF, bytes(2) + (shown >> 16).to_bytes(2, "big"))
        said = _aes(_aes(self.key, top), _block(self.exponent, shown.to_bytes(4, "big")))
        return f"eddystone-eid:{said[:8].hex()}"


def _block(eleventh: int, last: bytes) -> bytes:
    return bytes(11) + bytes([eleventh]) + last


def _aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)
