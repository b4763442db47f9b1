"""An NFC module on a serial port (PN532): the text of whatever is held near, to a callback; reconnects by itself.

It is asked again and again for a card or a phone; what it finds is read (`devices.nfc_ndef`) and told once, until it was away for
`rearm_s` or another text came. A module that does not answer is woken up and set up anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.errors import BadFrame, DeviceError, DeviceOffline, NoAnswer
from devices.nfc_frames import ACK, WAKE_UP, Ack, Failed, FrameReader, Reply, frame
from devices.nfc_ndef import BadTag, Target, find_target, read_tag, text_of
from devices.pulse import Pulse
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["NfcReader", "NfcSettings"]

log = structlog.get_logger()

SAM_CONFIGURATION, RF_CONFIGURATION = 0x14, 0x32
IN_LIST_PASSIVE_TARGET, IN_DATA_EXCHANGE, IN_RELEASE = 0x4A, 0x40, 0x52
NORMAL_MODE = bytes((0x01, 0x14, 0x01))
FEW_RETRIES = bytes((0x05, 0xFF, 0x01, 0x02))
"""MaxRetries: it says after three tries, some 20 ms, that nothing is there, instead of never."""
ONE_TYPE_A = bytes((0x01, 0x00))
FAILURES = 3


@dataclass(frozen=True, slots=True)
class NfcSettings:
    """`poll_s`: between two looks. `answer_s`: how long the module may take for one."""

    baud: int = 115200
    poll_s: float = 0.15
    answer_s: float = 1.0
    rearm_s: float = 1.5


class NfcReader:
    """`run()` for ever. `on_text(text, t)` when something was read (`t` monotonic s); `on_status` when it comes or goes."""

    def __init__(
        self,
        path: str | Path,
        settings: NfcSettings,
        on_text: Callable[[str, float], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self.pulse = Pulse()
        self._settings, self._on_text, self._on_status = settings, on_text, on_status
        self._frames = FrameReader()
        self._came: asyncio.Queue[Ack | Reply | Failed] = asyncio.Queue(maxsize=64)
        self._up = asyncio.Event()
        self._failures = 0
        self._last, self._seen_at = "", float("-inf")
        self._told: DeviceStatus | None = None
        self._counters = dict.fromkeys(("read", "repeats", "bad_tags", "no_answer", "bad_replies", "port_losses"), 0)
        self._port = SerialPort(path, baud=settings.baud, on_bytes=self._bytes, on_lost=self._lost)

    async def run(self) -> None:
        """Look for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            kept = keep_open(
                self._port, on_up=self._up.set, on_down=self._down, on_round=lambda: self.pulse.beat("port")
            )
            group.create_task(kept, name="nfc port")
            group.create_task(self._look(), name="nfc polls")

    async def _look(self) -> None:
        ready = False
        while True:
            if not self._up.is_set():
                ready = False
                self.pulse.rest("polls")
            await self._up.wait()
            self.pulse.beat("polls")
            try:
                if not ready:
                    await self._set_up()
                    ready = True
                await self._once()
                self._worked()
            except DeviceOffline:
                continue  # told by `_down`
            except DeviceError as error:
                ready = not self._failed(error) and ready
            await asyncio.sleep(self._settings.poll_s)

    async def _set_up(self) -> None:
        self._port.write(WAKE_UP)
        await self._ask(SAM_CONFIGURATION, NORMAL_MODE)
        await self._ask(RF_CONFIGURATION, FEW_RETRIES)

    async def _once(self) -> None:
        """One look, and whatever it finds."""
        target = None
        try:
            target = find_target(await self._ask(IN_LIST_PASSIVE_TARGET, ONE_TYPE_A))
            if target is None:
                return
            self._found(await self._text(target))
        except BadTag as error:
            self._counters["bad_tags"] += 1
            log.debug("what was held near could not be read", path=self._port.path, why=str(error))
        if target is not None:
            await self._ask(IN_RELEASE, bytes((target[0],)))

    async def _text(self, target: Target) -> str:
        exchange = read_tag(target)
        command = next(exchange)
        while True:
            answer = await self._ask(IN_DATA_EXCHANGE, bytes((target[0],)) + command)
            try:
                command = exchange.send(_received(answer))
            except StopIteration as done:
                return text_of(done.value)

    def _found(self, text: str) -> None:
        now = time.monotonic()
        held = text == self._last and now - self._seen_at < self._settings.rearm_s
        self._last, self._seen_at = text, now
        if held:
            self._counters["repeats"] += 1
            return
        self._counters["read"] += 1
        try:
            self._on_text(text, now)
        except Exception:  # whatever the application does, the next one must still be read
            log.exception("what was held near was not handled", path=self._port.path)

    async def _ask(self, command: int, data: bytes) -> bytes:
        """One command and its answer. Raises DeviceOffline, NoAnswer, BadFrame."""
        while not self._came.empty():
            self._came.get_nowait()
        self._frames.reset()
        self._port.write(frame(command, data))
        try:
            async with asyncio.timeout(self._settings.answer_s):
                if not isinstance(await self._came.get(), Ack):
                    raise BadFrame("an answer before the acknowledgement")
                reply = await self._came.get()
        except TimeoutError:
            if not self._up.is_set():
                raise DeviceOffline(self._port.path, "lost") from None
            self._port.write(ACK)  # ends whatever it still does
            raise NoAnswer(self._port.path, self._settings.answer_s, f"command {command:02x}") from None
        if not isinstance(reply, Reply) or reply.code != command + 1:
            raise BadFrame(f"no answer to command {command:02x}: {reply}")
        return reply.data

    def _bytes(self, data: bytes) -> None:
        for each in self._frames.feed(data):
            if not self._came.full():
                self._came.put_nowait(each)

    def _worked(self) -> None:
        self._failures = 0
        self._tell(PowerState.ONLINE)

    def _failed(self, error: DeviceError) -> bool:
        """Whether it has to be set up anew."""
        self._counters["no_answer" if isinstance(error, NoAnswer) else "bad_replies"] += 1
        self._failures += 1
        if self._failures == FAILURES:
            log.warning("the NFC module does not answer", path=self._port.path, reason=str(error))
        if self._failures >= FAILURES or self._told is None:
            self._tell(PowerState.OFF_OFFLINE, str(error), frozenset({"no_answer"}))
        return self._failures >= FAILURES

    def _lost(self, error: DeviceOffline) -> None:
        self._counters["port_losses"] += 1
        self._down(error)

    def _down(self, error: DeviceOffline) -> None:
        self._up.clear()
        self._failures = 0
        self._tell(PowerState.OFF_OFFLINE, str(error))

    def _tell(self, power: PowerState, reason: str = "", flags: frozenset[str] = frozenset()) -> None:
        before, counters = self._told, {**self._counters, **self._frames.counters}
        same = before is not None and (before.power, before.reason, before.flags) == (power, reason, flags)
        if same and before is not None and before.counters.get("read") == counters["read"]:
            return  # frames alone are not worth a message
        self._told = DeviceStatus(power, flags, reason, counters)
        self._on_status(self._told)


def _received(answer: bytes) -> bytes:
    """What the tag said, after the module's own status. Raises BadTag."""
    if not answer or answer[0] & 0x3F:  # out of the field, bad parity …
        raise BadTag("it was taken away")
    return answer[1:]
