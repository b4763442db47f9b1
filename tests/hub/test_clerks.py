"""Clerks: groups, and who has left (rows A1, C6)."""

from __future__ import annotations

import pytest

from hub.database import clerks


@pytest.mark.row("A1")
def test_groups_name_those_who_work_here(store):
    db = store.journal.db
    clerks.write(db, "m1", {"name": "佐藤"}, ("floor",))
    clerks.write(db, "m2", {"name": "Kim", "left_on": "2026-03-01"}, ("floor", "night"))
    assert clerks.group(db, "floor") == ("m1",)
    assert clerks.group(db, "floor", "2026-02-28") == ("m1", "m2")
    assert clerks.group(db, "floor", "2026-03-01") == ("m1",)
    assert clerks.group(db, "nobody") == ()
    assert clerks.groups(db) == ("floor", "night")


@pytest.mark.row("A1")
def test_who_has_left_is_not_active(store):
    db = store.journal.db
    clerks.write(db, "c01", {"left_on": "2026-03-02"}, None)
    assert clerks.active(db, "c01", "2026-03-01")
    assert not clerks.active(db, "c01", "2026-03-02")
    assert not clerks.active(db, "c01")
    clerks.write(db, "c01", {"left_on": None}, None)
    assert clerks.active(db, "c01")
    assert clerks.active(db, "never-heard-of")
