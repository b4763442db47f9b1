"""The proof that the proof bites: each safeguard taken out in turn, and the seeds until a rule is broken (issue 3, point 2).

    python -m simulation.safeguards            the table, each with its limit of seeds
    python -m simulation.safeguards NAME …     only these

Every safeguard is taken out by replacing one function of the programs in this process; the programs have no switch for it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

import edge.lane
import edge.lane_work
from contract.messages import Stream
from contract.payloads import LanePassage
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.node import Node
from delivery.streams import OutStream, Verdict
from edge.lane_types import MAX_COMMAND, Lane, LanePolicy, NobodyPassed, Open, Phase, Say
from edge.store import EdgeStore
from hub.arrivals import Arrivals
from hub.database import alerts, sales
from hub.scans import Scans
from simulation.plan import Plan, Size
from simulation.store import simulate

SIZE = Size(faults=100)
"""A busy quarter of an hour with more faults than usual."""
LIMIT = 40
"""Within so many seeds a missing safeguard is caught, if it does not say otherwise."""

FOR_EVER_S = 1e6

Out = Callable[[], AbstractContextManager[Any]]


# --- delivery


def no_number_check() -> AbstractContextManager[Any]:
    return patch("delivery.engine.judge", lambda *_: Verdict.TAKE)


def gaps_are_taken() -> AbstractContextManager[Any]:
    def judge(taken: int, seq: int, floor: int) -> Verdict:  # noqa: ARG001
        return Verdict.DUPLICATE if seq <= taken else Verdict.TAKE

    return patch("delivery.engine.judge", judge)


@contextmanager
def marks_in_their_own_transaction() -> Iterator[None]:
    receive, mark = Engine.receive, Journal.mark
    late: list[tuple[Any, ...]] = []

    def received(self: Engine, batch: Any) -> None:
        late.clear()
        with patch.object(Journal, "mark", lambda _, *what: late.append(what)):
            receive(self, batch)
        if late:
            self.journal.db.execute("BEGIN IMMEDIATE")
            for what in late:
                mark(self.journal, *what)
            self.journal.db.execute("COMMIT")

    with patch.object(Engine, "receive", received):
        yield


@contextmanager
def acknowledged_before_commit() -> Iterator[None]:
    hand_over, made = Engine._hand_over, Node.__init__
    nodes: dict[int, Node] = {}

    def init(self: Node, engine: Engine, *args: Any, **more: Any) -> None:
        made(self, engine, *args, **more)
        nodes[id(engine)] = self

    def handed(self: Engine, message: Any, *rest: Any) -> None:
        hand_over(self, message, *rest)
        if message.numbering is not None:
            key = message.source, message.channel.stream.value, message.numbering.epoch
            self._acknowledge({key: False}, {key: message.numbering.seq})
            nodes[id(self)].link.publish(self._publications.pop())

    with patch.object(Node, "__init__", init), patch.object(Engine, "_hand_over", handed):
        yield


class _NothingIsCritical:
    CRITICAL = object()
    _real = Stream

    def __call__(self, value: str) -> object:
        return self._real(value)

    def __iter__(self) -> Iterator[object]:
        return iter(self._real)


def not_on_disk_before_it_is_said() -> AbstractContextManager[Any]:
    return patch("delivery.engine.Stream", _NothingIsCritical())


@contextmanager
def commits_not_synced() -> Iterator[None]:
    made = Journal.__init__

    def init(self: Journal, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        self.db.execute("PRAGMA synchronous=OFF")

    with patch.object(Journal, "__init__", init):
        yield


def marks_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(Journal, "mark", lambda self, key, taken, at: None)  # noqa: ARG005


@contextmanager
def one_epoch_for_ever() -> Iterator[None]:
    made = Engine.__init__

    def init(self: Engine, *args: Any, **more: Any) -> None:
        made(self, *args, **{**more, "epoch": "always"})

    with patch.object(Engine, "__init__", init):
        yield


@contextmanager
def never_sent_again() -> Iterator[None]:
    def rewind(self: OutStream) -> None:
        self._deadline = None

    with patch.object(OutStream, "rewind", rewind):
        yield


# --- a lane


def blind_reprint() -> AbstractContextManager[Any]:
    ended = edge.lane_work._ended
    return patch("edge.lane_work._ended", lambda result: replace(found, outcome="not_printed")
                 if (found := ended(result)).outcome == "unknown" else found)  # fmt: skip


def each_try_a_new_command() -> AbstractContextManager[Any]:
    refused = edge.lane._gate_refused

    def again(lane: Lane, event: Any) -> Any:
        if lane.phase is Phase.OPENING and event.command == lane.command:
            lane = replace(lane, command=lane.command % MAX_COMMAND + 1)
            return lane, (Open(lane.command, lane.open_s),)
        return refused(lane, event)

    return patch("edge.lane._gate_refused", again)


def no_list_of_used_codes() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "is_used", lambda self, code: False)  # noqa: ARG005


def lane_state_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "save_lane", lambda self, lane, state: None)  # noqa: ARG005


def gate_counters_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "save_gate", lambda self, lane, counters: None)  # noqa: ARG005


def opening_taken_for_passing() -> AbstractContextManager[Any]:
    nobody = edge.lane._nobody

    def passed(lane: Lane, event: NobodyPassed, now: float, policy: LanePolicy) -> Any:
        after, actions = nobody(lane, event, now, policy)
        return after, tuple(
            Say(a.name, a.data.model_copy(update={"outcome": "passed"}))
            if isinstance(a, Say) and isinstance(a.data, LanePassage)
            else a
            for a in actions
        )

    return patch("edge.lane._nobody", passed)


def only_the_last_silent_transaction() -> AbstractContextManager[Any]:
    return patch("edge.lane.ENDED_MAX", 1)


def no_patience_with_paper() -> AbstractContextManager[Any]:
    decided = edge.lane._decided

    def patient(lane: Lane, event: Any, now: float, policy: LanePolicy) -> Any:
        after, actions = decided(lane, event, now, policy)
        return (replace(after, print_deadline=now + FOR_EVER_S) if after.phase is Phase.PRINTING else after), actions

    return patch("edge.lane._decided", patient)


def no_offline_policy() -> AbstractContextManager[Any]:
    code = edge.lane._code

    def patient(lane: Lane, event: Any, now: float, policy: LanePolicy) -> Any:
        after, actions = code(lane, event, now, policy)
        return replace(after, deadline=now + FOR_EVER_S), actions

    return patch("edge.lane._code", patient)


# --- the hub


def no_reservation() -> AbstractContextManager[Any]:
    free = Scans._not_free
    return patch.object(
        Scans, "_not_free", lambda self, tx, code, lane: free(self, tx, code, lane) if code.used else None
    )


def no_used_codes_at_the_hub() -> AbstractContextManager[Any]:
    free = Scans._not_free
    return patch.object(
        Scans, "_not_free", lambda self, tx, code, lane: None if code.used else free(self, tx, code, lane)
    )


def use_is_not_checked() -> AbstractContextManager[Any]:
    def use(db: sqlite3.Connection, code: str, scan: str, at: str) -> bool:
        db.execute("UPDATE exit_code SET used = ?, scan = ? WHERE code = ?", (at, scan, code))
        return True

    return patch.object(sales, "use_code", use)


def nothing_is_released() -> AbstractContextManager[Any]:
    return patch("hub.passages.Passages.release", lambda self, tx, scan, passage, why, cause: None)  # noqa: ARG005


def alerts_sent_once() -> AbstractContextManager[Any]:
    return patch.object(alerts, "to_send_again", lambda db, sent_before, changed_since: [])  # noqa: ARG005


def presence_of_a_former_start() -> AbstractContextManager[Any]:
    return patch.object(Arrivals, "on_heartbeat", lambda self, message, tx: None)  # noqa: ARG005


def posts_booked_twice() -> AbstractContextManager[Any]:
    def again(db: sqlite3.Connection, sale: str) -> None:
        db.execute("UPDATE customer SET spent_minor = spent_minor + (SELECT amount_minor FROM sale WHERE sale = ?) "
                   "WHERE customer = (SELECT customer FROM sale WHERE sale = ?)", (sale, sale))  # fmt: skip

    real = sales.code_of_sale

    def code_of_sale(db: sqlite3.Connection, sale: str) -> Any:
        found = real(db, sale)
        if found is not None:
            again(db, sale)
        return found

    return patch.object(sales, "code_of_sale", code_of_sale)


@dataclass(frozen=True)
class Safeguard:
    """What it is called, and how it is taken out."""

    name: str
    what: str
    out: Out
    limit: int = LIMIT
    """Within so many seeds it is caught when it is missing."""


SAFEGUARDS = (
    Safeguard("number check", "a receiver takes every number", no_number_check),
    Safeguard("gap check", "a receiver takes a number after a gap", gaps_are_taken),
    Safeguard("single transaction", "marks are written in a transaction of their own, after the effects", marks_in_their_own_transaction),
    Safeguard("acknowledge after commit", "a receiver acknowledges when it has handled, before the commit", acknowledged_before_commit),
    Safeguard("on disk before it is said", "critical messages reach the disk in groups, as sightings do", not_on_disk_before_it_is_said),
    Safeguard("synced commits", "synchronous=OFF, and every kill is a loss of power", commits_not_synced),
    Safeguard("mark persistence", "marks of what was taken only in memory", marks_in_memory_only),
    Safeguard("epoch per start", "one epoch for ever, numbers from 1 at each start", one_epoch_for_ever),
    Safeguard("resend", "what was lost on the way is never sent again", never_sent_again),
    Safeguard("effect ID at the printer", "a job in doubt is printed again without evidence", blind_reprint),
    Safeguard("gate command number", "each try at the gate gets a new number", each_try_a_new_command),
    Safeguard("used-code list of the lane", "a lane forgets which codes were used", no_list_of_used_codes),
    Safeguard("lane state on disk", "a lane's state only in memory", lane_state_in_memory_only),
    Safeguard("gate counters on disk", "the gate's counters only in memory", gate_counters_in_memory_only),
    Safeguard("passage as evidence", "an opening that nobody used is told as a passage", opening_taken_for_passing),
    Safeguard("late word of the gate", "only the newest transaction waits for a silent gate", only_the_last_silent_transaction, 400),
    Safeguard("patience with paper", "a lane waits for paper without end", no_patience_with_paper),
    Safeguard("offline policy", "a lane waits for the hub without end", no_offline_policy),
    Safeguard("reservation", "a code that one lane holds is given to another", no_reservation),
    Safeguard("used codes at the hub", "the hub opens for a used code", no_used_codes_at_the_hub),
    Safeguard("use counts once", "a second passage with a code counts as an exit again", use_is_not_checked, 400),
    Safeguard("release", "what was reserved is never released", nothing_is_released),
    Safeguard("alerts are state", "an alert is sent once", alerts_sent_once),
    Safeguard("presence by start", "whom an agent heard before its restart stays heard", presence_of_a_former_start),
    Safeguard("repeated posts", "a sale that is posted again is booked again", posts_booked_twice),
)  # fmt: skip


@dataclass(frozen=True)
class Caught:
    """`seeds` until the first broken rule (None: not within the limit); `share` of all that were run to the end of `sample`."""

    name: str
    seeds: int | None
    rule: str
    share: str


def hunt(name: str, first: int = 1, limit: int = 0, sample: int = 0) -> Caught:
    """Run seeds without this safeguard until a rule is broken; then, for the share, `sample` seeds in all."""
    guard = next(guard for guard in SAFEGUARDS if guard.name == name)
    caught: int | None = None
    rule, broken, runs = "", 0, 0
    for seed in range(first, first + max(limit or guard.limit, sample)):
        if caught is not None and runs >= sample:
            break
        with guard.out():
            result = simulate(Plan(seed, SIZE))
        runs += 1
        if not result.ok:
            broken += 1
            if caught is None:
                caught, rule = runs, result.broken[0].partition(":")[0]
    return Caught(name, caught, rule, f"{broken}/{runs}")


def table(found: Iterable[Caught]) -> str:
    """Markdown."""
    known = {guard.name: guard for guard in SAFEGUARDS}
    head = ("safeguard", "taken out", "caught after seeds", "at most", "broken runs", "first rule broken")
    rows = [
        (c.name, known[c.name].what, str(c.seeds or "not caught"), str(known[c.name].limit), c.share, c.rule)
        for c in found
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def main() -> int:
    parser = argparse.ArgumentParser(description="Take each safeguard out and count the seeds until a rule is broken.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--sample", type=int, default=10, help="seeds run for the share of broken runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.names or [guard.name for guard in SAFEGUARDS]
    found = []
    with get_context("spawn").Pool(maxtasksperchild=1) as pool:
        for one in pool.imap(partial(hunt, sample=options.sample), names, chunksize=1):
            print(f"# {one.name}: caught after {one.seeds} seeds, {one.share}, {one.rule}", file=sys.stderr, flush=True)
            found.append(one)
        pool.close()
        pool.join()
    print(json.dumps([vars(c) for c in found]) if options.json else table(found))
    return int(any(c.seeds is None for c in found))


if __name__ == "__main__":
    sys.exit(main())
