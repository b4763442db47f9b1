"""An agent that is cut off for 72 hours, played on its real engine and real SQLite files with time as an argument.

`python -m tests.operations.absence_spool FOLDER PER_S HOURS` plays one rate in this process and prints a JSON line: the memory is
that of a process which holds nothing else. `tests.operations.absence` runs it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import edge.agent  # noqa: F401  # what an agent has in memory besides its spool
from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from contract.payloads import LaneOpened, LanePassage, LaneScan, Sighting, SightingKind
from delivery.clock import Clock
from delivery.engine import Engine, Tx
from delivery.journal import Journal
from edge.store import MIGRATIONS
from tests.edge.lane_bench import exit_code

STORE = "s1"
AGENT, HUB = Principal(Role.AGENT, "exit"), Principal(Role.HUB, "main")
DAY_S, OPEN_S = 24 * 3600, 12 * 3600
CUSTOMERS_A_DAY = 500
"""Each goes out through a lane of this agent: a scan, an opening, a passage."""
BUSY_PER_S = CUSTOMERS_A_DAY * 22 / 0.7 / OPEN_S
"""In opening hours, at one agent: 500 customers arrive, leave, and change their zone 20 times (half an hour, every 90 s); three
events in ten are of strangers' beacons (`bench.events`). 0.36 a second."""
CROWDED_PER_S = 10.0
"""Far more: 28 times that."""
AT_ONCE = 50
STARTED = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT_BYTES = 256 * 1024 * 1024
PROGRESS_EVERY_S = 5.0


@dataclass
class Played:
    """What came of it. Sightings that were not yet on disk when the power went (a second's worth) are `unsynced`."""

    per_s: float
    hours: float
    sightings: int = 0
    critical: int = 0
    restarts: int = 0
    unsynced: int = 0
    dropped: int = 0
    waiting: int = 0
    file_bytes_max: int = 0
    rss_bytes_max: int = 0
    rss_start_bytes: int = 0
    received: int = 0
    critical_received: int = 0
    declared: int = 0
    faults: list[str] = field(default_factory=list)


class _Now:
    def __init__(self) -> None:
        self.s = 1000.0
        self.clock = Clock(monotonic=lambda: self.s, utc=lambda: STARTED + timedelta(seconds=self.s))


class Absence:
    """One agent without a broker, from start to start."""

    def __init__(self, folder: Path, played: Played) -> None:
        self.path, self.played, self.now = folder / "exit.db", played, _Now()
        self._gone: set[int] = set()
        """Sightings that never reached the disk."""
        self._last: set[int] = set()
        """The last that did, of each former life: kept whatever is dropped, because it declares that."""
        self._life = 0
        """Sightings of the lives before this one."""
        self._open()
        played.rss_start_bytes = played.rss_bytes_max = _rss_bytes()

    def _open(self) -> None:
        self.journal = Journal(self.path, MIGRATIONS)
        self.engine = Engine(self.journal, AGENT, STORE, lambda _message, _tx: None, clock=self.now.clock)

    def play(self, per_s: float, hours: float, restarts: tuple[float, ...]) -> None:
        """Opening hours of twelve in each day; power cuts at these hours."""
        cuts = [hour * 3600 for hour in restarts]
        due = customers = 0.0
        told = time.monotonic()
        for second in range(int(hours * 3600)):
            self.now.s += 1.0
            if second % DAY_S < OPEN_S:
                due += per_s
                customers += CUSTOMERS_A_DAY / OPEN_S
            while due >= 1:
                count = min(AT_ONCE, int(due))
                due -= count
                self.sight(count)
            if customers >= 1:
                customers -= 1
                self.leave()
            self.look(second)
            if time.monotonic() - told > PROGRESS_EVERY_S:
                told = time.monotonic()
                _say(f"hour {second / 3600:.1f} of {hours:g}, {self.played.sightings:,} sightings made")
            if cuts and second >= cuts[0]:
                cuts.pop(0)
                self.cut()
            deadline = self.engine.next_deadline()
            if deadline is not None and deadline <= self.now.s:
                self.engine.poll()
        self.engine.flush()
        self.look(0)

    def sight(self, count: int) -> None:
        with self.engine.transaction() as tx:
            for _ in range(count):
                self.played.sightings += 1
                tx.send("sighting", _sighting(self.played.sightings))

    def leave(self) -> None:
        with self.engine.transaction() as tx:
            name = f"c{self.played.critical}"
            scan = tx.send("lane_scan", LaneScan(code_id=name, sale=name, code=_CODE, scanned=tx.utc), lane="1")
            tx.send("lane_opened", LaneOpened(scan=scan, command=1), lane="1")
            tx.send("lane_passage", LanePassage(scan=scan, outcome="passed"), lane="1")
        self.played.critical += 3

    def cut(self) -> None:
        """The power goes: what is not yet on disk is gone, and a new life begins."""
        played = self.played
        newest = "SELECT max(seq) FROM outbox WHERE stream = 'sighting' AND epoch = ?"
        saved = self.journal.db.execute(newest, (self.engine.epoch,)).fetchone()[0] or 0
        gone = range(self._life + saved + 1, played.sightings + 1)
        self._gone |= set(gone)
        self._last.add(self._life + saved)
        self._life, played.unsynced = played.sightings, len(self._gone)
        expected = self.engine.unacknowledged() - len(gone)
        played.dropped += self.engine.counters["dropped_sightings"]
        played.restarts += 1
        self.journal.close()
        self._open()
        played.dropped -= (
            self.engine.unacknowledged() - expected
        )  # dropped within the last second: they are on disk still

    def look(self, second: int) -> None:
        if second % 300 == 0:
            played = self.played
            size = sum(file.stat().st_size for file in self.path.parent.glob("exit.db*"))
            played.file_bytes_max = max(played.file_bytes_max, size)
            played.rss_bytes_max = max(played.rss_bytes_max, _rss_bytes())

    def end(self) -> set[int]:
        """Counts what is left; returns the sightings that a hub must still be given."""
        played = self.played
        played.dropped += self.engine.counters["dropped_sightings"]
        played.waiting = self.engine.unacknowledged()
        held = [n for n in range(1, played.sightings + 1) if n not in self._gone and n not in self._last]
        return {*held[played.dropped :], *self._last}

    def close(self) -> None:
        self.journal.close()


class Hub:
    """The engine of a hub on a file of its own, which notes what it was told and in which order."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.journal = Journal(folder / "hub.db")
        self.engine = Engine(self.journal, HUB, STORE, self._handle, clock=clock)
        self.sightings: list[int] = []
        self.critical: list[str] = []
        self.last: dict[str, datetime] = {}
        self.out_of_order = 0

    def _handle(self, message: Message, _tx: Tx) -> None:
        data = message.data
        if isinstance(data, Sighting):
            self.out_of_order += self.last.get(data.beacon, STARTED) >= data.heard
            self.last[data.beacon] = data.heard
            self.sightings.append((data.heard - STARTED) // timedelta(microseconds=1))
        else:
            self.critical.append(message.id)


def drain(absence: Absence, hub: Hub) -> None:
    """The connection is back: over a network that loses nothing."""
    now, agent = absence.now, absence.engine
    agent.link_up()
    hub.engine.link_up()
    told = time.monotonic()
    while left := agent.unacknowledged():
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            _say(f"connected again, {left:,} still wait")
        now.s += 0.01
        for sender, receiver in ((agent, hub.engine), (hub.engine, agent)):
            found = [(p.topic, p.payload) for p in sender.poll()]
            if found:
                receiver.receive(found)
    while (deadline := agent.next_deadline()) is not None:  # what is acknowledged leaves the disk
        now.s = max(now.s, deadline)
        agent.poll()
    absence.look(0)


def run(folder: Path, per_s: float, hours: float, restarts: tuple[float, ...]) -> Played:
    played = Played(per_s, hours)
    absence = Absence(folder, played)
    try:
        absence.play(per_s, hours, restarts)
        expected = absence.end()
        hub = Hub(folder, absence.now.clock)
        try:
            drain(absence, hub)
        finally:
            hub.journal.close()
        rows = absence.journal.db.execute("SELECT count(*) FROM outbox").fetchone()[0]
    finally:
        absence.close()
    played.received, played.critical_received = len(hub.sightings), len(hub.critical)
    played.declared = hub.engine.counters["declared_lost"]
    played.faults = list(_faults(played, hub, expected, rows))
    return played


def _faults(played: Played, hub: Hub, expected: set[int], rows: int) -> Iterator[str]:
    if rows:
        yield f"{rows} messages are still in the file"
    if hub.out_of_order or hub.sightings != sorted(set(hub.sightings)):
        yield f"out of order: {hub.out_of_order} of their device"
    if set(hub.sightings) != expected:
        yield f"not the newest: {len(expected - set(hub.sightings))} missing, {len(set(hub.sightings) - expected)} too many"
    if len(set(hub.critical)) != played.critical or len(hub.critical) != played.critical:
        yield f"{played.critical} critical messages were written, {len(hub.critical)} arrived"
    if played.received + played.dropped + played.unsynced != played.sightings:
        yield "the books of sightings do not balance"
    if played.declared != played.dropped:
        yield f"{played.dropped} were dropped, {played.declared} declared to the hub"


def _sighting(number: int) -> Sighting:
    """Its time is its number, so that whoever receives it sees the order."""
    heard = STARTED + timedelta(microseconds=number)
    whose = f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:{number % 700 >> 8}:{number % 700}"
    kind = (SightingKind.ARRIVED, SightingKind.MOVED, SightingKind.MOVED, SightingKind.LEFT)[number // 700 % 4]
    if kind is SightingKind.LEFT:
        return Sighting(beacon=whose, event=kind, heard=heard)
    return Sighting(beacon=whose, event=kind, rssi_dbm=-61, distance_m=2.437, zone="near", heard=heard)


def _say(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)


def _rss_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError


_CODE = exit_code(store=STORE)

if __name__ == "__main__":
    hours_given = float(sys.argv[3])
    print(
        json.dumps(
            asdict(run(Path(sys.argv[1]), float(sys.argv[2]), hours_given, (hours_given / 3, hours_given * 2 / 3)))
        )
    )
