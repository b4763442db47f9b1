"""Bluetooth beacons: advertisements in, presence out. The scanner is `devices.beacon_scanner`, the thinking `edge.presence`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from config.edge_settings import BeaconSettings
from contract.payloads import Detector, SightingKind
from devices.beacon_scanner import Advert, BeaconScanner
from edge.detectors.detector import AT_ONCE, Category, Noticed, Tell
from edge.presence import Arrived, Event, Left, Presence, PresenceSettings

ADVERTS_MAX = 10_000
"""Advertisements waiting for a turn of the loop: seconds of the fullest radio. More are dropped and counted."""
SLICE = 128
"""Advertisements in one turn of the loop, some 2 ms: lanes have work in it too."""
NAME = "beacons"

MakeScanner = Callable[[Callable[[Advert], None], Tell], BeaconScanner]


class Bluetooth:
    """`on_advert` only enqueues: it is called from the radio library, which swallows what it raises."""

    name = NAME
    category: Category = "beacon_scanner"

    def __init__(self, settings: BeaconSettings, make_scanner: MakeScanner) -> None:
        self._heartbeat = settings.heartbeat
        self._make_scanner = make_scanner
        self.presence = Presence(
            PresenceSettings(enter_rssi_dbm=settings.enter_rssi_dbm, silence_min_s=settings.leave_after_s)
        )
        self.dropped = 0
        self._adverts: deque[Advert] = deque()
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something new."""

    def driver(self, wake: Callable[[], None], tell: Tell) -> BeaconScanner:
        self.wake = wake
        return self._make_scanner(self.on_advert, tell)

    def on_advert(self, advert: Advert) -> None:
        """One advertisement. The store's own heartbeat beacon is nobody's."""
        if advert.beacon_id == self._heartbeat:
            return
        if len(self._adverts) >= ADVERTS_MAX:
            self.dropped += 1
            return
        self._adverts.append(advert)
        self.wake()

    def step(self, now: float) -> Iterable[Noticed]:
        events: list[Event] = []
        for _ in range(min(SLICE, len(self._adverts))):
            advert = self._adverts.popleft()
            events += self.presence.advert(advert.beacon_id, advert.rssi_dbm, advert.measured_power_dbm, advert.t)
        events += self.presence.tick(now)
        return map(noticed, events)

    def due(self) -> float | None:
        return AT_ONCE if self._adverts else self.presence.next_deadline()

    def counted(self) -> Mapping[str, int]:
        return {"dropped_adverts": self.dropped}


def noticed(event: Event) -> Noticed:
    """What a presence event says. Somebody who left did so when she was heard last."""
    if isinstance(event, Left):
        return Noticed(event.beacon_id, SightingKind.LEFT, Detector.BEACON, event.last_seen)
    kind = SightingKind.ARRIVED if isinstance(event, Arrived) else SightingKind.MOVED
    return Noticed(event.beacon_id, kind, Detector.BEACON, event.t, event.rssi_dbm, min(1000.0, event.distance_m),
                   event.zone.value)  # fmt: skip
