"""The days again: what was heard is told to the hub's own parts at its time, in a copy of the database."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.hub_settings import HubSettings
from contract import exit_code
from contract.envelope import Message
from contract.messages import BY_NAME
from contract.payloads import LanePassage, LanePrinted, LaneScan, Payload
from delivery.transaction import Tx
from hub.core import Hub
from hub.database import customers, lanes, rewinding, sales, times
from hub.database.rewinding import CouponHad, GivenHad, ScanHad, VisitHad
from hub.database.sales import SaleRow
from hub.exit_keys import KeyRing
from hub.ranking import rerank
from hub.rules.policy import Policy
from hub.sale_shapes import SaleLine, SalePost, SaleRefused, Tender, VoidPost

Step = Callable[[int, int], None]
_PASSAGES = frozenset({"passed", "not_passed", "fault", "fire_open"})


@dataclass(frozen=True, slots=True)
class Days:
    """From `since` to before `until` (texts of `hub.database.times`), and what happened in them."""

    since: str
    until: str
    visits: tuple[VisitHad, ...]
    sales: tuple[SaleRow, ...]
    lines: dict[str, list[tuple[str, str, str, int, int]]]
    tenders: dict[str, list[tuple[str, int, str, str]]]
    voids: tuple[tuple[str, str, str], ...]
    scans: tuple[ScanHad, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the days: who was announced to clerks and by which rule, coupons from history, what exits brought."""

    visits: tuple[VisitHad, ...]
    coupons: tuple[CouponHad, ...]
    given: tuple[GivenHad, ...]
    left_out: tuple[str, ...] = ()
    """What could not be told again, each with its reason."""


def record(db: Connection, since: str, until: str) -> Days:
    """What happened, from the database as it is now."""
    sold = tuple(rewinding.sales(db, since, until))
    return Days(since, until, tuple(rewinding.visits(db, since, until)), sold,
                {row.sale: sales.lines(db, row.sale) for row in sold},
                {row.sale: sales.tenders(db, row.sale) for row in sold},
                tuple(rewinding.voids(db, since, until)), tuple(rewinding.scans(db, since, until)))  # fmt: skip


def result(db: Connection, days: Days, left_out: Iterable[str] = ()) -> Result:
    """What came of them, from a database."""
    span = days.since, days.until
    return Result(tuple(rewinding.visits(db, *span)), tuple(rewinding.coupons(db, *span)),
                  tuple(rewinding.given(db, *span)), tuple(left_out))  # fmt: skip


def play(
    db: Connection, settings: HubSettings, policy: Policy, days: Days, step: Step = lambda _done, _total: None
) -> Result:
    """The days by these rules. `db`: a copy of the database, rewound to their beginning; it is changed."""
    return _Play(db, settings, policy, days).run(step)


class _Play:
    def __init__(self, db: Connection, settings: HubSettings, policy: Policy, days: Days) -> None:
        private = Ed25519PrivateKey.generate()
        kid = exit_code.key_id(private.public_key())
        keys = KeyRing(private, kid, {kid: private.public_key()})  # codes of this play open nothing
        self._db, self._days, self._policy, self._settings = db, days, policy, settings
        self._hub = Hub(settings, keys, lambda: policy)
        self._ids = itertools.count(1)
        self._now = 0.0
        self.left_out: list[str] = []

    def run(self, step: Step) -> Result:
        happened = list(heapq.merge(*self._happenings(), key=lambda each: each[0]))
        self._ranks()
        for done, (at, act) in enumerate(happened):
            self._do(at, act)
            step(done + 1, len(happened))
        return result(self._db, self._days, self.left_out)

    def _happenings(self) -> Iterator[list[tuple[str, Callable[[Tx], None]]]]:
        days = self._days
        yield [(each.opened, lambda tx, each=each: self._visit(tx, each)) for each in days.visits]  # type: ignore[misc]
        yield [(each.sold, lambda tx, each=each: self._sale(tx, each)) for each in days.sales]  # type: ignore[misc]
        yield [(at, lambda tx, sale=sale, void=void: self._void(tx, sale, void)) for sale, void, at in days.voids]  # type: ignore[misc]
        yield [(each.decided, lambda tx, each=each: self._scan(tx, each)) for each in days.scans]  # type: ignore[misc]
        ended = sorted((each for each in days.scans if each.ended is not None), key=lambda each: str(each.ended))
        yield [(str(each.ended), lambda tx, each=each: self._passage(tx, each)) for each in ended]  # type: ignore[misc]

    def _do(self, at: str, act: Callable[[Tx], None]) -> None:
        """One happening, at its time. What can't be taken is left out, and said."""
        self._now += 1.0
        tx = Tx(self._db, self._say, self._now, times.time(at))
        self._db.execute("BEGIN")
        try:
            act(tx)
        except SaleRefused as refused:
            tx.back_to()
            self._db.execute("ROLLBACK")
            self.left_out.append(str(refused))
            return
        self._db.execute("COMMIT")
        for effect in tx.effects:
            effect()

    def _say(
        self, _tx: Tx, _name: str, _data: Payload, _visit: str | None, _cause: str | None, _ids: dict[str, str]
    ) -> str:
        return f"replayed.{next(self._ids)}"  # nobody hears it

    def _ranks(self) -> None:
        """Of everybody who comes into it, by these rules, on the morning of the first day."""
        who = {each.customer for each in self._days.visits} | {
            each.customer for each in self._days.sales if each.customer
        }
        today = self._hub.rank_run.today(times.time(self._days.since))
        self._do(self._days.since, lambda tx: _nothing(rerank(tx.db, sorted(who), self._policy.ranking, today)))

    # --- what happened

    def _visit(self, tx: Tx, visit: VisitHad) -> None:
        if customers.customer(tx.db, visit.customer) is None:
            return
        self._hub.arrivals.open(tx, visit.visit, visit.customer, visit.day, visit.agent, tx.utc, visit.visit)
        self._hub.offers.tick(tx)

    def _sale(self, tx: Tx, row: SaleRow) -> None:
        lines = [SaleLine(product=product, name=name, category=category, quantity=quantity, amount_minor=amount)
                 for product, name, category, quantity, amount in self._days.lines[row.sale]]  # fmt: skip
        tenders = [Tender.model_validate({"method": method, "amount_minor": amount, "paid_on": paid_on or None, "device": device})
                   for method, amount, paid_on, device in self._days.tenders[row.sale]]  # fmt: skip
        post = SalePost.model_validate({
            "sale": row.sale, "customer": row.customer, "amount_minor": row.amount_minor, "currency": row.currency,
            "paid_on": row.paid_on, "registered_on": row.registered_on or None, "device": row.device, "sold": times.time(row.sold),
            "tenders": tenders, "lines": lines,
        })  # fmt: skip
        self._hub.purchases.post(tx, post, row.posted_by)

    def _void(self, tx: Tx, sale: str, void: str) -> None:
        self._hub.purchases.void(tx, sale, VoidPost(void=void))

    def _scan(self, tx: Tx, scan: ScanHad) -> None:
        if sales.sale(tx.db, scan.sale) is None:
            self.left_out.append(f"scan {scan.scan}: its sale {scan.sale} came later")
            return
        code, text = self._hub.purchases.exit_code(tx, scan.sale, self._settings.exit_code.lifetime_s)
        self._tell(
            tx, "lane_scan", LaneScan(code_id=code.code, sale=scan.sale, code=text, scanned=tx.utc), scan, scan.scan
        )

    def _passage(self, tx: Tx, scan: ScanHad) -> None:
        """As it ended; paper is taken to have come out where she passed."""
        row = lanes.scan(tx.db, scan.scan)
        if row is None:
            return
        passed = scan.passage == "passed"
        if passed and row.coupon is not None:
            given = lanes.incentive(tx.db, row.coupon)
            if given is not None and given.give == "print":
                printed = LanePrinted(scan=scan.scan, coupon=row.coupon, outcome="printed")
                self._tell(tx, "lane_printed", printed, scan, f"{scan.scan}.printed")
        outcome: Any = scan.passage if scan.passage in _PASSAGES else "not_passed"  # superseded, void: nobody passed
        self._tell(tx, "lane_passage", LanePassage(scan=scan.scan, outcome=outcome), scan, f"{scan.scan}.passage")

    def _tell(self, tx: Tx, name: str, data: Payload, scan: ScanHad, id: str) -> None:
        ids = {"agent": scan.agent, "lane": scan.lane}
        self._hub.handle(Message(BY_NAME[name], ids, data, id, f"agent/{scan.agent}", tx.utc), tx)


def _nothing(_: object) -> None:
    pass


__all__ = ["Days", "Result", "play", "record", "result"]
