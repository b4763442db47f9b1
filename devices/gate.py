"""A flapper gate: polled every 20 ms, opened at most once per command number, reconnects by itself."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from devices.errors import BadFrame, DeviceError, DeviceOffline, DeviceRefused, NoAnswer
from devices.gate_bus import ModbusBus
from devices.gate_core import GateCore
from devices.gate_events import GateEvent
from devices.gate_map import BoardState, Command, Direction, GateCounters, GateImage, Verdict, command_block, is_newer
from devices.gate_states import GateState
from devices.pulse import Pulse
from devices.serial_port import keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["CommandResult", "Gate", "GateSettings"]

log = structlog.get_logger()

#: Commands that wait their turn; a lane has one at a time, so more is a fault of the caller.
WAITING_LIMIT = 8
COUNTERS_EVERY_S = 5.0

_REFUSALS = {
    Verdict.BUSY: "another person is still to pass",
    Verdict.FAULT: "the gate reports a fault",
    Verdict.UNKNOWN_COMMAND: "the board knows no such command",
}


@dataclass(frozen=True, slots=True)
class GateSettings:
    """`reply_s`: how long a reply may take. `silent_s`: without an answer so long, the board is offline."""

    baud: int = 115200
    parity: str = "N"
    stopbits: int = 1
    poll_s: float = 0.02
    reply_s: float = 0.1
    silent_s: float = 1.0
    command_s: float = 2.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """accepted: the board took it. duplicate: it had taken this number before, nothing was done again. refused: it did
    nothing, `reason` says why. unknown: it may or may not have; ask again with the same number when it is back."""

    outcome: Literal["accepted", "duplicate", "refused", "unknown"]
    reason: str = ""

    @property
    def taken(self) -> bool:
        return self.outcome in ("accepted", "duplicate")


@dataclass(slots=True)
class _Order:
    seq: int
    block: list[int]
    result: asyncio.Future[CommandResult]
    sent: bool = False


class Gate:
    """`run()` for ever. Events to `on_event`, status to `on_status`, both in the event loop; they must not block.

    `known`: counters of the last image that was acted on, so that passages while nobody read are told (`missed=True`).
    `on_wire_open(t)`: when the bytes of an open were handed to the wire (seconds, monotonic), each time if sent again.
    """

    def __init__(
        self,
        path: str | Path,
        settings: GateSettings,
        on_event: Callable[[GateEvent], None],
        on_status: Callable[[DeviceStatus], None],
        *,
        known: GateCounters | None = None,
        on_wire_open: Callable[[float], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_event, self._on_status = on_event, on_status
        self.pulse = Pulse()
        self._core = GateCore(known)
        self._bus = ModbusBus(
            path,
            baud=settings.baud,
            parity=settings.parity,
            stopbits=settings.stopbits,
            reply_s=settings.reply_s,
            on_lost=self._down,
            on_command=on_wire_open,
        )
        self._orders: deque[_Order] = deque()
        self._wake = asyncio.Event()
        self._up = asyncio.Event()
        self._answered_at = 0.0
        self._offline_because = "not connected yet"
        self._silence_logged = False
        self._counters = dict.fromkeys(("lost_replies", "bad_frames", "commands", "resent", "port_losses"), 0)
        self._told: DeviceStatus | None = None
        self._told_at = 0.0

    @property
    def state(self) -> GateState:
        return self._core.state

    @property
    def image(self) -> GateImage | None:
        """The board's last image; None while offline."""
        return self._core.image

    @property
    def counters(self) -> GateCounters | None:
        """To keep on disk, and to give as `known` after a restart."""
        return self._core.counters

    async def run(self) -> None:
        """Poll and carry out commands for ever; cancel to end."""
        try:
            async with asyncio.TaskGroup() as group:
                kept = keep_open(
                    self._bus, on_up=self._port_up, on_down=self._down, on_round=lambda: self.pulse.beat("port")
                )
                group.create_task(kept, name="gate port")
                group.create_task(self._serve(), name="gate polls")
        finally:
            self._up.clear()
            self._give_up("the gate's driver was stopped")

    async def open_gate(self, direction: Direction, command_seq: int, ttl_s: float) -> CommandResult:
        """Let one person through. `command_seq` 1 to 2^32-1, greater than all before; the same one never opens twice.

        `ttl_s` 0.1 to 600: how long the gate waits for the passage. Raises `ValueError` for values out of range.
        """
        command = Command.OPEN_EXIT if direction == "exit" else Command.OPEN_ENTRY
        return await self._order(command_seq, command_block(command_seq, command, ttl_s))

    async def close_gate(self, command_seq: int) -> CommandResult:
        """Close now, unless somebody is in the way. `command_seq` as for `open_gate`."""
        return await self._order(command_seq, command_block(command_seq, Command.CLOSE))

    async def _order(self, seq: int, block: list[int]) -> CommandResult:
        if not self._up.is_set():
            return CommandResult("refused", f"the gate is offline: {self._offline_because}")
        if len(self._orders) >= WAITING_LIMIT:
            return CommandResult("refused", f"{WAITING_LIMIT} commands wait already")
        order = _Order(seq, block, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        self._wake.set()
        return await order.result

    async def _serve(self) -> None:
        next_poll = 0.0
        while True:
            if not self._up.is_set():
                self.pulse.rest("polls")
            await self._up.wait()
            self.pulse.beat("polls")
            try:
                async with asyncio.timeout_at(max(next_poll, time.monotonic())):
                    await self._wake.wait()
            except TimeoutError:
                pass  # time to poll
            self._wake.clear()
            while self._orders and self._up.is_set():
                await self._carry_out(self._orders[0])
                self._orders.popleft()
            next_poll = time.monotonic() + self._settings.poll_s
            await self._poll()

    async def _carry_out(self, order: _Order) -> None:
        """One command to its end. Written, read back, and written again only if the board does not have it."""
        if order.result.done():
            return
        self._counters["commands"] += 1
        end = time.monotonic() + self._settings.command_s
        result = None
        while self._core.image is None and time.monotonic() < end and self._up.is_set():
            await self._poll()  # just reconnected: first learn whether the board has it already
        image = self._core.image
        before = _judge(image, order) if image is not None else None
        if before is not None:
            result = CommandResult("duplicate") if before.outcome == "accepted" else before
        while image is not None and result is None and time.monotonic() < end and self._up.is_set():
            result = await self._attempt(order, end)
        if not order.result.done():
            order.result.set_result(result or self._unresolved(order))

    async def _attempt(self, order: _Order, end: float) -> CommandResult | None:
        """Write once, then read until the board says whether it has it. None: it has not."""
        refused = ""
        try:
            self._counters["resent"] += order.sent
            order.sent = True
            await self._bus.write_command(order.block)
        except DeviceRefused as error:
            refused = str(error)
        except (NoAnswer, BadFrame):
            self._counters["lost_replies"] += 1
        except DeviceOffline:
            return None
        while self._up.is_set():
            if await self._poll():
                image = self._core.image
                found = _judge(image, order) if image is not None else None
                return found or (CommandResult("refused", refused) if refused else None)
            if time.monotonic() >= end:
                break
        return None

    def _unresolved(self, order: _Order) -> CommandResult:
        why = self._offline_because if not self._up.is_set() else "the board does not answer"
        return CommandResult("unknown" if order.sent else "refused", why)

    async def _poll(self) -> bool:
        """Read the image once; whether it came."""
        self.pulse.beat("polls")
        try:
            image = await self._bus.read_image()
        except DeviceOffline:
            return False
        except DeviceError as error:
            self._counters["lost_replies" if isinstance(error, NoAnswer) else "bad_frames"] += 1
            self._silent(error)
            return False
        if not self._bus.is_open:
            return False
        self._answered_at = time.monotonic()
        if self._silence_logged:
            self._silence_logged = False
            log.info("gate answers again", path=self._bus.path)
        for event in self._core.update(image, self._answered_at):
            try:
                self._on_event(event)
            except Exception:  # whatever the application does, the gate must still be watched
                log.exception("a gate event was not handled", event_=event)
        self._tell(PowerState.ONLINE, _flags(image), f"fault code {image.fault}" if image.fault else "")
        return True

    def _port_up(self) -> None:
        self._answered_at = time.monotonic()
        self._up.set()

    def _silent(self, error: DeviceError) -> None:
        """The port is there and the board is not: offline after a second, so that a damaged reply or two is no loss."""
        if time.monotonic() - self._answered_at < self._settings.silent_s:
            return
        if not self._silence_logged:
            self._silence_logged = True
            log.warning("gate does not answer", path=self._bus.path, error=str(error))
        self._offline_because = str(error)
        self._core.offline()
        self._tell(PowerState.OFF_OFFLINE, frozenset({"no_answer"}), str(error))

    def _down(self, error: DeviceOffline) -> None:
        self._counters["port_losses"] += self._up.is_set()
        self._up.clear()
        self._offline_because = str(error)
        self._core.offline()
        self._give_up("")
        self._tell(PowerState.OFF_OFFLINE, frozenset(), str(error))

    def _give_up(self, why: str) -> None:
        """Answer the commands that wait; the one under way is answered by whom carries it out, unless all stops."""
        for order in self._orders:
            if not order.result.done() and (why or not order.sent):
                order.result.set_result(
                    CommandResult("unknown" if order.sent else "refused", why or self._offline_because)
                )

    def _tell(self, power: PowerState, flags: frozenset[str], reason: str) -> None:
        now = time.monotonic()
        told = self._told
        same = told is not None and (told.power, told.flags, told.reason) == (power, flags, reason)
        if same and (now - self._told_at < COUNTERS_EVERY_S or (told is not None and told.counters == self._counters)):
            return
        self._told, self._told_at = DeviceStatus(power, flags, reason, dict(self._counters)), now
        self._on_status(self._told)


def _judge(image: GateImage, order: _Order) -> CommandResult | None:
    """What the board did with `order`, by its image. None: it does not have it (yet)."""
    if order.seq == image.opening_seq:
        return CommandResult("accepted")
    if order.seq == image.seq:
        if image.verdict is Verdict.ACCEPTED:
            return CommandResult("accepted")
        return CommandResult("refused", _REFUSALS.get(image.verdict, "the board gives no reason"))
    if not is_newer(order.seq, image.seq):
        return CommandResult("refused", f"command {order.seq} is older than {image.seq}, which the board has taken")
    return None


def _flags(image: GateImage) -> frozenset[str]:
    """UnifiedPOS GateStatus, and our own alarms beside it."""
    flags = {
        "gate_closed": image.state is BoardState.CLOSED,
        "gate_open": image.state not in (BoardState.CLOSED, BoardState.FAULT),
        "gate_blocked": image.obstacle,
        "gate_malfunction": image.fault != 0,
        "fire_alarm": image.fire,
        "mains_lost": image.mains_lost,
    }
    return frozenset(name for name, on in flags.items() if on)
