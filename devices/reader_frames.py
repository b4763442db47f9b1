"""What a QR reader sends over its serial line: bytes in, scans out. No I/O and no clock.

    framing       on the wire
    terminator    data CR | data LF | data CR LF        (the default of Denso Wave, Honeywell, Newland …)
    stx_etx       STX data ETX
    stx_etx_bcc   STX data ETX bcc                      bcc = XOR of everything after STX, ETX included (Denso Wave)

Data may begin with an AIM identifier `]cm` (ISO/IEC 15424), for example `]Q1`. Control bytes inside data are noise (a loose
plug, XON/XOFF), except GS 0x1D, which separates the fields of GS1 codes. A frame of over 4,296 bytes (the
most that a QR code 40-L holds, ISO/IEC 18004) is dropped whole up to its end. What is dropped is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

__all__ = ["Framing", "ReaderFramer", "RepeatFilter", "Scan", "ScanDataType"]

Framing = Literal["terminator", "stx_etx", "stx_etx_bcc"]

STX, ETX, LF, CR, GS, DEL = 0x02, 0x03, 0x0A, 0x0D, 0x1D, 0x7F
LIMIT_BYTES = 4_296
AIM_BYTES = 3
HALF_FRAME_S = 2.0
REARM_S = 1.5


class ScanDataType(IntEnum):
    """UnifiedPOS ScanDataType, as far as store readers use it."""

    UNKNOWN = 0
    EAN8 = 103
    EAN13 = 104
    CODE39 = 108
    CODE128 = 110
    EAN128 = 120
    DATAMATRIX = 203
    QRCODE = 204
    GS1QRCODE = 209
    OTHER = 501


#: The code characters that ISO/IEC 15424 gives out, so that data which begins with `]` is rarely taken for one.
_AIM = re.compile(rb"\][ABCDEFGHIKLMNOPQRSTUXYZcdehopsz][0-9A-Fa-f]")
_PLAIN = re.compile(rb"[\x20-\x7e\x80-\xff]+")
"""Neither noise nor framing, wherever they stand."""
_TYPES = {
    **dict.fromkeys([b"]Q0", b"]Q1", b"]Q2", b"]Q5", b"]Q6"], ScanDataType.QRCODE),
    **dict.fromkeys([b"]Q3", b"]Q4"], ScanDataType.GS1QRCODE),
    b"]E0": ScanDataType.EAN13,
    b"]E4": ScanDataType.EAN8,
    b"]A0": ScanDataType.CODE39,
    b"]C0": ScanDataType.CODE128,
    b"]C1": ScanDataType.EAN128,
    b"]d0": ScanDataType.DATAMATRIX,
    b"]d1": ScanDataType.DATAMATRIX,
}


@dataclass(frozen=True, slots=True)
class Scan:
    """One code. `raw` is the data without framing and AIM identifier, `aim` that identifier or "".

    `t_last_byte` is when the last byte of the frame was read (seconds, monotonic).
    """

    text: str
    raw: bytes
    symbology: ScanDataType
    aim: str
    t_last_byte: float


class ReaderFramer:
    """Cuts the byte stream of one reader into scans. `counters` tells what was dropped and why."""

    def __init__(
        self,
        framing: Framing = "terminator",
        *,
        strip_aim: bool = True,
        limit_bytes: int = LIMIT_BYTES,
        half_frame_s: float = HALF_FRAME_S,
    ) -> None:
        self._byte = self._terminated if framing == "terminator" else self._enclosed
        self._terminates = framing == "terminator"
        self._bcc = framing == "stx_etx_bcc"
        self._strip_aim = strip_aim
        self._limit_bytes = limit_bytes + (AIM_BYTES if strip_aim else 0)
        self._half_frame_s = half_frame_s
        self._frame = bytearray()
        self._state: Literal["outside", "inside", "bcc", "overlong"] = "outside"
        self._xor = 0
        self._last_byte = 0.0
        self.counters = dict.fromkeys(
            ("scans", "noise_bytes", "overlong", "half_frames", "bad_checksum", "bad_text"), 0
        )

    def feed(self, data: bytes, now: float) -> list[Scan]:
        """The scans that `data`, read at `now`, completes."""
        self.tick(now)
        self._last_byte = now
        return [self._scan(frame, now) for frame in self._frames(data) if frame]

    def tick(self, now: float) -> None:
        """Drop half a frame that nothing was added to for 2 s: its reader was unplugged or reset."""
        if self._state != "outside" and now - self._last_byte >= self._half_frame_s:
            self.reset()

    def reset(self) -> None:
        """Forget the frame under way, as after a loss of the port."""
        if self._state in ("inside", "bcc"):
            self.counters["half_frames"] += 1
        self._frame.clear()
        self._state = "outside"

    def _frames(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            plain = _PLAIN.match(data, at)
            if plain and self._adds(plain[0]):
                at = plain.end()
                continue
            frame = self._byte(data[at])
            at += 1
            if frame is not None:
                yield frame

    def _adds(self, plain: bytes) -> bool:
        """Take what can be nothing but data at once; byte by byte a code costs fifty times as much. False: not possible."""
        if not self._terminates or self._state == "overlong" or len(self._frame) + len(plain) > self._limit_bytes:
            return False
        self._state = "inside"
        self._frame += plain
        return True

    def _terminated(self, byte: int) -> bytes | None:
        if byte in (CR, LF):
            return self._end()
        if _is_noise(byte) or (byte == GS and not self._frame):
            self.counters["noise_bytes"] += 1
        else:
            self._add(byte)
        return None

    def _enclosed(self, byte: int) -> bytes | None:
        if self._state == "bcc":  # first of all: a checksum may equal any byte, STX included
            if byte == self._xor:
                return self._end()
            self.counters["bad_checksum"] += 1
            self._frame.clear()
            self._state = "outside"
        elif byte == STX:
            self.reset()
            self._state, self._xor = "inside", 0
        elif self._state == "outside":
            self.counters["noise_bytes"] += byte not in (CR, LF)  # some readers add a line end
        else:
            self._xor ^= byte
            if byte == ETX:
                if not self._bcc or self._state == "overlong":
                    return self._end()
                self._state = "bcc"
            elif _is_noise(byte):
                self.counters["noise_bytes"] += 1
            else:
                self._add(byte)
        return None

    def _add(self, byte: int) -> None:
        if self._state == "overlong":
            return
        self._state = "inside"
        self._frame.append(byte)
        if len(self._frame) > self._limit_bytes:
            self.counters["overlong"] += 1
            self._frame.clear()
            self._state = "overlong"

    def _end(self) -> bytes:
        frame = bytes(self._frame)
        self._frame.clear()
        self._state = "outside"
        return frame

    def _scan(self, frame: bytes, now: float) -> Scan:
        self.counters["scans"] += 1
        aim = frame[:AIM_BYTES] if self._strip_aim and _AIM.match(frame) else b""
        raw = frame[len(aim) :]
        kind = _TYPES.get(aim, ScanDataType.OTHER) if aim else ScanDataType.UNKNOWN
        return Scan(self._text(raw), raw, kind, aim.decode("ascii"), now)

    def _text(self, raw: bytes) -> str:
        for charset in ("utf-8", "cp932"):  # QR codes made in Japan carry Shift_JIS
            try:
                return raw.decode(charset)
            except UnicodeDecodeError:
                continue
        self.counters["bad_text"] += 1  # still a scan: its customer wants to be told something
        return raw.decode("cp932", errors="replace")


class RepeatFilter:
    """A code held in front of the reader counts once, until it was away for `rearm_s` or another code came."""

    def __init__(self, rearm_s: float = REARM_S) -> None:
        self._rearm_s = rearm_s
        self._last: bytes | None = None
        self._seen_at = 0.0
        self.repeats = 0

    def is_new(self, scan: Scan) -> bool:
        held = scan.raw == self._last and scan.t_last_byte - self._seen_at < self._rearm_s
        self._last, self._seen_at = scan.raw, scan.t_last_byte
        self.repeats += held
        return not held


def _is_noise(byte: int) -> bool:
    return (byte < 0x20 and byte != GS) or byte == DEL
