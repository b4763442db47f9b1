"""Long absence: `python -m tests.operations.absence [--only spool|drain|agents] [--short] [--json]`.

- `spool`: 72 hours without a broker, on the real engine and real SQLite files with time as an argument, at a busy store's rate and
  at 28 times that: size of file and memory, order, what is dropped and whether the hub is told.
- `drain`: an agent comes back with 100,000 sightings and 1,500 exits, while customers go out and come in: real processes.
- `agents`: a hundred agents come back at once, with 2,000 sightings each.

Where other programs take the processors too, `--first` (as root) gives this terminal's programs ten times their share.

The last line is a JSON object of all figures. The exit code is 0 only if every limit holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench.measure import machine, percentile, quiet
from tests.operations import absence_agents, absence_drain
from tests.operations.absence_agents import Returned
from tests.operations.absence_drain import BACK, DOOR, Drained
from tests.operations.absence_spool import BUSY_PER_S, CROWDED_PER_S, LIMIT_BYTES, Played
from tests.operations.limits import Limit

SCAN_MS, DRAIN_S, DRAIN_EVENTS = 100.0, 60.0, 100_000
DECIDE_MS = 2000.0
"""A lane's patience, as shipped: then it opens by itself."""
ATTEMPTS_SHARE = 0.5
"""Of the agents try to connect in one second, at most."""
DUPLICATES_SHARE = 0.02
MB = 1024 * 1024

SPOOL = {"busy store": (BUSY_PER_S, 72.0), "28 times that": (CROWDED_PER_S, 72.0)}
SPOOL_SHORT = {"100 a second": (100.0, 1.0)}

say = Console(stderr=True).print


def _more(what: str) -> None:
    say(f"  {what}")


def summary(ms: list[float]) -> dict[str, float]:
    """Of milliseconds; empty of nothing."""
    if not ms:
        return {"n": 0}
    return {
        "n": len(ms),
        "p50": round(percentile(ms, 0.5), 1),
        "p99": round(percentile(ms, 0.99), 1),
        "max": round(max(ms), 1),
    }


# --- spool


def spool(name: str, per_s: float, hours: float) -> Played:
    """In a process of its own, because memory is measured."""
    say(f"{name}: {per_s:.3g} sightings a second in opening hours, {hours:g} hours …")
    Path("run").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="absence-", dir="run") as folder:
        command = [sys.executable, "-m", "tests.operations.absence_spool", folder, str(per_s), str(hours)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Played(**json.loads(done.stdout.splitlines()[-1]))


def spool_limits(name: str, played: Played) -> Iterator[Limit]:
    yield Limit(f"{name}: file and its log, MB", played.file_bytes_max / MB, LIMIT_BYTES / MB)
    yield Limit(f"{name}: memory of the agent, MB", played.rss_bytes_max / MB, LIMIT_BYTES / MB)
    yield Limit(f"{name}: critical messages lost", played.critical - played.critical_received, 0)
    yield Limit(f"{name}: dropped sightings that were not declared", played.dropped - played.declared, 0)
    yield Limit(f"{name}: faults {'; '.join(played.faults)}", len(played.faults), 0)


# --- drain


def drain_figures(found: Drained) -> dict[str, Any]:
    return {
        "sightings": found.backlog,
        "exits": found.exits,
        "drained_s": round(found.drained_s, 1),
        "per_s": round(found.backlog / found.drained_s),
        "exits_told_after_s": round(found.critical_s, 1),
        "scan_quiet_ms": summary(found.quiet_ms),
        "scan_ms": summary(found.scans(first=False)),
        "scan_while_exits_are_told_ms": summary(found.scans(first=True)),
        "scans_shown_again": found.again,
        "live_sighting_elsewhere_ms": summary(found.live_ms[DOOR]),
        "live_sighting_of_that_agent_ms": summary(found.live_ms[BACK]),
        "agent_mb": round(found.agent_rss_kb / 1024),
        "hub_mb": round(found.hub_rss_kb / 1024),
        "hub_processor": round(found.hub_cpu, 2),
        "agent_processor": round(found.agent_cpu, 2),
        "spool_mb": round(found.spool_bytes / MB),
        "hub": found.hub,
    }


def drain_limits(found: Drained) -> Iterator[Limit]:
    scans, first = found.scans(first=False), found.scans(first=True)
    yield Limit("100,000 sightings drained, s", found.drained_s * DRAIN_EVENTS / found.backlog, DRAIN_S)
    yield Limit("scan to gate meanwhile, p99 ms", percentile(scans, 0.99), SCAN_MS)
    yield Limit("scan to gate while the exits of the absence are told, worst ms", max(first, default=0.0), SCAN_MS)
    yield Limit("live sighting elsewhere, p99 ms", percentile(found.live_ms[DOOR], 0.99), 1000.0)
    yield Limit("live sighting of that agent, worst s", max(found.live_ms[BACK], default=0.0) / 1000, DRAIN_S)
    yield Limit("memory of the agent, MB", found.agent_rss_kb / 1024, LIMIT_BYTES / MB)
    yield Limit("declared lost", found.hub["declared_lost"], 0)


# --- agents


def agents_figures(found: Returned) -> dict[str, Any]:
    return {
        "agents": found.agents,
        "messages": found.messages,
        "attempts": found.attempts,
        "attempts_per_s_most": found.attempts_per_s,
        "all_connected_s": round(found.all_connected_s, 1),
        "hub_back_s": round(found.hub_back_s, 1),
        "drained_s": round(found.drained_s, 1),
        "sent": found.sent,
        "duplicates": found.duplicates,
        "gaps": found.gaps,
        "inbox_dropped": found.inbox_dropped,
        "decision_ms": summary(found.decisions_ms),
        "hub_mb": round(found.hub_rss_kb / 1024),
        "broker_mb": round(found.broker_rss_kb / 1024),
    }


def agents_limits(found: Returned) -> Iterator[Limit]:
    yield Limit("connection attempts in one second", found.attempts_per_s, max(5.0, ATTEMPTS_SHARE * found.agents))
    yield Limit("messages the hub had twice", found.duplicates, DUPLICATES_SHARE * found.messages + 100)
    yield Limit("all drained, s", found.drained_s, 120.0)
    yield Limit("decision of a live scan, p99 ms", percentile(found.decisions_ms, 0.99), DECIDE_MS)
    yield Limit("memory of the hub, MB", found.hub_rss_kb / 1024, LIMIT_BYTES / MB)


# --- all

AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares the processors between sessions: this one's niceness."""


@contextmanager
def going_first(wanted: bool) -> Iterator[None]:
    """Raises PermissionError for whoever is not root."""
    if wanted:
        AUTOGROUP.write_text("-10", encoding="ascii")
    try:
        yield
    finally:
        if wanted:
            AUTOGROUP.write_text("0", encoding="ascii")


def main(only: str, short: bool, folder: Path | None) -> tuple[dict[str, Any], list[Limit]]:
    figures: dict[str, Any] = dict(machine(folder or Path()))
    limits: list[Limit] = []
    if only in ("", "spool"):
        for name, (per_s, hours) in (SPOOL_SHORT if short else SPOOL).items():
            played = spool(name, per_s, hours)
            figures.setdefault("spool", {})[name] = vars(played)
            limits += spool_limits(name, played)
    if only in ("", "drain"):
        say("an agent comes back with its backlog …")
        drained = uvloop.run(
            absence_drain.run(folder, 20_000 if short else DRAIN_EVENTS, 2.0 if short else 8.0, say=_more)
        )
        figures["drain"] = drain_figures(drained)
        limits += drain_limits(drained)
    if only in ("", "agents"):
        say("many agents come back at once …")
        returned = uvloop.run(absence_agents.run(folder, *((20, 500, 5.0) if short else (100, 2000, 25.0)), say=_more))
        figures["agents"] = agents_figures(returned)
        limits += agents_limits(returned)
    return figures, limits


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", choices=["spool", "drain", "agents"])
    parser.add_argument("--short", action="store_true", help="two minutes")
    parser.add_argument(
        "--folder", type=Path, help="where the databases of drain and agents lie: run/, on the disk, unless given"
    )
    parser.add_argument("--first", action="store_true", help="before other programs of this machine; as root")
    parser.add_argument("--json", action="store_true", help="nothing but the last line on standard output")
    given = parser.parse_args()
    quiet()
    with going_first(given.first):
        found_figures, found_limits = main(given.only, given.short, given.folder)
    if not given.json:
        print(*found_limits, sep="\n")
    kept = all(limit.holds for limit in found_limits)
    print(
        json.dumps(
            {**found_figures, "limits": {one.what: [one.figure, one.most] for one in found_limits}, "holds": kept}
        )
    )
    sys.exit(0 if kept else 1)
