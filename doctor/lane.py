"""The loop of one lane (row C10): a slip is printed, its code is read back, the gate opens, somebody is seen to pass.

The same drivers as the agent's. Each step is tried whatever became of the one before, so that one round shows all that is wrong;
only what needs a device that is not there is skipped.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.edge_settings import LANE_DEVICES, LaneSettings
from devices import gate_events as gate
from devices.escpos_document import Document, Pair, Qr, Rule, Text
from devices.gate_map import MAX_SEQ
from devices.gate_states import GateState
from devices.printer_job import JobState
from devices.reader_frames import Scan
from devices.status import DeviceStatus
from doctor.finding import Finding, Level, Prompt, Said
from edge.lane_devices import LaneDevices

UP_S = 4.0
"""A driver says how its device is within a second or two; a printer may need some more."""
PRINT_S = 10.0
FLAPS_S = 3.0
CLOSE_S = 10.0
BEYOND = 1000
"""How far our open command is ahead of the board's newest: the agent's next number must not be one that the board has seen, or
it would take the opening for done. An older one is refused, and the lane goes on from the board's (`LaneDevices.dealt_with`)."""
PREFIX = "INSTORE-TEST:"
_AMISS = frozenset({"cover_open", "rec_empty", "printer_offline", "cutter_error", "recoverable_error", "fatal_error",
                    "gate_blocked", "gate_malfunction", "fire_alarm"})  # fmt: skip
"""A lane with one of these is out of order; with others it works."""
_SHOWN = _AMISS | {"rec_near_end", "mains_lost", "gate_open"}


@dataclass(frozen=True, slots=True)
class _Saw:
    """Something that a device told. `t`: monotonic s."""

    what: Any
    t: float


class LaneExam:
    """One round. `say` hears each finding and each prompt at once; `hands` False leaves out what a person has to do.

    `patience_s`: how long a person has for each step.
    """

    def __init__(self, lane: LaneSettings, agent: str, say: Callable[[Said], None], now: datetime, *, hands: bool = True,
                 patience_s: float = 60.0) -> None:  # fmt: skip
        self._lane, self._agent, self._say, self._now = lane, agent, say, now
        self._hands, self._patience_s = hands, patience_s
        self._status: dict[str, DeviceStatus] = {}
        self._told = asyncio.Event()
        self._seen: asyncio.Queue[_Saw] = asyncio.Queue(maxsize=10_000)
        self._devices = LaneDevices(lane, lambda *_: None)
        self._devices.on_device = self._on_device
        self._devices.on_typed = lambda digits, t: self._put(_Saw(digits, t))
        self._code = PREFIX + secrets.token_hex(8).upper()
        self._read_at: float | None = None

    async def run(self) -> None:
        """All steps. Raises nothing that a device does."""
        loop = asyncio.get_running_loop()
        self._devices.connect(lambda scan: self._put(_Saw(scan, scan.t_last_byte)), lambda _paper: None,
                              lambda event: self._put(_Saw(event, event.t)), None)  # fmt: skip
        running = loop.create_task(self._devices.run(), name=f"devices of lane {self._lane.id}")
        try:
            await self._come_up()
            await self._type()
            await self._read(printed=await self._print())
            await self._open()  # at once, as for a customer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _put(self, saw: _Saw) -> None:
        if not self._seen.full():  # a reader that floods: the first ten thousand tell enough
            self._seen.put_nowait(saw)

    def _on_device(self, kind: str, status: DeviceStatus) -> None:
        self._status[kind] = status
        self._told.set()

    def _name(self, kind: str) -> str:
        return f"{kind}-{self._lane.id}"

    def _found(self, kind: str, level: Level, key: str, **values: Any) -> None:
        self._say(Finding(self._name(kind), level, key, values))

    def _there(self, kind: str) -> bool:
        status = self._status.get(kind)
        return status is not None and status.online

    # --- the devices

    async def _come_up(self) -> None:
        kinds = [kind for kind in LANE_DEVICES if getattr(self._lane, kind) is not None]
        try:
            async with asyncio.timeout(UP_S):
                while not all(self._there(kind) for kind in kinds):
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            pass  # who is missing is said below
        for kind in kinds:
            self._say(self._device(kind))

    def _device(self, kind: str) -> Finding:
        status, name = self._status.get(kind), self._name(kind)
        if status is None:
            return Finding(name, Level.ERROR, "device_silent", {"seconds": UP_S})
        if not status.online:
            return Finding(name, Level.ERROR, "device_bad", {"why": status.reason or "offline"})
        shown = status.flags & _SHOWN
        if flags := sorted(shown - {"rec_near_end"} if "rec_empty" in shown else shown):
            amiss = Level.ERROR if status.flags & _AMISS else Level.WARNING
            return Finding(name, amiss, "device_flags", {"flags": flags})
        return Finding(name, Level.OK, "reader_there" if kind == "reader" else "device_good")

    # --- paper

    async def _print(self) -> bool:
        printer, port = self._devices.printer, self._lane.printer
        if printer is None or port is None:
            return False
        if not self._there("printer"):
            self._found("printer", Level.SKIPPED, "skipped", why="not_there")
            return False
        loop = asyncio.get_running_loop()
        before = await printer.cut_counter()
        began = loop.time()
        result = await printer.print_job(f"doctor {self._code}", self._slip(port.columns), timeout_s=PRINT_S)
        ms = 1000 * (loop.time() - began)
        if result.state is JobState.UNKNOWN:
            result = await printer.resolve(result.job_id, before)
        if not result.printed:
            self._found("printer", Level.ERROR, "print_bad", why=result.reason or result.state.value)
            return False
        if port.cut_counter is not None and before == await printer.cut_counter():
            self._found("printer", Level.WARNING, "print_no_counter", ms=ms, number=port.cut_counter)
        else:
            self._found("printer", Level.OK, "print_good", ms=ms, evidence=result.evidence.value)
        return True

    def _slip(self, columns: int) -> Document:
        """With a line as wide as the paper: it wraps, or leaves a margin, when `columns` is wrong."""
        ruler = "".join(str(n % 10) for n in range(1, columns + 1))
        return Document((
            Text("動作確認 / Test", align="center", size="double", bold=True),
            Text("クーポンではありません / Not a coupon", align="center"),
            Rule(), Pair("日時 / Time", f"{self._now:%Y-%m-%d %H:%M}"), Pair("機器 / Agent", self._agent),
            Pair("レーン / Lane", self._lane.id), Text(ruler),
            Text("数字が1行なら良好 / One line: good", align="center"), Rule(),
            Qr(self._code), Text(self._code, align="center"),
        ))  # fmt: skip

    # --- people's hands

    async def _read(self, *, printed: bool) -> None:
        if not self._tried("reader"):
            return
        self._flush()
        key = "loop_ask_read" if printed else "loop_ask_read_shown"
        self._say(Prompt(self._name("reader"), key, self._patience_s, show="" if printed else self._code))
        began = asyncio.get_running_loop().time()
        saw = await self._await(lambda what: isinstance(what, Scan), self._patience_s)
        if saw is None:
            self._found("reader", Level.ERROR, "read_nothing", seconds=self._patience_s, noise=self._noise())
        elif saw.what.text != self._code:
            self._found("reader", Level.ERROR, "read_other", text=saw.what.text[:80])
        else:
            self._read_at = saw.t
            self._found("reader", Level.OK, "read_good", s=max(0.0, saw.t - began), count=len(self._code))

    def _noise(self) -> str:
        """What the reader's line brought that was no code: the mark of a wrong baud rate."""
        status = self._status.get("reader")
        bad = {key: count for key, count in (status.counters if status else {}).items() if count and key != "scans"}
        return f" ({', '.join(f'{key} {count}' for key, count in sorted(bad.items()))})" if bad else ""

    async def _type(self) -> None:
        if self._lane.keypad is None or not self._tried("keypad"):
            return
        digits = f"{secrets.randbelow(10_000):04}"
        self._flush()
        self._say(Prompt(self._name("keypad"), "loop_ask_type", self._patience_s, {"digits": digits}))
        saw = await self._await(lambda what: isinstance(what, str), self._patience_s)
        if saw is None:
            self._found("keypad", Level.ERROR, "type_nothing", seconds=self._patience_s)
        elif saw.what != digits:
            self._found("keypad", Level.ERROR, "type_other", typed=saw.what, digits=digits)
        else:
            self._found("keypad", Level.OK, "type_good", digits=digits)

    def _tried(self, kind: str) -> bool:
        """Whether a step that needs the device and somebody's hands can be tried; says so if not."""
        if self._there(kind) and self._hands:
            return True
        self._found(kind, Level.SKIPPED, "skipped", why="no_hands" if self._there(kind) else "not_there")
        return False

    # --- the gate

    async def _open(self) -> None:
        if self._devices.gate is None or not self._tried("gate"):
            return
        board, loop = self._devices.gate, asyncio.get_running_loop()
        if board.state is not GateState.CLOSED:
            await self._await(_of(gate.GateClosed), CLOSE_S)  # somebody has just left
        image = board.image
        command = ((image.seq if image is not None else 0) + BEYOND) % MAX_SEQ or 1
        self._flush()
        ordered = loop.time()
        result = await board.open_gate("exit", command, self._patience_s)
        if not result.taken:
            self._found("gate", Level.ERROR, "gate_refused", why=result.reason)
            return
        opened = await self._await(_of(gate.GateOpened), FLAPS_S)
        if opened is None:
            self._found("gate", Level.ERROR, "gate_stuck", seconds=FLAPS_S)
            return
        ms = 1000 * (opened.t - ordered)
        if self._read_at is None:
            self._found("gate", Level.OK, "gate_good", ms=ms)
        else:
            self._found("gate", Level.OK, "loop_good", ms=ms, scan_ms=1000 * (opened.t - self._read_at))
        self._say(Prompt(self._name("gate"), "loop_ask_pass", self._patience_s))
        await self._pass(opened.t)

    async def _pass(self, opened_at: float) -> None:
        went = await self._await(_of(gate.Passage, gate.NotPassed), self._patience_s + 1)
        if went is None or isinstance(went.what, gate.NotPassed):
            self._found("gate", Level.ERROR, "pass_nobody")
        elif went.what.direction != "exit":
            self._found("gate", Level.ERROR, "pass_wrong_way")
        else:
            self._found("gate", Level.OK, "pass_good", s=went.t - opened_at)
        since = went.t if went is not None else asyncio.get_running_loop().time()
        closed = await self._await(_of(gate.GateClosed), CLOSE_S)
        if closed is None:
            self._found("gate", Level.ERROR, "close_late", seconds=CLOSE_S)
        else:
            self._found("gate", Level.OK, "close_good", s=max(0.0, closed.t - since))

    # --- waiting

    def _flush(self) -> None:
        while not self._seen.empty():
            self._seen.get_nowait()

    async def _await(self, wanted: Callable[[Any], bool], seconds: float) -> _Saw | None:
        """The next thing that is wanted; None when it does not come in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    saw = await self._seen.get()
                    if wanted(saw.what):
                        return saw
        except TimeoutError:
            return None


def _of(*kinds: type[gate.GateEvent]) -> Callable[[Any], bool]:
    return lambda what: isinstance(what, kinds)
