"""What must hold of a machine's files when the power is back, and of the store when it has gone on. Each problem a sentence."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict

from contract.messages import Role, Stream
from delivery.journal import Journal
from tests.power.machines import Machine
from tests.power.workload import World

_CRITICAL = Stream.CRITICAL.value


def files(world: World, machine: Machine, journal: Journal) -> list[str]:
    """Of the file that the machine's disk kept, when the real `Journal` has just opened it. Changes nothing."""
    db = journal.db
    found = _whole(db) + _acknowledged(machine, journal) + _effects_and_marks(db) + _posted(world, machine, db)
    return found + (_hub(world, db) if machine.me.role is Role.HUB else _agent(world, db))


def _whole(db: sqlite3.Connection) -> list[str]:
    check = [row[0] for row in db.execute("PRAGMA integrity_check")]
    broken = db.execute("PRAGMA foreign_key_check").fetchall()
    aside = db.execute("SELECT reason, detail FROM quarantine").fetchall()
    return ([f"integrity_check: {check[:3]}"] if check != ["ok"] else []) + [f"foreign key: {row}" for row in broken] + [
        f"quarantined: {row}" for row in aside
    ]  # fmt: skip


def _acknowledged(machine: Machine, journal: Journal) -> list[str]:
    marks = journal.marks()
    return [
        f"{machine.me.id} acknowledged {key} up to {taken}, its disk has {marks.get(key, 0)}"
        for key, taken in machine.acknowledged.items()
        if marks.get(key, 0) < taken
    ]


def _effects_and_marks(db: sqlite3.Connection) -> list[str]:
    """Of each stream exactly 1, 2, … mark had effects; of sightings, which may be declared lost, none beyond the mark."""
    applied: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for sender, stream, epoch, seq in db.execute("SELECT sender, stream, epoch, seq FROM applied ORDER BY n"):
        applied[sender, stream, epoch].append(seq)
    marks = {(s, c, e): n for s, c, e, n in db.execute("SELECT sender, stream, epoch, taken FROM inbox_mark")}
    found = []
    for key in sorted(applied.keys() | marks.keys()):
        seqs, mark = applied[key], marks.get(key, 0)
        whole = seqs == list(range(1, mark + 1)) if key[1] == _CRITICAL else bool(seqs) and max(seqs) == mark
        if not whole:
            found.append(f"effects of {key} are {seqs[-5:]}, its mark is {mark}")
    return found


def _posted(world: World, machine: Machine, db: sqlite3.Connection) -> list[str]:
    """What was committed to be sent is in the outbox, or its receiver has it. Numbers have no holes."""
    rows = db.execute(f"SELECT peer, epoch, seq FROM outbox WHERE stream = '{_CRITICAL}' ORDER BY row")
    kept: dict[tuple[str, str], list[int]] = defaultdict(list)
    for peer, epoch, seq in rows:
        kept[peer, epoch].append(seq)
    found = [f"outbox of {key} is {seqs}" for key, seqs in kept.items()
             if seqs != list(range(seqs[0], seqs[0] + len(seqs)))]  # fmt: skip
    other = world.agent if machine is world.hub else world.hub
    source = "hub" if machine is world.hub else f"agent/{machine.me.id}"
    for peer, epoch, seq in machine.posted:
        taken = other.engine._marks.get((source, _CRITICAL, epoch), 0) if other.starts else 0
        if seq not in kept[peer, epoch] and taken < seq:
            found.append(f"{machine.me.id} had committed {epoch} {seq} to {peer}: not in its outbox, not taken")
    return found


def _hub(world: World, db: sqlite3.Connection) -> list[str]:
    found = [f"sale {sale} was answered and is gone" for sale in world.hub.sold
             if db.execute("SELECT 1 FROM exit_code WHERE sale = ?", (sale,)).fetchone() is None
             or db.execute("SELECT 1 FROM sale WHERE sale = ?", (sale,)).fetchone() is None]  # fmt: skip
    taken = {id for (id,) in db.execute("SELECT id FROM applied WHERE name = 'lane_scan'")}
    decided = {id for (id,) in db.execute("SELECT scan FROM scan")}
    if taken != decided:
        found.append(f"scans taken and not decided: {taken - decided}; decided and not taken: {decided - taken}")
    sums = db.execute(
        "SELECT customer, count(*), sum(amount_minor) FROM sale WHERE customer NOT NULL GROUP BY customer"
    )
    paid = {customer: (n, amount) for customer, n, amount in sums}
    for customer, terminal in db.execute("SELECT customer, terminal_payments FROM customer WHERE terminal_payments"):
        if paid.get(customer, (0, 0))[0] != terminal:
            found.append(f"{customer} has {terminal} payments and {paid.get(customer)} sales")
    return found


def _agent(world: World, db: sqlite3.Connection) -> list[str]:
    held = {code for (code,) in db.execute("SELECT code FROM used_code")}
    bodies = db.execute("SELECT body FROM outbox WHERE topic LIKE '%/scan'").fetchall()
    told = {json.loads(body)["data"]["code_id"] for (body,) in bodies}
    told |= {code for (code,) in world.hub.journal.db.execute("SELECT code FROM scan")}
    return [] if held == told else [f"codes held and not told: {held - told}; told and not held: {told - held}"]


def store(world: World) -> list[str]:
    """After everything has settled."""
    found = []
    for receiver, sender, source in ((world.hub, world.agent, "agent/exit"), (world.agent, world.hub, "hub")):
        rows = receiver.journal.db.execute(
            f"SELECT epoch, seq FROM applied WHERE sender = '{source}' AND stream = '{_CRITICAL}' ORDER BY n"
        ).fetchall()
        applied = [tuple(row) for row in rows]
        if twice := [key for key, n in Counter(applied).items() if n > 1]:
            found.append(f"{receiver.me.id} applied twice: {twice}")
        posted = [(epoch, seq) for _, epoch, seq in sender.posted]
        known = set(posted)
        if [key for key in applied if key in known] != posted:
            found.append(f"{sender.me.id} committed {posted[-8:]}, {receiver.me.id} applied {applied[-8:]}")
    for machine in world.machines.values():
        found += _whole(machine.journal.db) + _effects_and_marks(machine.journal.db)
    return found + _people(world)


def _people(world: World) -> list[str]:
    found = [f"{s.sale} passed {s.passed} times" for s in world.shoppers if s.passed != 1]
    db = world.hub.journal.db
    if world.gate.for_nobody:
        found.append(f"the gate opened {world.gate.for_nobody} times for nobody")
    if twice := [c for c, n in Counter(coupon for _, coupon in world.printer.jobs).items() if n > 1]:
        found.append(f"coupons on paper twice: {twice}")
    exits = dict(db.execute("SELECT customer, exits FROM customer WHERE exits").fetchall())
    expected = Counter(s.customer for s in world.shoppers if s.customer)
    if exits != expected:
        found.append(f"exits in the books {exits}, at the gate {dict(expected)}")
    (used,) = db.execute("SELECT count(*) FROM exit_code WHERE used NOT NULL").fetchone()
    if used != len(world.shoppers):
        found.append(f"{used} codes used, {len(world.shoppers)} persons passed")
    for coupon, state in db.execute("SELECT coupon, state FROM incentive WHERE state <> 'committed'"):
        found.append(f"incentive {coupon} is {state} after its holder passed")
    spent = db.execute("SELECT count(*), total(amount_minor) FROM sale").fetchone()
    if tuple(spent) != (len(world.shoppers), sum(s.amount for s in world.shoppers)):
        found.append(f"sales {tuple(spent)}")
    return found
