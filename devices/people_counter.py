"""A people counter on a serial port: what its two counters show, again and again, to a callback; reconnects by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.errors import BadFrame, DeviceError, DeviceOffline, NoAnswer
from devices.people_counter_frames import Replies, Reply, command
from devices.pulse import Pulse
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["CounterSettings", "PeopleCounter"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CounterSettings:
    """As set in the module. `poll_s`: how often it is read; it counts by itself in between."""

    baud: int = 9600
    address: int = 1
    poll_s: float = 1.0
    answer_s: float = 0.5
    """A module answers within some 5 ms."""
    failures: int = 3
    """So many questions in a row without an answer, and the module is gone."""


class PeopleCounter:
    """`run()` for ever. `on_totals(entered, left, t)` for each reading of both counters (`t` monotonic s).

    Counters: readings, no_answer, bad_replies, refused, port_losses.
    """

    def __init__(
        self,
        path: str | Path,
        settings: CounterSettings,
        on_totals: Callable[[int, int, float], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self.pulse = Pulse()
        self._settings, self._on_totals, self._on_status = settings, on_totals, on_status
        self._questions = [command(settings.address, counter) for counter in (0, 1)]
        self._replies = Replies()
        self._reply: asyncio.Future[int] | None = None
        self._up = asyncio.Event()
        self._failures = 0
        self._told: DeviceStatus | None = None
        self._counters = dict.fromkeys(("readings", "no_answer", "bad_replies", "refused", "port_losses"), 0)
        self._port = SerialPort(path, baud=settings.baud, on_bytes=self._bytes, on_lost=self._lost)

    async def run(self) -> None:
        """Read for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            kept = keep_open(
                self._port, on_up=self._opened, on_down=self._down, on_round=lambda: self.pulse.beat("port")
            )
            group.create_task(kept, name="counter port")
            group.create_task(self._poll(), name="counter poll")

    async def _poll(self) -> None:
        while True:
            self.pulse.rest("poll")
            await self._up.wait()
            self.pulse.beat("poll")
            try:
                entered, left = [await self._ask(question) for question in self._questions]
            except DeviceOffline:
                continue  # told by `_down`
            except DeviceError as error:
                self._failed(error)
            else:
                self._read(entered, left)
            await asyncio.sleep(self._settings.poll_s)

    async def _ask(self, question: bytes) -> int:
        self._replies.reset()
        self._reply = asyncio.get_running_loop().create_future()
        try:
            self._port.write(question)
            async with asyncio.timeout(self._settings.answer_s):
                return await self._reply
        except TimeoutError:
            raise NoAnswer(self._port.path, self._settings.answer_s, question.decode("ascii").strip()) from None
        finally:
            self._reply = None

    def _bytes(self, data: bytes) -> None:
        for found in self._replies.feed(data):
            waiting = self._reply
            if waiting is None or waiting.done():
                self._counters["bad_replies"] += 1  # nobody asked
            elif isinstance(found, Reply):
                waiting.set_result(found.value)
            else:
                waiting.set_exception(found)

    def _read(self, entered: int, left: int) -> None:
        self._failures = 0
        self._counters["readings"] += 1
        self._tell(PowerState.ONLINE)
        try:
            self._on_totals(entered, left, time.monotonic())
        except Exception:  # whatever the application does, the next reading must still be taken
            log.exception("a reading was not handled", path=self._port.path)

    def _failed(self, error: DeviceError) -> None:
        kind = {NoAnswer: "no_answer", BadFrame: "bad_replies"}.get(type(error), "refused")
        self._counters[kind] += 1
        self._failures += 1
        if self._failures == self._settings.failures or self._told is None:
            log.warning("people counter does not answer", path=self._port.path, reason=str(error))
        if self._failures >= self._settings.failures:
            self._tell(PowerState.OFF_OFFLINE, str(error), frozenset({"no_answer"}))

    def _opened(self) -> None:
        self._failures = 0
        self._up.set()

    def _lost(self, error: DeviceOffline) -> None:
        self._counters["port_losses"] += 1
        self._down(error)

    def _down(self, error: DeviceOffline) -> None:
        self._up.clear()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self._tell(PowerState.OFF_OFFLINE, str(error))

    def _tell(self, power: PowerState, reason: str = "", flags: frozenset[str] = frozenset()) -> None:
        before = self._told
        same = before is not None and (before.power, before.reason, before.flags) == (power, reason, flags)
        if not same or self._counters["readings"] % 10 == 0:  # counters alone are not worth a message each second
            status = DeviceStatus(power, flags, reason, dict(self._counters))
            if status != before:
                self._told = status
                self._on_status(status)
