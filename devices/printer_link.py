"""The line to a receipt printer: keeps the port, its heartbeat and its status. Knows no jobs.

Every poll asks DLE EOT 1 to 4 (answered at once, even offline), so that a dead printer shows within 2 s and a status
is right even where Automatic Status Back got lost; ASB tells changes at once in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from devices.errors import DeviceOffline
from devices.escpos_replies import AutoStatus, FlowControl, RealTimeStatus, Reply, ReplyParser
from devices.printer_settings import PrinterSettings
from devices.printer_status import (
    AUTO_STATUS_ON,
    REAL_TIME_QUERIES,
    Condition,
    from_auto_status,
    from_real_time,
    plausible,
    real_time_query,
)
from devices.pulse import Pulse
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

log = structlog.get_logger()

_CHUNK_BYTES = 512
_BITS_PER_BYTE = 10


class PrinterLink:
    """`on_reply` gets every reply that is not status. `on_change(condition)` is called after each change of it,
    `on_down(reason)` when the port is lost or the printer fell silent. All run in the event loop."""

    def __init__(
        self,
        path: str | Path,
        settings: PrinterSettings,
        *,
        on_reply: Callable[[Reply], None],
        on_change: Callable[[Condition], None],
        on_down: Callable[[str], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self.pulse = Pulse()
        self.condition = Condition()
        self.counters = {"port_losses": 0, "silences": 0}
        self._settings = settings
        self._on_reply, self._on_change, self._on_down, self._on_status = on_reply, on_change, on_down, on_status
        self._parser = ReplyParser()
        self._answer: asyncio.Future[int] | None = None
        self._power, self._reason = PowerState.UNKNOWN, "not opened yet"
        self._silent = False
        self._told: DeviceStatus | None = None
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._xoff_end: asyncio.TimerHandle | None = None
        self._wire_free_at = 0.0
        self._up = asyncio.Event()
        self._sending = asyncio.Lock()
        self._port = SerialPort(
            path,
            baud=settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            on_bytes=self._received,
        )

    @property
    def is_open(self) -> bool:
        return self._port.is_open

    @property
    def noise_bytes(self) -> int:
        return self._parser.noise_bytes

    @property
    def status(self) -> DeviceStatus:
        flags = self.condition.flags | ({"no_answer"} if self._silent else frozenset())
        counters = {**self.counters, "noise_bytes": self.noise_bytes, "unknown_blocks": self._parser.unknown_blocks}
        return DeviceStatus(self._power, frozenset(flags), self._reason, counters)

    def tell(self) -> None:
        """Report the status if it is not the one told last."""
        status = self.status
        if status != self._told:
            self._told = status
            self._on_status(status)

    async def run(self) -> None:
        """Until cancelled, which closes the port."""
        self.tell()
        keep = keep_open(self._port, on_up=self._opened, on_down=self._closed, on_round=lambda: self.pulse.beat("port"))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(keep, name=f"port {self._port.path}")
                tasks.create_task(self._heartbeat(), name=f"heartbeat {self._port.path}")
        finally:
            self._flow(True)

    async def send(self, data: bytes, *, starting: Callable[[], None] | None = None) -> None:
        """Write all of `data`, nothing of ours between; pauses while the printer says XOFF.

        Raises DeviceOffline. `starting()` is called just before the first byte: if it was not, nothing was sent.
        """
        async with self._sending:
            await self._may_send.wait()
            if not self._port.is_open:
                raise DeviceOffline(self._port.path, "not open")
            if starting is not None:
                starting()
            for at in range(0, len(data), _CHUNK_BYTES):
                await self._may_send.wait()
                self.pulse.touch("heartbeat")  # it waits for its turn behind this
                chunk = data[at : at + _CHUNK_BYTES]
                self._port.write(chunk)
                self._occupy_wire(len(chunk))
                await self._port.drain()

    def send_now(self, data: bytes) -> None:
        """A real-time command, past everything that waits. Raises DeviceOffline."""
        self._port.write(data)

    async def says_offline(self) -> bool:
        """What DLE EOT 1 answers now; False for silence."""
        try:
            bits = await self._ask(1)
        except DeviceOffline:
            return False
        return bits is not None and bool(from_real_time(Condition(), 1, bits).offline)

    def _occupy_wire(self, length: int) -> None:
        """Drained means that the system has the bytes, not that they left: replies come after the wire is free."""
        now = asyncio.get_running_loop().time()
        duration_s = length * _BITS_PER_BYTE / self._settings.baud
        self._wire_free_at = max(now, self._wire_free_at) + duration_s

    def _opened(self) -> None:
        self._parser.reset()
        self._flow(True)
        self._power, self._reason = PowerState.UNKNOWN, "waiting for the first answer"
        self._up.set()

    def _closed(self, error: DeviceOffline) -> None:
        if self._up.is_set():
            self.counters["port_losses"] += 1
        self._up.clear()
        self._silent = False
        self._power, self._reason = PowerState.OFF_OFFLINE, str(error)
        self._lost("port_lost")

    def _lost(self, reason: str) -> None:
        self.condition = Condition()
        self._on_down(reason)
        self.tell()

    def _received(self, data: bytes) -> None:
        for reply in self._parser.feed(data):
            match reply:
                case RealTimeStatus(bits):
                    if self._answer is not None and not self._answer.done():
                        self._answer.set_result(bits)
                case AutoStatus(four):
                    if (condition := from_auto_status(four)) is not None:
                        self._changed(condition)
                case FlowControl(may_send):
                    self._flow(may_send)
                case _:
                    self._wire_free_at = 0.0  # it answered what stood at the end of what was sent
                    self._on_reply(reply)

    def _flow(self, may_send: bool) -> None:
        if self._xoff_end is not None:
            self._xoff_end.cancel()
            self._xoff_end = None
        if may_send:
            self._may_send.set()
        else:
            self._may_send.clear()
            self._xoff_end = asyncio.get_running_loop().call_later(self._settings.xoff_limit_s, self._flow, True)

    def _changed(self, condition: Condition) -> bool:
        if condition == self.condition:
            return False
        self.condition = condition
        self._on_change(condition)
        self.tell()
        return True

    async def _heartbeat(self) -> None:
        while True:
            if not self._up.is_set():
                self.pulse.rest("heartbeat")
            await self._up.wait()
            self.pulse.beat("heartbeat")
            try:
                await self._poll()
            except DeviceOffline:
                pass  # the port's loss is told by keep_open
            await asyncio.sleep(self._settings.poll_s)

    async def _poll(self) -> None:
        bits = await self._ask(1)
        if bits is None:
            bits = await self._ask(1)  # one lost byte on the wire is not a dead printer
        if not self._up.is_set():
            return
        if bits is None:
            self._fell_silent()
            return
        news = self._answered()
        condition = from_real_time(self.condition, 1, bits)
        for n in REAL_TIME_QUERIES[1:]:
            bits = await self._ask(n)
            if bits is None or not plausible(n, bits):
                return
            condition = from_real_time(condition, n, bits)
        missed_by_asb = self._changed(condition)
        if (news or missed_by_asb) and not self.condition.obstacle:
            await self.send(AUTO_STATUS_ON)  # a power cycle has switched it off
        self.tell()

    async def _ask(self, n: int) -> int | None:
        """The answer to DLE EOT n, None for silence. Never inside data that is being sent: it would become data."""
        loop = asyncio.get_running_loop()
        await self._wire_free()
        async with self._sending:
            if not self._port.is_open:
                return None
            wait_s = self._settings.answer_s + max(0.0, self._wire_free_at - loop.time())
            self._answer = loop.create_future()
            self._port.write(real_time_query(n))
            try:
                async with asyncio.timeout(wait_s):
                    return await self._answer
            except TimeoutError:
                return None
            finally:
                self._answer = None

    async def _wire_free(self) -> None:
        """Until what was sent has left by the baud rate: asked behind it, an answer would seem late. Holds up no job."""
        loop = asyncio.get_running_loop()
        while (wait_s := self._wire_free_at - loop.time()) > 0:
            self.pulse.touch("heartbeat")
            await asyncio.sleep(min(wait_s, 1.0))

    def _answered(self) -> bool:
        news = self._silent or self._power is not PowerState.ONLINE
        if self._silent:
            log.info("printer answers again", path=self._port.path)
        self._silent = False
        self._power, self._reason = PowerState.ONLINE, ""
        return news

    def _fell_silent(self) -> None:
        if self._silent:
            return
        self._silent = True
        self.counters["silences"] += 1
        if self._power is PowerState.ONLINE:
            self._power = PowerState.OFF_OFFLINE
        self._reason = "the port is open and the printer does not answer: is it switched on?"
        log.warning("printer silent", path=self._port.path)
        self._lost("no_answer")
