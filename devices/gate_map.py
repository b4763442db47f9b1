"""The registers of a gate board on Modbus RTU, unit 1. Numbers are unsigned 16 bit; a pair is high word first.

Command block, holding registers, written together in ONE request (function 16); a part of it is refused (exception 3):

    0-1   seq      number of the command, 1 to 4294967295, each greater than the one before
    2     command  1 open for one person to the exit, 2 open for one person to the entry, 3 close
    3     ttl_ds   tenths of a second that an open gate waits for the passage, 1 to 6000; ignored by close

    The same seq again is acknowledged and does nothing: no second pulse. A lower seq is refused with exception 3 (compared
    as serial numbers, so that the count may wrap). The board keeps seq and counters through a loss of power.

Image, input registers, read together in ONE request (function 4, 17 registers):

    0     magic              0x6A7E, tells a gate board from another device
    1     state              0 closed, 1 opening, 2 open, 3 closing, 4 free (held open: fire, no mains), 5 fault
    2-3   seq                of the last command taken
    4     verdict on it      0 none, 1 accepted, 2 refused: another person is still to pass, 3 refused: fault,
                             4 refused: no such command
    5-6   opening_seq        of the last accepted open
    7     opening_direction  0 none, 1 exit, 2 entry
    8     outcome of it      0 none, 1 waiting, 2 passed, 3 nobody passed in time, 4 closed by command, 5 cut off
                             (fault, power)
    9     exits              passages to the exit since manufacture; wraps at 65536
    10    entries            passages to the entry; wraps
    11    intrusions         persons who followed another one through; wraps
    12    flags              bit 0 obstacle in the lane, bit 1 fire alarm, bit 2 mains lost, bit 3 help button (the board
                             debounces it and holds the bit for 100 ms at least, so that no poll misses a press)
    13    fault              the board's fault code, 0 none
    14    boots              counts power-ups; wraps
    15    firmware           major in the high byte, minor in the low byte
    16    pulses             times the drive was told to open; wraps

On a fire alarm the board opens by itself; nothing here can keep it closed. Dry-contact gates reach this map through
an I/O board that implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Literal

from devices.errors import BadFrame

__all__ = [
    "COMMAND_ADDRESS",
    "IMAGE_ADDRESS",
    "IMAGE_SIZE",
    "UNIT",
    "BoardState",
    "Command",
    "Direction",
    "GateCounters",
    "GateImage",
    "Outcome",
    "Verdict",
    "command_block",
    "is_newer",
]

UNIT = 1
COMMAND_ADDRESS = 0
IMAGE_ADDRESS = 0
IMAGE_SIZE = 17
MAGIC = 0x6A7E
MAX_SEQ = 0xFFFF_FFFF
MAX_TTL_S = 600.0

Direction = Literal["exit", "entry"]


class Command(IntEnum):
    OPEN_EXIT = 1
    OPEN_ENTRY = 2
    CLOSE = 3


class BoardState(IntEnum):
    CLOSED = 0
    OPENING = 1
    OPEN = 2
    CLOSING = 3
    FREE = 4
    FAULT = 5


class Verdict(IntEnum):
    NONE = 0
    ACCEPTED = 1
    BUSY = 2
    FAULT = 3
    UNKNOWN_COMMAND = 4


class Outcome(IntEnum):
    NONE = 0
    WAITING = 1
    PASSED = 2
    NOBODY = 3
    CLOSED_BY_COMMAND = 4
    CUT_OFF = 5


@dataclass(frozen=True, slots=True)
class GateCounters:
    """What must be remembered over a restart of the reader, so that no passage is lost. JSON-able whole numbers."""

    exits: int
    entries: int
    intrusions: int
    boots: int
    opening_seq: int = 0
    opening_direction: int = 0
    outcome: int = 0


@dataclass(frozen=True, slots=True)
class GateImage:
    """One reading of the image, in the order of the registers."""

    state: BoardState
    seq: int
    verdict: Verdict
    opening_seq: int
    opening_direction: int
    outcome: Outcome
    exits: int
    entries: int
    intrusions: int
    obstacle: bool
    fire: bool
    mains_lost: bool
    fault: int
    boots: int
    firmware: int
    pulses: int
    help: bool = False

    @property
    def counters(self) -> GateCounters:
        return GateCounters(*(int(getattr(self, field.name)) for field in fields(GateCounters)))

    @classmethod
    def decode(cls, registers: Sequence[int]) -> GateImage:
        """Raises `BadFrame` if these are not the registers of a gate board."""
        if len(registers) != IMAGE_SIZE or registers[0] != MAGIC:
            raise BadFrame(f"no gate board: expected {IMAGE_SIZE} registers from {MAGIC:#x}, got {list(registers)}")
        try:
            return cls(
                state=BoardState(registers[1]),
                seq=registers[2] << 16 | registers[3],
                verdict=Verdict(registers[4]),
                opening_seq=registers[5] << 16 | registers[6],
                opening_direction=registers[7],
                outcome=Outcome(registers[8]),
                exits=registers[9],
                entries=registers[10],
                intrusions=registers[11],
                obstacle=bool(registers[12] & 1),
                fire=bool(registers[12] & 2),
                mains_lost=bool(registers[12] & 4),
                fault=registers[13],
                boots=registers[14],
                firmware=registers[15],
                pulses=registers[16],
                help=bool(registers[12] & 8),
            )
        except ValueError as error:
            raise BadFrame(f"a gate board with unknown registers: {error}") from error

    def encode(self) -> list[int]:
        flags = self.obstacle | self.fire << 1 | self.mains_lost << 2 | self.help << 3
        return [
            *(MAGIC, self.state, *_pair(self.seq), self.verdict),
            *(*_pair(self.opening_seq), self.opening_direction, self.outcome),
            *(self.exits, self.entries, self.intrusions, flags),
            *(self.fault, self.boots, self.firmware, self.pulses),
        ]


def command_block(seq: int, command: Command, ttl_s: float = 0.1) -> list[int]:
    """The four registers of a command. Raises `ValueError` for a seq or a ttl out of range."""
    if not 1 <= seq <= MAX_SEQ:
        raise ValueError(f"a command's seq is 1 to {MAX_SEQ}, not {seq}")
    if not 0.1 <= ttl_s <= MAX_TTL_S:
        raise ValueError(f"a gate stays open 0.1 to {MAX_TTL_S:g} s for a passage, not {ttl_s} s")
    return [*_pair(seq), command, round(ttl_s * 10)]


def is_newer(seq: int, than: int) -> bool:
    """Whether `seq` comes after `than`, as serial numbers of 32 bits (RFC 1982); anything comes after 0."""
    return than == 0 or 0 < (seq - than) & MAX_SEQ < 1 << 31


def _pair(number: int) -> tuple[int, int]:
    return number >> 16, number & 0xFFFF
