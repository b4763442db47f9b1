"""What a clerk in charge may read of a customer besides her record: her last purchases (row A7)."""

from __future__ import annotations

from datetime import date
from sqlite3 import Connection

from contract.payloads import PurchaseLine

SALES_READ = 15
"""The last so many sales make the history: of few customers are they less than ten days of buying."""
HISTORY_MAX = 10
PRODUCTS_CHARS = 120
"""Of one day: an alert is sent again every few seconds."""


def history(db: Connection, customer: str) -> tuple[PurchaseLine, ...]:
    """The last days on which she bought, newest first, each with its products and amount."""
    rows = db.execute(
        "SELECT day, amount_minor, (SELECT group_concat(coalesce(nullif(name, ''), product), ', ') FROM "
        "(SELECT name, product FROM sale_line WHERE sale_line.sale = sale.sale LIMIT 10)) "
        "FROM sale WHERE customer = ? AND void IS NULL ORDER BY day DESC LIMIT ?",
        (customer, SALES_READ),
    )
    days: dict[str, tuple[int, list[str]]] = {}
    for day, amount, products in rows:
        if day not in days and len(days) == HISTORY_MAX:
            break
        so_far, named = days.setdefault(day, (0, []))
        days[day] = so_far + amount, [*named, *filter(None, [products])]
    return tuple(
        PurchaseLine.model_construct(
            day=date.fromisoformat(day), products=", ".join(named)[:PRODUCTS_CHARS], amount_minor=max(0, amount)
        )
        for day, (amount, named) in days.items()
    )
