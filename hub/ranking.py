"""Ranks follow the purchases: after each sale, void and import, when the rules change, and at the store's midnight (row A1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from sqlite3 import Connection
from zoneinfo import ZoneInfo

from delivery.engine import Tx
from hub.database import ranks
from hub.days import store_day
from hub.rules.next_rank import NextRank, next_rank
from hub.rules.policy import Policy
from hub.rules.ranks import Ranked, Ranking, Standing, span_days
from hub.saying import count

BATCH = 100
"""Customers per tick: some 10 ms, in which a scan waits. 100,000 customers take 17 minutes after midnight."""


def rerank(
    db: Connection, ids: Sequence[str], ranking: Ranking, today: str, *, imported: bool = False
) -> dict[str, Ranked]:
    """Decide the ranks of these customers anew; returns the ranks of those who have another one now.

    `imported`: their ranks were just imported. Who reaches hers by her purchases anyway is ranked by those from now on.
    """
    changed, moved, needless = [], {}, []
    for row in ranks.of(db, ids, [span_days(span, today) for span in ranking.spans]):
        spans = dict(zip(ranking.spans, row.spans, strict=True))
        found = ranking.decide(Standing(row.spent_minor, row.visits, spans, row.imported, row.imported_on), today)
        if (found.rank, found.reason) != (row.rank, row.reason):
            changed.append((found.rank, found.reason, row.customer))
        if found.rank != row.rank:
            moved[row.customer] = found
        if imported and row.imported and not found.by_import:
            needless.append(row.customer)
    if changed:
        ranks.change(db, changed)
    if needless:
        ranks.forget_imported(db, needless)
    return moved


def way_up(db: Connection, customer: str, ranking: Ranking, today: str) -> NextRank | None:
    """How far it is for a customer to the next rank; None when there is none, or nothing simple to say of it."""
    for row in ranks.of(db, [customer], [span_days(span, today) for span in ranking.spans]):
        spans = dict(zip(ranking.spans, row.spans, strict=True))
        return next_rank(ranking, Standing(row.spent_minor, row.visits, spans, row.imported, row.imported_on), today)
    return None


class RankRun:
    """Looks at all customers once a day and after a change of the rules, some at each tick; a restart goes on where it was."""

    def __init__(self, zone: ZoneInfo, policy: Callable[[], Policy], counters: Counter[str]) -> None:
        self._zone, self._policy, self._counters = zone, policy, counters
        self._done: tuple[str, str] | None = None
        self._ranking: Ranking | None = None
        self._key = ""

    def tick(self, tx: Tx) -> None:
        """Call about once a second."""
        ranking = self._policy().ranking
        if ranking is not self._ranking:
            self._ranking, self._key = ranking, ranking.key
        wanted = self.today(tx.utc), self._key
        if new := ranks.unranked(tx.db, BATCH):
            rerank(tx.db, new, ranking, wanted[0])
        if wanted == self._done:
            return
        known = ranks.run(tx.db)
        same = known is not None and known[:2] == wanted
        if known is not None and same and known[3]:
            self._done = wanted
            return
        some = ranks.after(tx.db, known[2] if known is not None and same else "", BATCH)
        for _ in rerank(tx.db, some, ranking, wanted[0]):
            count(tx, self._counters, "ranks_changed")
        done = len(some) < BATCH
        ranks.set_run(tx.db, *wanted, some[-1] if some else "", done)
        if done:
            tx.after_commit(lambda: setattr(self, "_done", wanted))

    def today(self, now: datetime) -> str:
        """The store's day."""
        return store_day(now, self._zone)
