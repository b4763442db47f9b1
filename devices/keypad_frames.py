"""What a keypad on a serial line sends: one ASCII byte a key. Bytes in, entries out. No I/O and no clock.

    0 … 9      a digit                  * or BS (0x08) or ESC      clear what was typed
    # or CR or LF   enter               A … D                      function keys; one of them may be "help"

This is what keypads with a serial or a USB-serial line of the usual 4x3 and 4x4 layouts send, a byte when a key goes down (a
matrix keypad behind an HT16K33 or an AVR, the Storm 720 series and others in ASCII mode). There is no framing and no checksum:
an entry is what stands between two ends, so that it is the check digit which finds a lost or a doubled key.

An entry that nothing was added to for 15 s is forgotten: its customer has gone, and the next one must not finish it. An entry
of over 24 digits is dropped up to its end. Two equal keys within 30 ms are one key that bounces. What is dropped is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "HelpKey", "KeypadFramer"]

ENTER, CLEAR = frozenset(b"#\r\n"), frozenset(b"*\x08\x1b")
DIGITS = frozenset(b"0123456789")
LIMIT_DIGITS = 24
IDLE_S = 15.0
BOUNCE_S = 0.03


@dataclass(frozen=True, slots=True)
class Entry:
    """Digits that were entered. `t_last_byte`: when (seconds, monotonic)."""

    digits: str
    t_last_byte: float


@dataclass(frozen=True, slots=True)
class HelpKey:
    """The key for help went down."""

    t: float


class KeypadFramer:
    """Of one keypad. `help_key`: a letter from A to D, or None. `counters` tells what was dropped and why."""

    def __init__(self, help_key: str | None = "A", *, idle_s: float = IDLE_S) -> None:
        self._help = ord(help_key) if help_key else None
        self._idle_s = idle_s
        self._typed = bytearray()
        self._overlong = False
        self._last_byte, self._last_at = 0, float("-inf")
        self.counters = dict.fromkeys(("entries", "noise_bytes", "bounces", "overlong", "forgotten", "cleared"), 0)

    @property
    def typed(self) -> int:
        """How many digits stand there now."""
        return len(self._typed)

    def feed(self, data: bytes, now: float) -> list[Entry | HelpKey]:
        """The entries that `data`, read at `now`, completes. Bytes of one reading came one after the other, however close."""
        self.tick(now)
        found: list[Entry | HelpKey] = []
        for byte in data:
            # Only between two readings can it be told how far apart two keys were; within one, the line itself is the debounce.
            if byte == self._last_byte and 0 < now - self._last_at < BOUNCE_S:
                self.counters["bounces"] += 1
                continue
            self._last_byte, self._last_at = byte, now
            if (event := self._key(byte, now)) is not None:
                found.append(event)
        return found

    def tick(self, now: float) -> None:
        """Forget what nobody has gone on typing."""
        if (self._typed or self._overlong) and now - self._last_at >= self._idle_s:
            self.counters["forgotten"] += 1
            self._drop()

    def reset(self) -> None:
        """As after a loss of the port."""
        self._drop()

    def _key(self, byte: int, now: float) -> Entry | HelpKey | None:
        if byte in DIGITS:
            self._digit(byte)
        elif byte in ENTER:
            return self._enter(now)
        elif byte in CLEAR:
            self.counters["cleared"] += bool(self._typed)
            self._drop()
        elif byte == self._help:
            return HelpKey(now)
        else:
            self.counters["noise_bytes"] += 1
        return None

    def _digit(self, byte: int) -> None:
        if self._overlong:
            return
        self._typed.append(byte)
        if len(self._typed) > LIMIT_DIGITS:
            self.counters["overlong"] += 1
            self._drop()
            self._overlong = True

    def _enter(self, now: float) -> Entry | None:
        typed = self._typed.decode("ascii")
        self._drop()
        if not typed:
            return None
        self.counters["entries"] += 1
        return Entry(typed, now)

    def _drop(self) -> None:
        self._typed.clear()
        self._overlong = False
