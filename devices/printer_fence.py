"""Fences: "tell me when you have done everything before this". Pure.

A receipt printer works off its buffer in order. A fence is a request at the end of something sent; its answer proves
that what stood before it is done. The end of a job, the moment to read a counter, and "is the buffer empty?" are
the same question.

    process_id   GS ( H fn 48 with four characters of our choice: answered when everything before it *has been
                 printed*, with the same four characters. Several pending: only the last may be answered.
                 Data that was cleared is never confirmed. Not on the oldest models.
    gs_r         GS r 1: answered when everything before it has been *processed*, by a byte that carries no name,
                 so replies are matched by their order. Weaker, for models without process IDs.

Source: Epson ESC/POS command reference, GS ( H and GS r.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Literal

from devices.escpos_replies import BuffersCleared, PaperStatus, ProcessId, Reply

Completion = Literal["process_id", "gs_r"]

CLEAR_BUFFERS = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")
"""DLE DC4 fn 8, real-time: throw away what was received and not printed. Answered by 37 25 00."""

_LOWEST, _HIGHEST = 0x20, 0x7E
_PAPER_STATUS_BITS = (0x00, 0x03, 0x0C, 0x0F)  # the four that GS r 1 can say; anything else is noise on the wire
_QUIET_S = 0.5
_PENDING_LIMIT = 64


def fence_name(text: str) -> bytes:
    """Four characters 20-7E that stand for `text` (81 million values). The same text has the same name after a
    restart, so that an answer that comes late still finds its job."""
    number = int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "big")
    digits = bytearray()
    for _ in range(4):
        number, digit = divmod(number, _HIGHEST - _LOWEST + 1)
        digits.append(_LOWEST + digit)
    return bytes(digits)


class Fences:
    """`request(name)` gives the bytes to send; `on_reply` the name of a fence that has been passed, or None."""

    def __init__(self, completion: Completion) -> None:
        self.completion = completion
        self.stray_replies = 0
        self._pending: deque[bytes] = deque(maxlen=_PENDING_LIMIT)  # in the order sent
        self._given_up: set[bytes] = set()
        self._last_answer_s = float("-inf")

    def request(self, name: bytes) -> bytes:
        if len(self._pending) == _PENDING_LIMIT:
            self._given_up.discard(self._pending[0])
        self._pending.append(name)
        self._given_up.discard(name)
        return b"\x1d(H\x06\x0000" + name if self.completion == "process_id" else b"\x1dr\x01"

    def give_up(self, name: bytes, now: float) -> None:
        """Nobody waits for `name` any longer.

        A nameless answer (gs_r) that comes later still belongs to it, so its place in the queue stays. Unless
        answers have come since and stopped: then its own was lost on the wire, and nothing is pending any more.
        """
        if self.completion == "process_id":
            return
        self._given_up.add(name)
        if now - _QUIET_S > self._last_answer_s > float("-inf"):
            self._forget()

    def on_reply(self, reply: Reply, now: float) -> bytes | None:
        match reply:
            case ProcessId(name) if self.completion == "process_id":
                return self._named(name)
            case PaperStatus(bits) if self.completion == "gs_r" and bits in _PAPER_STATUS_BITS:
                return self._nameless(now)
            case BuffersCleared():
                self._forget()
        return None

    def _named(self, name: bytes) -> bytes:
        while self._pending and name in self._pending:
            self._pending.popleft()
        return name  # also one of a former run of this program: the printer held that job

    def _nameless(self, now: float) -> bytes | None:
        if not self._pending:
            self.stray_replies += 1
            return None
        self._last_answer_s = now
        name = self._pending.popleft()
        if name in self._given_up:
            self._given_up.discard(name)
            return None
        return name

    def _forget(self) -> None:
        self._pending.clear()
        self._given_up.clear()
        self._last_answer_s = float("-inf")
