"""The simulated gate: flaps, sensors, and the memory that survives a loss of power. No I/O; `now` goes in, events come out.

The registers are those of the gate board's map (`docs` of the driver: `devices/gate_map.py`), written here a second time on
purpose, so that the simulator checks the driver and not itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from firmware_sim.gate_modbus import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusRefusal

__all__ = ["Board", "Memory"]

Json = dict[str, Any]

MOVE_S = 0.3  # flaps open or close
CLEAR_S = 0.2  # from the passage sensor until the person is clear of the flaps
MAGIC, FIRMWARE = 0x6A7E, 0x0102

CLOSED, OPENING, OPEN, CLOSING, FREE, FAULT = range(6)
NAMES = ("closed", "opening", "open", "closing", "free", "fault")
ACCEPTED, BUSY, REFUSED_FAULT, UNKNOWN = 1, 2, 3, 4
WAITING, PASSED, NOBODY, BY_COMMAND, CUT_OFF = 1, 2, 3, 4, 5
DIRECTIONS = {"exit": 1, "entry": 2}


@dataclass
class Memory:
    """What the board keeps through a loss of power."""

    seq: int = 0
    verdict: int = 0
    opening_seq: int = 0
    direction: int = 0
    outcome: int = 0
    exits: int = 0
    entries: int = 0
    intrusions: int = 0
    boots: int = 0
    pulses: int = 0


class Board:
    """`tell(event)` gets opened, closed, passage, pulse, not_passed …; `save(memory)` is called before anything moves."""

    def __init__(
        self,
        memory: Memory,
        *,
        tell: Callable[[Json], None],
        save: Callable[[Memory], None],
        move_s: float = MOVE_S,
    ) -> None:
        self.memory, self._tell, self._save = memory, tell, save
        self._move_s, self._ttl_s = move_s, 0.0
        self.state = CLOSED
        self._due: float | None = None  # when the present state ends by itself
        self.obstacle = self.fire = self.mains_lost = self.help = False
        self.fault = 0
        self._now = 0.0
        self.boot()

    def boot(self) -> None:
        """Power comes (back): flaps closed, nobody let through any more, memory as it was."""
        self.memory.boots = (self.memory.boots + 1) & 0xFFFF
        self._end_opening(CUT_OFF)
        self._save(self.memory)
        self.state, self._due = CLOSED, None
        self._settle()

    # --- time -------------------------------------------------------------------------------------------------

    def step(self, now: float) -> float | None:
        """Let time run to `now`; when it has to be called next, None if nothing moves."""
        self._now = now
        while self._due is not None and now >= self._due:
            self._elapsed()
        return self._due

    def _elapsed(self) -> None:
        due = self._due or 0.0
        if self.state == OPENING:
            ttl_s = self._ttl_s
            self._go(OPEN, due + ttl_s)
            self._tell({"event": "opened", "seq": self.memory.opening_seq})
        elif self.state == OPEN and self.obstacle:
            self._due = self._now + CLEAR_S  # never close on somebody
        elif self.state == OPEN:
            self._end_opening(NOBODY)
            self._go(CLOSING, due + self._move_s)
        else:
            self._go(CLOSED, None)
            self._tell({"event": "closed"})

    def _go(self, state: int, due: float | None) -> None:
        self.state, self._due = state, due

    def _end_opening(self, outcome: int) -> None:
        if self.memory.outcome == WAITING:
            self.memory.outcome = outcome
            self._save(self.memory)
            if outcome != PASSED:
                self._tell({"event": "not_passed", "seq": self.memory.opening_seq, "outcome": outcome})

    # --- what happens in the lane ---------------------------------------------------------------------------------

    def walk(self, direction: str) -> str:
        """A person walks into the lane. "" if they got through, else why not."""
        if self.state not in (OPEN, FREE):
            return f"the gate is {NAMES[self.state]}"
        name = "exits" if direction == "exit" else "entries"
        setattr(self.memory, name, (getattr(self.memory, name) + 1) & 0xFFFF)
        own = self.memory.outcome == WAITING and self.memory.direction == DIRECTIONS[direction]
        if own:
            self.memory.outcome = PASSED
        self._save(self.memory)
        if own and self.state == OPEN:
            self._due = self._now + CLEAR_S
        seq = self.memory.opening_seq if own else None
        self._tell({"event": "passage", "direction": direction, "seq": seq, "count": getattr(self.memory, name)})
        return ""

    def tailgate(self) -> str:
        """Somebody follows another person through."""
        if self.state not in (OPEN, CLOSING, FREE):
            return f"the gate is {NAMES[self.state]}"
        self.memory.intrusions = (self.memory.intrusions + 1) & 0xFFFF
        self._save(self.memory)
        self._tell({"event": "intrusion", "count": self.memory.intrusions})
        return ""

    def force(self, direction: str) -> str:
        """A person gets through the closed flaps: over them, or with a push. "" if so; else the gate is open anyway."""
        if self.state in (OPEN, FREE):
            return f"the gate is {NAMES[self.state]}"
        return self._sensed(direction)

    def both_ways(self) -> str:
        """The sensors tell of a person in each direction at the same moment: two who meet, or a sensor gone mad."""
        blocked = self.walk("exit")
        return blocked or self._sensed("entry")

    def _sensed(self, direction: str) -> str:
        name = "exits" if direction == "exit" else "entries"
        setattr(self.memory, name, (getattr(self.memory, name) + 1) & 0xFFFF)
        self._save(self.memory)
        self._tell({"event": "passage", "direction": direction, "seq": None, "count": getattr(self.memory, name)})
        return ""

    def set_obstacle(self, on: bool) -> None:
        """Something stands between the flaps; closing ones open again."""
        self.obstacle = on
        if on and self.state == CLOSING:
            self._go(OPEN, self._now + CLEAR_S)
            self._tell({"event": "opened", "seq": None})

    def set_fire(self, on: bool) -> None:
        self.fire = on
        self._settle()

    def set_mains_lost(self, on: bool) -> None:
        self.mains_lost = on
        if on:
            self._end_opening(CUT_OFF)
        self._settle()

    def set_fault(self, code: int) -> None:
        self.fault = code & 0xFFFF
        if self.fault:
            self._end_opening(CUT_OFF)
        self._settle()

    def _settle(self) -> None:
        """Fire and loss of mains open (fail-safe), before a fault; when all is over the flaps close."""
        if self.fire or self.mains_lost:
            if self.state != FREE:
                self._go(FREE, None)
                self._tell({"event": "opened", "seq": None})
        elif self.fault:
            self._go(FAULT, None)
        elif self.state in (FREE, FAULT):
            self._end_opening(NOBODY)
            self._go(CLOSING, self._now + self._move_s)

    # --- commands -------------------------------------------------------------------------------------------------

    def write(self, address: int, values: Sequence[int]) -> None:
        """The command block, only as a whole."""
        if address != 0 or len(values) != 4:
            raise ModbusRefusal(ILLEGAL_ADDRESS if address > 3 else ILLEGAL_VALUE)
        seq = values[0] << 16 | values[1]
        if seq in (self.memory.seq, self.memory.opening_seq) and seq:
            return  # the same command again: no second pulse
        newer = self.memory.seq == 0 or 0 < (seq - self.memory.seq) & 0xFFFF_FFFF < 1 << 31
        if not seq or not newer or not 1 <= values[3] <= 6000:
            raise ModbusRefusal(ILLEGAL_VALUE)
        self.memory.seq = seq
        self.memory.verdict = self._command(seq, values[2], values[3] / 10)
        self._save(self.memory)

    def _command(self, seq: int, command: int, ttl_s: float) -> int:
        if command == 3:
            self._end_opening(BY_COMMAND)
            if self.state in (OPENING, OPEN):
                self._go(OPEN if self.obstacle else CLOSING, self._now + self._move_s)
            return ACCEPTED
        if command not in (1, 2):
            return UNKNOWN
        if self.state == FAULT:
            return REFUSED_FAULT
        if self.memory.outcome == WAITING:
            return BUSY
        self._open(seq, command, ttl_s)
        return ACCEPTED

    def _open(self, seq: int, direction: int, ttl_s: float) -> None:
        self.memory.opening_seq, self.memory.direction, self.memory.outcome = seq, direction, WAITING
        self.memory.pulses = (self.memory.pulses + 1) & 0xFFFF
        self._save(self.memory)  # before the flaps move: a pulse is never forgotten
        self._ttl_s = ttl_s
        self._tell({"event": "pulse", "seq": seq, "direction": "exit" if direction == 1 else "entry"})
        if self.state == OPEN:
            self._due = self._now + ttl_s
            self._tell({"event": "opened", "seq": seq})
        elif self.state != FREE:
            self._go(OPENING, self._now + self._move_s)

    # --- registers ------------------------------------------------------------------------------------------------

    def inputs(self) -> list[int]:
        m = self.memory
        flags = self.obstacle | self.fire << 1 | self.mains_lost << 2 | self.help << 3
        return [
            *(MAGIC, self.state, m.seq >> 16, m.seq & 0xFFFF, m.verdict),
            *(m.opening_seq >> 16, m.opening_seq & 0xFFFF, m.direction, m.outcome),
            *(m.exits, m.entries, m.intrusions, flags, self.fault, m.boots, FIRMWARE, m.pulses),
        ]

    def holding(self) -> list[int]:
        return [self.memory.seq >> 16, self.memory.seq & 0xFFFF, 0, 0]

    def discrete_inputs(self) -> list[bool]:
        return [self.state == CLOSED, self.state in (OPEN, FREE), self.obstacle, self.fire, self.mains_lost]

    def coils(self) -> list[bool]:
        waiting = self.memory.outcome == WAITING
        return [waiting and self.memory.direction == 1, waiting and self.memory.direction == 2]

    def report(self) -> Json:
        """For a tester."""
        alarms = {"obstacle": self.obstacle, "fire": self.fire, "mains_lost": self.mains_lost, "fault": self.fault}
        return {"state": NAMES[self.state], **alarms, **asdict(self.memory)}
