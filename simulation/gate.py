"""A flapper gate on simulated time: the board of `firmware_sim` and, on each connection, a driver with the real `GateCore`.

The driver is that of `devices.gate` without its bytes: a command is written once, read back, and written again with the same
number only if the board does not have it. Polls happen when there is something to see, as late as a poll of 20 ms would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from devices.gate import CommandResult
from devices.gate_core import GateCore
from devices.gate_events import GateEvent
from devices.gate_map import Command, Direction, GateCounters, GateImage, Verdict, command_block, is_newer
from devices.status import DeviceStatus, PowerState
from firmware_sim.gate_board import CLOSING, MOVE_S, OPENING, Board, Memory
from firmware_sim.gate_modbus import ModbusRefusal
from simulation.loop import Process, Step, VirtualLoop

POLL_S = 0.02
WIRE_S = 0.004
COMMAND_S = 2.0
JAMMED_S = 1e6


class JammingBoard(Board):
    """A board whose flaps may jam: they stand still in the middle of a movement, and the board does not notice."""

    def jam(self, on: bool) -> None:
        self._move_s = JAMMED_S if on else MOVE_S
        if self.state in (OPENING, CLOSING):
            self._go(self.state, self._now + self._move_s)


class GateMachine:
    """The hardware: flaps, sensors, board, cable. `tell(event)` gets what physically happens."""

    def __init__(self, loop: VirtualLoop, rng: Random, tell: Callable[[dict[str, Any]], None]) -> None:
        self.loop, self.rng = loop, rng
        self.plugged = True
        self.noise = 0.0
        """Share of requests and replies that are damaged."""
        self.driver: SimGate | None = None
        self._timer: Step | None = None
        self.board = JammingBoard(Memory(), tell=tell, save=lambda _: None)

    def run(self, change: Callable[[], Any] = lambda: None) -> Any:
        """Let time pass, do something to the board, and see what comes of it."""
        self.board.step(self.loop.time())
        result = change()
        due = self.board.step(self.loop.time())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self.loop.call_at(due, self.run, context=self.loop.outside)
        if self.driver is not None:
            self.driver.look_soon()
        return result

    def plug(self, on: bool) -> None:
        self.plugged = on
        if self.driver is not None:
            self.driver.look_soon()

    def garbled(self) -> bool:
        return bool(self.noise) and self.rng.random() < self.noise


class SimGate:
    """In place of `devices.gate.Gate`, for one life of an agent."""

    def __init__(self, machine: GateMachine, process: Process, on_event: Callable[[GateEvent], None],
                 on_status: Callable[[DeviceStatus], None], known: GateCounters | None) -> None:  # fmt: skip
        self._machine, self._process = machine, process
        self._on_event, self._on_status = on_event, on_status
        self._core = GateCore(known)
        self._turn = asyncio.Lock()
        self._looking = False
        self._registers: list[int] = []
        self._told: tuple[PowerState, frozenset[str]] | None = None

    @property
    def image(self) -> GateImage | None:
        return self._core.image

    @property
    def counters(self) -> GateCounters | None:
        return self._core.counters

    async def run(self) -> None:
        """Until cancelled."""
        self._machine.driver = self
        self.look_soon()
        await asyncio.Event().wait()

    def look_soon(self) -> None:
        """Something happened at the board: the next poll will see it."""
        if not self._looking:
            self._looking = True
            self._process.soon(self._look, after_s=WIRE_S + self._machine.rng.random() * POLL_S)

    def _look(self) -> None:
        self._looking = False
        if self._machine.driver is self and not self._poll() and self._machine.plugged:
            self.look_soon()

    def _poll(self) -> bool:
        """One reading of the image; whether it came."""
        machine = self._machine
        if not machine.plugged:
            self._core.offline()
            self._tell(PowerState.OFF_OFFLINE, frozenset())
            return False
        if machine.garbled():
            return False
        machine.board.step(machine.loop.time())
        registers = machine.board.inputs()
        if registers == self._registers and self._core.image is not None:
            return True  # as before: nothing has happened
        self._registers = registers
        image = GateImage.decode(registers)
        for event in self._core.update(image, machine.loop.time()):
            self._on_event(event)
        self._tell(PowerState.ONLINE, frozenset({"gate_malfunction"} if image.fault else ()))
        return True

    async def open_gate(self, direction: Direction, command_seq: int, ttl_s: float) -> CommandResult:
        block = command_block(command_seq, Command.OPEN_EXIT if direction == "exit" else Command.OPEN_ENTRY, ttl_s)
        async with self._turn:
            if not self._machine.plugged:
                return CommandResult("refused", "the gate is offline")
            end = self._machine.loop.time() + COMMAND_S
            while self._core.image is None and self._in_time(end):
                await asyncio.sleep(POLL_S)
                self._poll()
            image = self._core.image
            if image is None:
                return CommandResult("refused", "the gate is offline")
            if (found := _judge(image, command_seq)) is not None:
                return found if found.outcome == "refused" else CommandResult("duplicate")
            while self._in_time(end):
                if (result := await self._attempt(block, command_seq, end)) is not None:
                    return result
            return CommandResult("unknown", "the board does not answer")

    def _in_time(self, end: float) -> bool:
        return self._machine.plugged and self._machine.loop.time() < end

    async def _attempt(self, block: list[int], seq: int, end: float) -> CommandResult | None:
        """Write once, then read until the board says whether it has it. None: it has not."""
        machine, refused = self._machine, ""
        await asyncio.sleep(WIRE_S)
        if machine.plugged and not machine.garbled():
            try:
                machine.run(lambda: machine.board.write(0, block))
            except ModbusRefusal as refusal:
                refused = str(refusal)
        while self._in_time(end):
            await asyncio.sleep(WIRE_S if not machine.noise else POLL_S)
            if self._poll() and (image := self._core.image) is not None:
                return _judge(image, seq) or (CommandResult("refused", refused) if refused else None)
        return None

    def _tell(self, power: PowerState, flags: frozenset[str]) -> None:
        if (power, flags) != self._told:
            self._told = power, flags
            self._on_status(DeviceStatus(power, flags))


def _judge(image: GateImage, seq: int) -> CommandResult | None:
    if seq == image.opening_seq:
        return CommandResult("accepted")
    if seq == image.seq:
        return CommandResult("accepted" if image.verdict is Verdict.ACCEPTED else "refused", image.verdict.name)
    if not is_newer(seq, image.seq):
        return CommandResult("refused", f"older than {image.seq}")
    return None
