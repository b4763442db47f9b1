"""What a detector is, and what comes out of it. No identity passes here: a detector knows what it noticed, never who that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from contract import payloads
from contract.payloads import Sighting, SightingKind
from delivery.engine import Tx
from devices.status import DeviceStatus

AT_ONCE = float("-inf")
"""`Detector.due`: there is work now."""
Zone = Literal["immediate", "near", "far", "unknown"]
Category = Literal["beacon_scanner", "scanner", "counter", "camera"]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that may stand for a customer came, moved or went. `what` as in `contract.payloads.Sighting.beacon`; `t`: when
    that was noticed (monotonic s)."""

    what: str
    event: SightingKind
    by: payloads.Detector
    t: float
    rssi_dbm: float | None = None
    distance_m: float | None = None
    zone: Zone = "unknown"


@dataclass(frozen=True, slots=True)
class Counted:
    """So many people passed the counter `device` between two moments (monotonic s). `totals`: what its display shows now."""

    device: str
    entered: int
    left: int
    since: float
    until: float
    totals: tuple[int, int]


Event = Noticed | Counted


class Driver(Protocol):
    """Hears the world until cancelled. If it has a `pulse` (`devices.pulse`), it is watched, and made anew when it hangs."""

    async def run(self) -> None: ...


Tell = Callable[[DeviceStatus], None]


class Detector(Protocol):
    """One detector of an agent."""

    name: str
    """Among the agent's devices."""
    category: Category

    def driver(self, wake: Callable[[], None], tell: Tell) -> Driver:
        """A new driver that fills this detector: at the start, and again whenever the last one failed or hung. Call `wake` when
        there is something new, `tell` when the device's state changes."""
        ...

    def step(self, now: float) -> Iterable[Event]:
        """What is known by now, monotonic s. Bounded work: some milliseconds at most. No I/O."""
        ...

    def due(self) -> float | None:
        """When to call `step` though nothing wakes: monotonic s, AT_ONCE, or None for never."""
        ...

    def counted(self) -> Mapping[str, int]:
        """What was dropped, refused and so on, for the device's counters."""
        ...


def send(event: Event, tx: Tx) -> None:
    """Tell the hub. Monotonic moments become the wall's time here."""
    if isinstance(event, Counted):
        tx.send("visitors_counted", _visitors(event, tx), device=event.device)
    else:
        tx.send("sighting", sighting(event, tx))


def sighting(event: Noticed, tx: Tx) -> Sighting:
    """The message of what was noticed. `heard` is the wall's time of the moment that led to it."""
    heard = tx.utc - timedelta(seconds=max(0.0, tx.now - event.t))
    return Sighting(beacon=event.what, event=event.event, detector=event.by, rssi_dbm=event.rssi_dbm,
                    distance_m=event.distance_m, zone=event.zone, heard=heard)  # fmt: skip


def _visitors(event: Counted, tx: Tx) -> payloads.VisitorsCounted:
    def wall(t: float) -> Any:
        return tx.utc - timedelta(seconds=max(0.0, tx.now - t))

    return payloads.VisitorsCounted(
        entered=event.entered, left=event.left, since=wall(event.since), until=wall(event.until)
    )
