"""Frames of an NFC module on a serial line: NXP PN532, high speed UART (User Manual UM0701-02, section 6.2.1). Pure.

    00 00 FF LEN LCS TFI PD0 … PDn DCS 00      LEN + LCS = 0, TFI + PD0 + … + DCS = 0 (modulo 256); TFI D4 to it, D5 from it
    00 00 FF 00 FF 00                          ACK, after each frame that arrived whole
    00 00 FF FF 00 00                          NACK: send it again
    00 00 FF 01 FF 7F 81 00                    it did not understand the command
    00 00 FF FF FF LENM LENL LCS TFI …         extended frame, for more than 254 bytes; ours never need one

Preambles may be longer, bytes between frames are noise. What is dropped is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACK", "WAKE_UP", "Ack", "Failed", "FrameReader", "Reply", "frame"]

START = b"\x00\xff"
ACK = bytes.fromhex("0000ff00ff00")
WAKE_UP = b"\x55\x55" + bytes(14)
"""The module sleeps in power down mode until bytes come; it needs some of them to wake (section 7.2.11, application note AN133910)."""
TO_MODULE, FROM_MODULE, ERROR_FRAME = 0xD4, 0xD5, 0x7F
DATA_MAX = 253
"""Bytes after TFI in a normal frame, the command's own code among them."""
BUFFER_MAX = 1024


@dataclass(frozen=True, slots=True)
class Ack:
    """The module has our frame whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What it answers: the command's code plus one, and the data."""

    code: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not understand the command."""


def frame(command: int, data: bytes = b"") -> bytes:
    """A command for the module. Raises ValueError for more than 252 bytes of data."""
    if len(data) + 1 > DATA_MAX or not 0 <= command <= 0xFE:
        raise ValueError(f"command {command:#x} with {len(data)} bytes does not fit a frame")
    body = bytes((TO_MODULE, command)) + data
    return b"\x00\x00\xff" + bytes((len(body), -len(body) & 0xFF)) + body + bytes((-sum(body) & 0xFF, 0))


class FrameReader:
    """Cuts what comes in into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.counters = dict.fromkeys(("frames", "noise_bytes", "bad_checksum"), 0)

    def reset(self) -> None:
        """Forget what has come so far."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Ack | Reply | Failed]:
        """Whatever `data` completes."""
        self._buffer += data
        found: list[Ack | Reply | Failed] = []
        while (length := self._one(found)) > 0:
            del self._buffer[:length]
        if len(self._buffer) > BUFFER_MAX:
            self.counters["noise_bytes"] += len(self._buffer)
            self._buffer.clear()
        return found

    def _one(self, found: list[Ack | Reply | Failed]) -> int:
        """How many bytes are dealt with; 0: more must come."""
        at = self._buffer.find(START)
        if at < 0:
            keep = 1 if self._buffer.endswith(b"\x00") else 0
            noise = len(self._buffer) - keep
            self.counters["noise_bytes"] += sum(byte != 0 for byte in self._buffer[:noise])  # zeros are preambles
            return noise
        self.counters["noise_bytes"] += sum(byte != 0 for byte in self._buffer[:at])
        rest = self._buffer[at + 2 :]
        if len(rest) < 2:
            del self._buffer[:at]
            return 0
        if rest[0] == 0 and rest[1] == 0xFF:
            found.append(Ack())
            return at + 4
        if (rest[0] + rest[1]) & 0xFF or rest[0] == 0:
            self.counters["bad_checksum"] += 1
            return at + 2  # its length can't be trusted: look for the next start
        length = rest[0]
        if len(rest) < length + 3:
            del self._buffer[:at]
            return 0
        body = bytes(rest[2 : 2 + length])
        if (sum(body) + rest[2 + length]) & 0xFF:
            self.counters["bad_checksum"] += 1
            return at + 2
        self._read(body, found)
        return at + 2 + 3 + length

    def _read(self, body: bytes, found: list[Ack | Reply | Failed]) -> None:
        self.counters["frames"] += 1
        if body == bytes((ERROR_FRAME,)):
            found.append(Failed())
        elif len(body) >= 2 and body[0] == FROM_MODULE:
            found.append(Reply(body[1], body[2:]))
        else:
            self.counters["noise_bytes"] += len(body)
