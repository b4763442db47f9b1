"""A simulated flapper gate: a Modbus RTU board on a serial port, and people who walk into its lane.

    {"do": "walk", "direction": "exit"}     a person; "wait_s" (0): how long they stand before a closed gate
    {"do": "tailgate"}                      somebody follows another person
    {"do": "force", "direction": "exit"}    somebody gets through the closed gate
    {"do": "both_ways"}                     the sensors tell of a person in each direction at once; "wait_s"
    {"do": "obstacle", "on": true}          {"do": "fire", "on": true}       {"do": "mains", "on": false}
    {"do": "help", "for_s": 0.2}            somebody presses the help button
    {"do": "fault", "code": 7}              0 ends it
    {"do": "restart"}                       the board loses power for a moment
    {"do": "corrupt", "replies": 3}         damages the next replies; "lose": 3 swallows them
    {"do": "unplug"} {"do": "plug"} {"do": "state"}

Tells `pulse`, `opened`, `closed`, `passage`, `not_passed`, `intrusion`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.gate_board import DIRECTIONS, MOVE_S, Board, Memory
from firmware_sim.gate_modbus import ModbusSlave
from firmware_sim.pty_port import PtyPort, Wire

__all__ = ["GateSim", "run_gate"]

Json = dict[str, Any]

UNIT = 1
WALK_STEP_S = 0.005


class GateSim:
    """The board on its port. `state_file` keeps its memory over a `kill -9`. Needs a running loop; `close` when done."""

    def __init__(
        self,
        link: Path,
        tell: Callable[[Json], None],
        *,
        state_file: Path | None = None,
        baud: int | None = None,
        move_s: float = MOVE_S,
        wire_in: Wire | None = None,
        wire_out: Wire | None = None,
    ) -> None:
        self._state_file = state_file
        self._timer: asyncio.TimerHandle | None = None
        self._corrupt = self._lose = 0
        self.board = Board(_load(state_file), tell=tell, save=self._save, move_s=move_s)
        self._slave = ModbusSlave(UNIT, self.board)
        self.port = PtyPort(link, on_bytes=self._request, baud=baud, wire_in=wire_in, wire_out=wire_out)
        self.handle = commands(
            {
                "walk": self._walk,
                "tailgate": lambda _: self._through(self.board.tailgate),
                "force": self._force,
                "both_ways": lambda request: self._in_time(request, self.board.both_ways),
                "help": self._help,
                "obstacle": lambda request: self._set(self.board.set_obstacle, _on(request)),
                "fire": lambda request: self._set(self.board.set_fire, _on(request)),
                "mains": lambda request: self._set(self.board.set_mains_lost, not _on(request)),
                "fault": lambda request: self._set(self.board.set_fault, _number(request, "code")),
                "restart": lambda _: self._set(lambda _: self.board.boot(), None),
                "corrupt": self._damage,
                "unplug": lambda _: self._set(lambda _: self.port.unplug(), None),
                "plug": lambda _: self._set(lambda _: self.port.plug(), None),
                "state": lambda _: self._set(lambda _: None, None),
            }
        )

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.port.close()

    def _request(self, data: bytes) -> None:
        self._step()
        for reply in self._slave.feed(data, time.monotonic()):
            if self._lose:
                self._lose -= 1
            elif self._corrupt:
                self._corrupt -= 1
                self.port.write(bytes([*reply[:-1], reply[-1] ^ 0x10]))
            else:
                self.port.write(reply)
        self._step()

    def _step(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.board.step(time.monotonic())
        self._timer = None if due is None else asyncio.get_running_loop().call_at(due, self._step)

    def _set(self, change: Callable[[Any], object], value: object) -> Json:
        self._step()
        change(value)
        self._step()
        return {"ok": True, "plugged": self.port.plugged, **self.board.report()}

    def _through(self, attempt: Callable[[], str]) -> Json:
        self._step()
        why = attempt()
        self._step()
        return {"ok": not why, "passed": not why, **({"blocked": why} if why else {})}

    async def _walk(self, request: Json) -> Json:
        direction = request.get("direction", "exit")
        if direction not in DIRECTIONS:
            raise ControlError(f"a direction is exit or entry, not {direction!r}")
        return await self._in_time(request, lambda: self.board.walk(direction))

    async def _in_time(self, request: Json, attempt: Callable[[], str]) -> Json:
        end = time.monotonic() + float(request.get("wait_s", 0))
        while True:
            reply = self._through(attempt)
            if reply["passed"] or time.monotonic() >= end:
                return reply
            await asyncio.sleep(WALK_STEP_S)

    def _force(self, request: Json) -> Json:
        direction = request.get("direction", "exit")
        if direction not in DIRECTIONS:
            raise ControlError(f"a direction is exit or entry, not {direction!r}")
        return self._through(lambda: self.board.force(direction))

    async def _help(self, request: Json) -> Json:
        self.board.help = True
        await asyncio.sleep(max(0.1, min(60.0, float(request.get("for_s", 0.2)))))
        self.board.help = False
        return {"ok": True}

    def _damage(self, request: Json) -> Json:
        self._corrupt = _number(request, "replies", 0)
        self._lose = _number(request, "lose", 0)
        return {"ok": True}

    def _save(self, memory: Memory) -> None:
        if self._state_file is None:
            return
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(memory)))
        os.replace(fresh, self._state_file)


def _load(path: Path | None) -> Memory:
    """Raises `ControlError` for a file that is no gate's memory."""
    if path is None or not path.exists():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        return Memory()
    try:
        kept = json.loads(path.read_text())
        return Memory(**{field.name: int(kept[field.name]) for field in fields(Memory)})
    except (ValueError, KeyError, TypeError) as error:
        raise ControlError(f"{path}: not the memory of a simulated gate ({error!r}): remove it") from error


def _on(request: Json) -> bool:
    value = request.get("on", True)
    if not isinstance(value, bool):
        raise ControlError(f'"on" is true or false, not {value!r}')
    return value


def _number(request: Json, name: str, default: int | None = None) -> int:
    value = request.get(name, default)
    if not isinstance(value, int) or not 0 <= value <= 0xFFFF:
        raise ControlError(f'"{name}" is a whole number from 0 to 65535, not {value!r}')
    return value


async def run_gate(link: Path, control: Path, *, state_file: Path | None = None, baud: int | None = None) -> None:
    """A gate whose port appears at `link`, commanded at the socket `control`, until cancelled."""
    server = ControlServer(control, lambda request: sim.handle(request))
    sim = GateSim(link, server.broadcast, state_file=state_file, baud=baud)
    try:
        async with server:
            sim.port.plug()
            await asyncio.Event().wait()
    finally:
        sim.close()
