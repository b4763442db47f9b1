"""The Modbus RTU slave of the simulated gate board: bytes in, replies out. Own framing, so that it checks the driver's.

Frames are told apart by their length; a gap of `gap_s` in mid-frame starts anew (the standard's 3.5 bytes, made tolerant of
USB adapters, which deliver in bursts). A frame with a wrong CRC, or for another unit, is met with silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["ModbusRefusal", "ModbusSlave", "Registers", "crc16"]

T = TypeVar("T")

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY = 1, 2, 3, 4, 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
GAP_S = 0.01
BUFFER_LIMIT = 512
FRAME_MAX = 256  # Modbus over Serial Line 1.02, 2.5.1: the longest frame
MAX_READ = 125


class ModbusRefusal(Exception):
    """Answered as a Modbus exception with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class Registers(Protocol):
    """What the slave gives access to. Each may raise `ModbusRefusal`."""

    def coils(self) -> Sequence[bool]: ...
    def discrete_inputs(self) -> Sequence[bool]: ...
    def holding(self) -> Sequence[int]: ...
    def inputs(self) -> Sequence[int]: ...
    def write(self, address: int, values: Sequence[int]) -> None: ...


class ModbusSlave:
    """`feed(data, now)` gives the replies to the requests that `data` completes."""

    def __init__(self, unit: int, registers: Registers) -> None:
        self._unit, self._registers = unit, registers
        self._buffer = bytearray()
        self._last = 0.0
        self.requests = self.bad_frames = 0

    def feed(self, data: bytes, now: float) -> list[bytes]:
        if now - self._last > GAP_S:
            self._buffer.clear()
        self._last = now
        self._buffer += data
        replies = []
        while (size := self._frame_size()) and len(self._buffer) >= size:
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            if crc16(frame[:-2]) != frame[-2:]:
                self.bad_frames += 1
                self._buffer.clear()
                break
            if frame[0] == self._unit:
                self.requests += 1
                replies.append(self._reply(frame[1:-2]))
        del self._buffer[:-BUFFER_LIMIT]
        return replies

    def _frame_size(self) -> int:
        """Bytes of the frame at the start of the buffer, 0 while that is not known."""
        if len(self._buffer) < 2:
            return 0
        if self._buffer[1] in (READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT, WRITE_ONE):
            return 8
        if self._buffer[1] == WRITE_MANY:
            return 9 + self._buffer[6] if len(self._buffer) > 6 else 0
        # a function we do not know has a length we do not know: a frame ends where its CRC fits
        whole = 4 <= len(self._buffer) <= FRAME_MAX and crc16(self._buffer[:-2]) == self._buffer[-2:]
        return len(self._buffer) if whole else 0

    def _reply(self, pdu: bytes) -> bytes:
        try:
            answer = self._answer(pdu)
        except ModbusRefusal as refusal:
            answer = bytes([pdu[0] | 0x80, refusal.code])
        frame = bytes([self._unit]) + answer
        return frame + crc16(frame)

    def _answer(self, pdu: bytes) -> bytes:
        function, rest = pdu[0], pdu[1:]
        address, count = int.from_bytes(rest[:2]), int.from_bytes(rest[2:4])
        bits: dict[int, Callable[[], Sequence[bool]]] = {
            READ_COILS: self._registers.coils,
            READ_DISCRETE: self._registers.discrete_inputs,
        }
        words: dict[int, Callable[[], Sequence[int]]] = {
            READ_HOLDING: self._registers.holding,
            READ_INPUT: self._registers.inputs,
        }
        if function in bits:
            packed = _pack(_slice(bits[function](), address, count))
            return bytes([function, len(packed)]) + packed
        if function in words:
            data = b"".join(word.to_bytes(2) for word in _slice(words[function](), address, count))
            return bytes([function, len(data)]) + data
        if function == WRITE_ONE:
            self._registers.write(address, [count])
            return pdu
        if function == WRITE_MANY:
            if rest[4] != 2 * count or not 1 <= count <= MAX_READ:
                raise ModbusRefusal(ILLEGAL_VALUE)
            data = rest[5:]
            self._registers.write(address, [int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2)])
            return pdu[:5]
        raise ModbusRefusal(ILLEGAL_FUNCTION)


def _slice(values: Sequence[T], address: int, count: int) -> Sequence[T]:
    if not 1 <= count <= MAX_READ:
        raise ModbusRefusal(ILLEGAL_VALUE)
    if address + count > len(values):
        raise ModbusRefusal(ILLEGAL_ADDRESS)
    return values[address : address + count]


def _pack(bits: Sequence[bool]) -> bytes:
    number = sum(bit << i for i, bit in enumerate(bits))
    return number.to_bytes((len(bits) + 7) // 8, "little")


def crc16(data: bytes | bytearray) -> bytes:
    """CRC-16/MODBUS, low byte first, as it stands on the wire."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")
