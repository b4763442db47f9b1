"""What a receipt printer sends back: one stream of bytes in, typed replies out. Pure, any chunking.

Source: Epson ESC/POS command reference (DLE EOT, GS a, GS r, GS ( H fn 48, GS g 2, DLE DC4 fn 8) and the like of
Citizen, which agree. The kinds of reply are told apart by fixed bits:

    0xx1xx10   DLE EOT n, one byte. Which n it answers is known only to the one who asked
    0xx1xx00   Automatic Status Back, first of four; the other three are 0xx0xxxx
    0xx0xxxx   GS r, one byte
    11, 13     XON, XOFF; may stand inside anything else
    37 ... 00  block: 37 22 d1 d2 d3 d4 00 process ID, 37 25 00 buffers cleared
    5F ... 00  block: a counter in decimal digits, or printer information; 35, 3B, 3D open other blocks
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_LIMIT_BYTES = 120
"""The longest block we ask for is 12 bytes, printer information has up to 80."""

_BLOCK_HEADS = frozenset(b"\x35\x37\x3b\x3d\x5f")
_XON, _XOFF = 0x11, 0x13


@dataclass(frozen=True, slots=True)
class RealTimeStatus:
    """Reply to DLE EOT n, raw. `devices.printer_status` reads its bits, which depend on n."""

    bits: int


@dataclass(frozen=True, slots=True)
class AutoStatus:
    """Automatic Status Back, four raw bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PaperStatus:
    """Reply to GS r 1: bits 0, 1 paper near its end, bits 2, 3 paper end."""

    bits: int


@dataclass(frozen=True, slots=True)
class FlowControl:
    """XON or XOFF: the printer's buffer has room again, or is nearly full."""

    may_send: bool


@dataclass(frozen=True, slots=True)
class ProcessId:
    """Everything sent before GS ( H with this ID has been printed."""

    process_id: bytes


@dataclass(frozen=True, slots=True)
class BuffersCleared:
    """The printer has thrown away what it had received and not printed."""


@dataclass(frozen=True, slots=True)
class InfoBlock:
    """A block with header 5F: `text` is the counter's digits or the printer's information."""

    text: bytes

    @property
    def number(self) -> int | None:
        return int(self.text) if self.text.isdigit() and len(self.text) <= 10 else None


Reply = RealTimeStatus | AutoStatus | PaperStatus | FlowControl | ProcessId | BuffersCleared | InfoBlock


class ReplyParser:
    """Feed bytes as they come. `noise_bytes` counts what was part of no reply, `unknown_blocks` whole strange blocks."""

    def __init__(self) -> None:
        self.noise_bytes = 0
        self.unknown_blocks = 0
        self._partial = bytearray()

    def reset(self) -> None:
        """Forget half a reply: after a (re)connect its rest never comes."""
        self.noise_bytes += len(self._partial)
        self._partial.clear()

    def feed(self, data: bytes) -> list[Reply]:
        replies: list[Reply] = []
        for byte in data:
            if byte in (_XON, _XOFF):
                replies.append(FlowControl(byte == _XON))
            elif (reply := self._take(byte)) is not None:
                replies.append(reply)
        return replies

    def _take(self, byte: int) -> Reply | None:
        if not self._partial:
            return self._begin(byte)
        return self._in_block(byte) if self._partial[0] in _BLOCK_HEADS else self._in_auto_status(byte)

    def _begin(self, byte: int) -> Reply | None:
        if byte in _BLOCK_HEADS or byte & 0x93 == 0x10:
            self._partial.append(byte)
        elif byte & 0x93 == 0x12:
            return RealTimeStatus(byte)
        elif byte & 0x90 == 0:
            return PaperStatus(byte)
        else:
            self.noise_bytes += 1
        return None

    def _in_auto_status(self, byte: int) -> Reply | None:
        if byte & 0x90:  # a byte was lost on the wire: this one begins something else
            return self._restart(byte)
        self._partial.append(byte)
        if len(self._partial) < 4:
            return None
        return AutoStatus(self._flush())

    def _in_block(self, byte: int) -> Reply | None:
        if byte == 0:
            return self._block(self._flush())
        if not 0x20 <= byte <= 0x7E:
            return self._restart(byte)
        self._partial.append(byte)
        if len(self._partial) > BLOCK_LIMIT_BYTES:
            self.reset()
        return None

    def _restart(self, byte: int) -> Reply | None:
        self.reset()
        return self._begin(byte)

    def _flush(self) -> bytes:
        whole = bytes(self._partial)
        self._partial.clear()
        return whole

    def _block(self, block: bytes) -> Reply | None:
        if block[:2] == b"\x37\x22" and len(block) == 6:
            return ProcessId(block[2:])
        if block == b"\x37\x25":
            return BuffersCleared()
        if block[0] == 0x5F:
            return InfoBlock(block[1:])
        self.unknown_blocks += 1
        return None
