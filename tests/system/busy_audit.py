"""The audit after a busy hour, from what stays: the programs' database files, the paper in the tray, the gate's own memory, what the
customers tell, and what was seen on the wire. Each line that comes out is something that must not be."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.messages import BY_NAME, Stream
from tests.system.busy_people import Told
from tests.system.busy_store import BusyStage
from tests.system.effects import qr_codes

PAPER_FROM_MINOR = 1000
"""The shipped incentive: a slip for a purchase of so much."""
LATE = "SELECT visit FROM trace WHERE type = 'decision' AND id LIKE '%.late'"
TOLD_BY_LANES = {f"instore.lane.{what}.v1" for what in ("scan", "refused", "printed", "opened", "passage")}
AGENTS = {"exit": "edge-exit", "entrance": "edge-entrance"}


@dataclass(frozen=True)
class Evidence:
    """Read once, after everything has ended."""

    told: list[Told]
    slips: Counter[str]
    """Coupons on paper, decoded from the pictures."""
    gate: dict[str, int]
    heard: list[tuple[str, dict[str, Any], dict[str, str]]]
    events: list[tuple[str, dict[str, Any]]]


def papers(folder: Path) -> Counter[str]:
    """Coupons in the printer's tray, as a camera reads them."""
    return Counter(code for png in sorted((folder / "receipts").glob("*.png")) for code in qr_codes(png))


def audit(stage: BusyStage, told: list[Told], slips: Counter[str]) -> tuple[list[str], dict[str, int]]:
    """What is wrong, and the counts that it was judged by. `slips` from `papers`."""
    gate = json.loads(stage.layout.path("sim/gate.json").read_text())
    evidence = Evidence(told, slips, gate, stage.heard, stage.events)
    with closing(_open(stage.database("hub"))) as hub:
        wrong = [*_people(evidence), *_sales(hub, evidence), *_exits(hub, evidence), *_coupons(hub, evidence), *_visits(hub, evidence),
                 *_openings(hub, evidence), *_settled(hub), *_accounts(hub, evidence), *_arrived(hub, evidence)]  # fmt: skip
        counts = _counts(hub, evidence)
    for agent, program in AGENTS.items():
        with closing(_open(stage.database(program))) as db:
            wrong += _agent(agent, db)
            wrong += _taken(db, f"agent/{agent}", evidence, "hub")
    return [*wrong, *_programs(stage)], counts


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path)


def _rows(db: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
    return db.execute(sql).fetchall()


def _counts(hub: sqlite3.Connection, seen: Evidence) -> dict[str, int]:
    def count(sql: str) -> int:
        return int(hub.execute(sql).fetchone()[0])

    return {
        "customers": len(seen.told),
        "visits": count("SELECT count(*) FROM visit"),
        "service_requests": count("SELECT count(*) FROM alert WHERE kind = 'service_request'"),
        "late_requests": count(f"SELECT count(*) FROM ({LATE})"),
        "sales": count("SELECT count(*) FROM sale"),
        "exits": seen.gate["exits"],
        "gate_openings": seen.gate["pulses"],
        "scans": count("SELECT count(*) FROM scan"),
        "coupons": count("SELECT count(*) FROM incentive"),
        "slips": seen.slips.total(),
        "electronic": count("SELECT count(*) FROM incentive WHERE give = 'electronic'"),
        "opened_alone": count(
            "SELECT count(*) FROM trace WHERE type = 'instore.lane.opened.v1' AND summary LIKE '%alone%'"
        ),
    }


def _people(seen: Evidence) -> Iterator[str]:
    """Everybody with a code got out, once."""
    for one in seen.told:
        who = f"customer {one.customer.number}"
        yield from (f"{who}: {what}" for what in one.wrong)
        if one.paid and not one.out:
            yield f"{who} has paid {one.sale} and did not get out"
    out, gate = sum(one.out for one in seen.told), seen.gate
    if (gate["exits"], gate["entries"], gate["intrusions"]) != (out, 0, 0):
        yield f"{out} customers are out, the gate counted {gate}"


def _sales(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """What the hub answered for is in its books, once."""
    posted = {one.sale: one.customer.amount_minor for one in seen.told if one.paid}
    booked = dict(_rows(hub, "SELECT sale, amount_minor FROM sale WHERE sale LIKE 'S%'"))
    if posted != booked:
        yield f"sales acknowledged and not booked {posted.items() - booked.items()}, the other way {booked.items() - posted.items()}"


def _exits(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """A code is used exactly when its customer is out, and by one passage."""
    used = {sale for (sale,) in _rows(hub, "SELECT sale FROM exit_code WHERE used IS NOT NULL")}
    out = {one.sale for one in seen.told if one.out}
    if used != out:
        yield f"out with a code that counts as unused {sorted(out - used)}, used by nobody {sorted(used - out)}"
    passed = Counter(sale for (sale,) in _rows(hub, "SELECT sale FROM scan WHERE passage = 'passed'"))
    for sale in out | set(passed):
        if passed[sale] != 1:
            yield f"sale {sale}: {passed[sale]} passages in the hub's books"


def _coupons(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """One incentive a purchase, given once: on one slip of paper, or electronically with a reason."""
    want = {one.sale for one in seen.told if one.out and one.customer.amount_minor >= PAPER_FROM_MINOR}
    got = Counter(sale for (sale,) in _rows(hub, "SELECT sale FROM incentive"))
    if got != Counter(dict.fromkeys(want, 1)):
        yield f"incentives by sale: missing {sorted(want - set(got))}, too many {[s for s in got if got[s] > 1 or s not in want]}"
    known = set()
    again = {
        sale for (sale,) in _rows(hub, "SELECT sale FROM scan WHERE outcome = 'open' GROUP BY sale HAVING count(*) > 1")
    }
    for coupon, sale, state, give, paper in _rows(hub, "SELECT coupon, sale, state, give, paper FROM incentive"):
        known.add(coupon)
        slips, what = seen.slips[coupon], f"coupon {coupon} of {sale} ({state}, {give}, paper {paper or 'none'})"
        if state != "committed":
            yield f"{what} is not committed"
        if slips > 1:
            yield f"{what} was printed {slips} times"
        # Who held her code up once more had the slip in her hand already: the same coupon is hers on her terminal too.
        if (give == "print") != (paper == "printed") and not (paper == "printed" and sale in again):
            yield f"{what}: given in a way that its paper does not show"
        if paper == "printed" and slips != 1:
            yield f"{what}: there are {slips} slips"
        if paper in ("", "failed") and slips:
            yield f"{what}: there is a slip all the same"
    yield from (
        f"a slip of coupon {coupon}, which the hub does not know" for coupon in seen.slips if coupon not in known
    )


def _visits(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """One visit for whoever carries a beacon, one service request for a VIP and for nobody else, held by the clerk.

    An agent that has not heard the hub since its start tells of customers by its own clock; if that was far behind, the hub
    takes it for old news, says so in the visit's trace, and calls nobody. Such requests are counted (`late_requests`).
    """
    visits = Counter(customer for (customer,) in _rows(hub, "SELECT customer FROM visit"))
    want = Counter(one.customer.id or "" for one in seen.told if one.customer.member)
    if visits != want:
        yield f"visits: missing {sorted(want - visits)}, too many {sorted(visits - want)}"
    requests = Counter(
        customer for (customer,) in _rows(hub, "SELECT customer FROM alert WHERE kind = 'service_request'")
    )
    late = {visit.partition(".")[2] for (visit,) in _rows(hub, LATE)}
    vips = Counter(one.customer.id or "" for one in seen.told if one.customer.vip and one.customer.id not in late)
    if requests != vips:
        yield f"service requests: missing {sorted(vips - requests)}, too many {sorted(requests - vips)}"
    for customer, state, holder in _rows(hub, "SELECT customer, state, holder FROM alert WHERE holder IS NULL"):
        yield f"the service request for {customer} is {state}, holder {holder}: no clerk has seen it"


def _openings(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """One pulse per command, and each that nobody used has its reason: the gate lost power, or the hub was told so."""
    pulses = Counter(event["seq"] for name, event in seen.events if name == "gate" and event["event"] == "pulse")
    yield from (f"the gate pulsed {count} times for command {seq}" for seq, count in pulses.items() if count > 1)
    unused = int(hub.execute("SELECT count(*) FROM scan WHERE passage = 'not_passed'").fetchone()[0])
    gate = seen.gate
    if gate["pulses"] > gate["exits"] + gate["boots"] + unused:
        yield f"{gate['pulses']} openings for {gate['exits']} exits, {gate['boots']} starts of the gate and {unused} who did not go"


def _settled(hub: sqlite3.Connection) -> Iterator[str]:
    """Nothing waits, nothing was put aside."""
    for what, sql in {
        "a scan has no end": "SELECT scan, sale FROM scan WHERE outcome = 'open' AND ended IS NULL",
        "the hub still has to send": "SELECT peer, stream, seq FROM outbox",
        "quarantined": "SELECT topic, reason, detail FROM quarantine",
    }.items():
        yield from (f"{what}: {row}" for row in _rows(hub, sql))


def _accounts(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """What a customer spent, her visits and her exits, from what she had and what she did."""
    rows = {row[0]: row[1:] for row in _rows(hub, "SELECT customer, visits, spent_minor, exits FROM customer")}
    for one in seen.told:
        if one.customer.id is not None:
            before = 40 if one.customer.vip else 1
            want = (before + one.paid, before * 1000 + one.customer.amount_minor * one.paid, int(one.out))
            if rows[one.customer.id] != want:
                yield f"{one.customer.id} has {rows[one.customer.id]} visits, yen spent and exits, it should be {want}"


def _arrived(hub: sqlite3.Connection, seen: Evidence) -> Iterator[str]:
    """Whatever a lane said on the wire is in the hub's trace, once; whatever was numbered was taken."""
    traced = Counter(id for (id,) in _rows(hub, "SELECT id FROM trace WHERE source LIKE 'agent/%'"))
    said = {message["id"]: type_ for type_, message, _ in seen.heard if type_ in TOLD_BY_LANES}
    yield from (f"{said[id]} {id} was said and is not in the trace" for id in said.keys() - traced.keys())
    yield from (f"message {id} was taken {count} times" for id, count in traced.items() if count > 1)
    yield from _taken(hub, "hub", seen, "agent/")


def _taken(db: sqlite3.Connection, receiver: str, seen: Evidence, sender: str) -> Iterator[str]:
    """The highest critical number of each epoch that was on the wire, against the receiver's mark. (A sighting that was not
    acknowledged within the second before a kill is not on the disk yet, and may go with its agent: it will be heard again.)"""
    highest: dict[tuple[str, str], int] = defaultdict(int)
    for _, message, ids in seen.heard:
        source = str(message.get("source", ""))
        mine = receiver == "hub" or f"agent/{ids.get('agent')}" == receiver
        if BY_NAME[ids["channel"]].stream is Stream.CRITICAL and source.startswith(sender) and mine:
            key = source, message["epoch"]
            highest[key] = max(highest[key], message["seq"])
    marks = {
        (source, epoch): taken
        for source, epoch, taken in _rows(db, "SELECT sender, epoch, taken FROM inbox_mark WHERE stream = 'critical'")
    }
    for key, seq in highest.items():
        if marks.get(key, 0) < seq:
            yield f"{receiver} has taken {marks.get(key, 0)} of {key}, up to {seq} was on the wire"


def _agent(agent: str, db: sqlite3.Connection) -> Iterator[str]:
    # Who left after all was settled, at the very end, may have been told of to nobody: the next start tells it.
    rows = _rows(db, "SELECT peer, stream, seq FROM outbox WHERE stream <> 'sighting'")
    yield from (f"{agent} still has to send: {row}" for row in rows)
    for lane, state in _rows(db, "SELECT id, state FROM lane"):
        if json.loads(state)["phase"] != "idle":
            yield f"lane {lane} is not idle: {state}"


def _programs(stage: BusyStage) -> Iterator[str]:
    """No program ended by itself (but for a disk that is full when it starts), none left a stack trace."""
    for log in sorted(stage.layout.path("logs").glob("*.log")):
        text = log.read_text(encoding="utf-8", errors="replace")
        if (at := text.find("Traceback (most recent call last)")) >= 0:
            yield f"a stack trace in {log.name}: …{text[at : at + 1500][-600:]}"
    yield from (f"{name} ended by itself, code {code}" for name, code in stage.processes.ends)
