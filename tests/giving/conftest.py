"""A hub with a customer who has left without her slip, and far ends that take letters and notifications."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.link import Address
from delivery.node import Node
from hub.database import consents, givings, members
from hub.giving.courier import Courier
from hub.giving.ways import Result, Sent, Way
from tests.giving.far_ends import certificate
from tests.hub.conftest import Store, folder, store

__all__ = ["folder", "store"]

MAIL = """
[members.mail]
host = "127.0.0.1"
port = 1
sender = "coupons@store.test"
security = "none"
timeout_s = 2
"""
PUSH = """
[push]
contact = "mailto:it@store.test"
services = ["push.test"]
timeout_s = 2
"""


class Away:
    """A way whose outcomes a test says; "sent" when it has said no more."""

    purpose = None

    def __init__(self, name: str, *results: Result) -> None:
        self.name, self.results, self.brought = name, list(results), []

    async def bring(self, parcel) -> Result:
        self.brought.append(parcel)
        return self.results.pop(0) if self.results else Sent()


class Giver:
    """The hub of `store` with its courier, run a turn at a time."""

    def __init__(self, store: Store, *ways: Way) -> None:
        self.store = store
        self.node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
        self.ways = {way.name: way for way in ways}
        self.courier = Courier(self.node, store.hub.giving, self.ways, store.hub.counters, random.Random(1))

    async def turn(self, **later: float) -> None:
        """What is due is brought, and ends."""
        self.store.later(**later)
        with self.store.engine.transaction() as tx:
            self.store.hub.giving.tick(tx)
        self.courier._begin()
        await self.courier.idle()

    def states(self, coupon: str) -> dict[str, str]:
        return {row.way: row.state for row in givings.ways_of(self.store.journal.db, coupon)}

    def detail(self, coupon: str, way: str) -> str:
        found = givings.way(self.store.journal.db, coupon, way)
        assert found is not None
        return found.detail


def leave(store: Store, *, paper: str = "failed", customer: str | None = "C0001", sale: str = "S-1") -> str:
    """She buys, scans, the paper comes to this end, she passes; the coupon."""
    scan = f"scan-{sale}"
    said = store.scan(store.sell(sale, 3000, customer).exit_code, sale=sale, id=scan)
    coupon = decided(said, scan)
    store.printed(coupon, paper, scan=scan)
    store.passage(scan=scan)
    return coupon


def decided(said: list, scan: str) -> str:
    """The coupon of the decision on this scan; what is unacknowledged is said again beside it."""
    return str(next(m.data.incentive.coupon for m in said if m.channel.name == "lane_decision" and m.data.scan == scan))


def agrees(store: Store, *purposes: str, customer: str = "C0001") -> None:
    for purpose in purposes:
        consents.give(store.journal.db, customer, consents.Purpose(purpose), f"{purpose}-1", "2026-03-01")


def signed_in(store: Store, hash: str = "h1", customer: str = "C0001") -> None:
    members.open_session(store.journal.db, hash, customer, "2026-03-01T00:00:00.000000Z", proved=True)


def now_address(store: Store, email: str, customer: str = "C0001", **more: str) -> None:
    """Her e-mail address, and whatever else, as an import would set them: checked by nobody."""
    for column, value in {"email": email, **more}.items():
        store.journal.db.execute(f"UPDATE customer SET {column} = ? WHERE customer = ?", (value, customer))


@pytest.fixture
def with_settings(folder: Path) -> Callable[[str], None]:
    """Adds lines to the hub's settings; before the store is made."""

    def add(text: str) -> None:
        with (folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    return add


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's), for mail.test, push.test and loopback."""
    return certificate(tmp_path, "mail.test", "push.test", "127.0.0.1")
