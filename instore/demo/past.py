"""What was before the demo: its clerks, what Hanako has bought and has agreed to, and that her phone is signed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from config.hub_settings import load_hub
from delivery.journal import Journal
from hub.clerks import import_clerks
from hub.database import consents, imports, members, sales, times
from hub.database.consents import Purpose
from hub.database.sales import SaleRow
from hub.database.schema import MIGRATIONS
from hub.days import store_day
from hub.members import secrets
from instore.demo.layout import Layout

HANAKO = "C0001"
AGREED = (Purpose.SERVICE, Purpose.SENSING, Purpose.COUPONS)
BOUGHT = (("食器", "茶碗", 2, 6400, 40), ("食器", "湯呑み", 2, 3800, 12))
"""Category, product, pieces, amount, days ago."""
READINGS = {"ambient_temperature_c": 33.5, "humidity_percent": 70, "heart_rate_per_min": 112, "speed_m_s": 0.8,
            "body_temperature_c": 36.9, "blood_pressure": {"systolic_kpa": 16.3, "diastolic_kpa": 10.4}}  # fmt: skip
"""It is a hot day and she has hurried."""


def write_past(layout: Layout) -> str:
    """Into the hub's database, before the hub starts; returns the session of her phone."""
    settings = load_hub(layout.path("hub.toml"))
    now = datetime.now(UTC)
    session = secrets.new_secret()
    journal = Journal(settings.database, MIGRATIONS)
    try:
        import_clerks(journal.db, layout.path("clerks.csv"))
        with imports.transaction(journal.db):
            for purpose in AGREED:
                consents.give(journal.db, HANAKO, purpose, f"{purpose}-1", times.text(now - timedelta(days=60)))
            members.open_session(journal.db, secrets.hash_of(session), HANAKO, times.text(now), proved=True)
            for number, (category, product, pieces, amount, days) in enumerate(BOUGHT):
                when = now - timedelta(days=days)
                day = store_day(when, settings.store.zone)
                row = SaleRow(sale=f"before-{number}", customer=HANAKO, amount_minor=amount, currency="JPY",
                              paid_on="settlement", device="till-1", sold=times.text(when), day=day, posted_by="demo-pos",
                              fingerprint="", points=0, unclaimed=None, void=None, voided=None)  # fmt: skip
                sales.add(
                    journal.db,
                    row,
                    [(product, product, category, pieces, amount)],
                    [("cash", amount, "settlement", "till-1")],
                )
    finally:
        journal.close()
    return session
