"""Customers before detectors in short words, their consents, and a search for what must not be kept of them."""

from __future__ import annotations

from contract.payloads import Detector, Sighting, TerminalPresence
from hub.database import consents, times

TOKEN = "member:ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FACE = "face:t-0001"
KEY = bytes(range(16))
PERIOD_S = 1024
OPENED = ["visit_opened", "alert", "alert", "alert"]


def sight(store, beacon, detector=Detector.BEACON, event="arrived", *, agent="entrance", heard=None):
    data = Sighting(beacon=beacon, event=event, detector=detector, heard=heard or store.now)
    return [m.channel.name for m in store.hear(store.bytes_of("sighting", data, agent=agent))]


def terminal(store, event="arrived", *, customer="C0001", says=None):
    data = TerminalPresence(customer=says or customer, event=event, at=store.now)
    assert not store.terminal(customer, "terminal_presence", data)
    return store.listen()


def owns(store, beacon, customer="C0001") -> None:
    store.journal.db.execute("INSERT INTO customer_beacon VALUES (?, ?)", (beacon, customer))


def agrees(store, *purposes, customer="C0001") -> None:
    for purpose in purposes:
        consents.give(store.journal.db, customer, purpose, "wording-1", times.text(store.now))


def withdraws(store, purpose, customer="C0001") -> None:
    assert consents.withdraw(store.journal.db, customer, purpose, times.text(store.now))


def registered(store, customer="C0001") -> None:
    """She made her record herself, on the web."""
    store.journal.db.execute(
        "INSERT INTO member (customer, registered) VALUES (?, ?)", (customer, times.text(store.now))
    )


def nothing_of_her(store, *texts) -> None:
    """No visit, no trace, and none of these texts in any table."""
    for (table,) in store.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if table in ("customer", "customer_beacon", "deputy", "consent", "member", "eid_key"):
            continue
        for row in store.all(f"SELECT * FROM {table}"):
            assert not any(text in str(value) for value in row for text in texts), (table, row)
