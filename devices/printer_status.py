"""The printer's condition from its status bytes, in UnifiedPOS words. Pure.

Source: Epson ESC/POS command reference, DLE EOT n = 1 to 4 and GS a. A field is None as long as the printer has
not said: an unknown condition never keeps a job from being sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

AUTO_STATUS_ON = b"\x1da\x0e"
"""GS a: report changes of online/offline, error and paper by itself."""

REAL_TIME_QUERIES = (1, 2, 3, 4)


def real_time_query(n: int) -> bytes:
    """DLE EOT n: answered at once, even offline, in one byte."""
    return bytes((0x10, 0x04, n))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the printer last said of itself; None: it has not said."""

    offline: bool | None = None
    cover_open: bool | None = None
    rec_empty: bool | None = None
    rec_near_end: bool | None = None
    cutter_error: bool | None = None
    fatal_error: bool | None = None
    recoverable_error: bool | None = None

    @property
    def known(self) -> bool:
        return self.offline is not None

    @property
    def obstacle(self) -> str:
        """Why it cannot print now, as a word of `devices.status.FLAGS`, the cause before the effect; "" if it can."""
        causes = ("cover_open", "rec_empty", "fatal_error", "cutter_error", "recoverable_error", "offline")
        found = next((name for name in causes if getattr(self, name)), "")
        return "printer_offline" if found == "offline" else found

    @property
    def flags(self) -> frozenset[str]:
        """Words of `devices.status.FLAGS` that hold."""
        words = ("cover_open", "rec_empty", "rec_near_end", "cutter_error", "fatal_error", "recoverable_error")
        said = {word for word in words if getattr(self, word)}
        return frozenset(said | {"printer_offline"} if self.offline else said)


def from_real_time(condition: Condition, n: int, bits: int) -> Condition:
    """`condition` after the reply `bits` to DLE EOT `n`."""
    match n:
        case 1:
            return replace(condition, offline=bool(bits & 0x08))
        case 2:
            return replace(condition, cover_open=bool(bits & 0x04))
        case 3:
            return replace(
                condition,
                cutter_error=bool(bits & 0x08),
                fatal_error=bool(bits & 0x20),
                recoverable_error=bool(bits & 0x40),
            )
        case 4:
            return replace(condition, rec_near_end=bool(bits & 0x0C), rec_empty=bool(bits & 0x60))
        case _:
            raise ValueError(f"DLE EOT {n} is not asked; known are {REAL_TIME_QUERIES}")


def plausible(n: int, bits: int) -> bool:
    """False if paired bits of the paper sensors differ in a reply to DLE EOT 4: a bit was flipped on the wire."""
    return n != 4 or (bits & 0x0C in (0, 0x0C) and bits & 0x60 in (0, 0x60))


def from_auto_status(data: bytes) -> Condition | None:
    """The condition that four bytes of Automatic Status Back describe in full; None if a bit was flipped on the wire."""
    first, second, third, _ = data
    if third & 0x03 not in (0, 0x03) or third & 0x0C not in (0, 0x0C):
        return None
    return Condition(
        offline=bool(first & 0x08),
        cover_open=bool(first & 0x20),
        rec_empty=bool(third & 0x0C),
        rec_near_end=bool(third & 0x03),
        cutter_error=bool(second & 0x08),
        fatal_error=bool(second & 0x20),
        recoverable_error=bool(second & 0x40),
    )
