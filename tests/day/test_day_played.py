"""A short scripted day through real processes, and that the comparison at its end sees what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from instore.day.oracle import Expected
from instore.day.seen import Seen, compare


@pytest.mark.row("A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "C5", "C9", "C11")
def test_a_short_day_brings_exactly_what_arithmetic_says():
    told = subprocess.run(
        [sys.executable, "-m", "instore", "sim", "day", "--scenario", "arrivals", "--customers", "12", "--seed", "138",
         "--length-s", "10", "--broker", "mosquitto", "--json"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    summary = json.loads(told.stdout.splitlines()[-1])
    assert summary["type"] == "instore.sim.summary"
    assert summary["expected"] == {"alerts": 15, "treatments": 2, "coupons": 2, "kept": 2}
    assert (told.returncode, summary["ok"]) == (0, True), told.stdout[-3000:] + told.stderr[-1000:]


def alert(alert: str, customer: str = "D1", kind: str = "service_request") -> dict:
    return {"data": {"alert": alert, "kind": kind, "customer": {"customer": customer}}}


def coupon(coupon: str, customer: str = "D1", state: str = "offered") -> dict:
    return {"data": {"coupon": coupon, "customer": customer, "rule": "tableware", "state": state}}


def test_what_is_missing_too_much_or_twice_is_seen():
    seen = Seen({"D1": "p1", "D2": "p2"})
    seen.message("instore.alert.v1", alert("a1"), {"clerk": "c01"})
    seen.message("instore.alert.v1", alert("a1"), {"clerk": "c01"})  # sent again: the same alert
    seen.message("instore.coupon.issued.v1", coupon("H1"), {})
    seen.phone({"event": "coupon", "customer": "D1", "coupon": "H1"})
    wanted = Expected({("p1", "service_request", "c01")}, set(), {("p1", "tableware")}, {("p1", "tableware")})
    assert not any(each["missing"] or each["extra"] for each in compare(wanted, seen).values())
    seen.message("instore.alert.v1", alert("a2"), {"clerk": "c01"})
    seen.message("instore.alert.v1", alert("a3", "D2"), {"clerk": "c02"})
    seen.message("instore.coupon.issued.v1", coupon("H2"), {})
    seen.message(
        "instore.treatment.decided.v1",
        {"data": {"customer": "D9", "treatment": "drink", "decided": "thirsty: yes"}},
        {},
    )
    wanted.kept.add(("p2", "tableware"))
    found = compare(wanted, seen)
    assert found["alerts"] == {"missing": [], "extra": ["p2 service_request c02", "service_request for p1"]}
    assert found["coupons"]["extra"] == ["coupon ('p1', 'tableware')"]
    assert found["treatments"]["extra"] == ["nobody (D9) thirsty"]
    assert found["kept"]["missing"] == ["p2 tableware"]
