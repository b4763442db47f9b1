"""What a played visit came to: counts of each effect, and the two times that a person feels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from firmware_sim.printer import read_codes
from instore.demo.record import Happening

ORDER = (
    "instore.sighting.v1",
    "instore.alert.v1",
    "instore.alert.answer.v1",
    "instore.lane.scan.v1",
    "instore.lane.decision.v1",
    "instore.lane.printed.v1",
    "instore.lane.opened.v1",
    "instore.lane.passage.v1",
    "instore.incentive.settled.v1",
)
"""A good customer's visit, in the order in which it has to happen."""
IN_VAIN = ("not_passed", "fault")
"""How a passage ended that was none."""


def summary(happenings: Iterable[Happening], receipts: Path, gate_memory: Path) -> dict[str, Any]:
    """Counts of distinct effects, `in_order`, `ok`, and times in milliseconds (None when they were not seen).

    A scan after which nobody got through (a gate that lost its power) was in vain: she scanned again, and that one counts.
    Paper and persons are counted where they are: receipts with a code that can be read from their picture, and the
    counter in the gate's own memory.
    """
    seen = list(happenings)
    in_vain = {scan for how in IN_VAIN for scan in _distinct(seen, "instore.lane.passage.v1", "scan", outcome=how)}
    treated = _distinct(seen, "instore.alert.v1", "alert", kind="special_treatment")
    counts = {
        "sightings": len(_distinct(seen, "instore.sighting.v1", "beacon", event="arrived")),
        "service_requests": len(_distinct(seen, "instore.alert.v1", "alert", kind="service_request")),
        "acceptances": _accepted(seen, treated),
        "exit_scans": len(_distinct(seen, "instore.lane.scan.v1", "code_id")),
        "decisions": len(_distinct(seen, "instore.lane.decision.v1", "scan", outcome="open") - in_vain),
        "coupons_printed": len(_distinct(seen, "instore.lane.printed.v1", "coupon", outcome="printed")),
        "receipts": len([png for png in receipts.glob("receipt-*.png") if read_codes(png)]),
        "gate_openings": len(_distinct(seen, "instore.lane.opened.v1", "scan") - in_vain),
        "passages": len(_distinct(seen, "instore.lane.passage.v1", "scan", outcome="passed")),
        "persons": _exits(gate_memory),
        "commits": len(_distinct(seen, "instore.incentive.settled.v1", "coupon", outcome="committed")),
    }
    recovered = any(h.extra.get("recovered") for h in seen)
    told = [h for h in seen if (h.message.get("data") or {}).get("outcome") not in (*IN_VAIN, "released")]
    firsts = [next((n for n, h in enumerate(told) if h.type == type_), None) for type_ in ORDER]
    found = [first for first in firsts if first is not None]
    in_order = found == sorted(found) and len(found) == len(ORDER)
    complete = all(count == 1 for count in counts.values()) and (in_order or recovered)
    return {
        "counts": counts,
        "treatments": len(treated),
        "coupons_from_history": len(_distinct(seen, "instore.coupon.issued.v1", "coupon", state="offered")),
        "in_order": in_order,
        "recovered_from_trace": recovered,
        "advert_to_handheld_ms": _between(seen, _first_advert(seen), "instore.alert.v1"),
        "scan_to_gate_ms": _scan_to_gate(seen),
        "ok": complete,
    }


def _exits(gate_memory: Path) -> int:
    try:
        return int(json.loads(gate_memory.read_text())["exits"])
    except (OSError, ValueError, KeyError):
        return 0


def _distinct(seen: list[Happening], type_: str, key: str, **wanted: str) -> set[str]:
    """Different values of `key` in the messages of a type; a message recovered from the trace counts by its ID."""
    found: set[str] = set()
    recovered: set[str] = set()
    for happening in seen:
        if happening.type != type_:
            continue
        data = happening.message.get("data")
        if data is None:
            recovered.add(str(happening.message.get("id")))
        elif all(data.get(name) == value for name, value in wanted.items()):
            found.add(str(data.get(key)))
    # What was both seen and recovered is one: the record leaves out messages with an ID that it has seen.
    return found or recovered


def _accepted(seen: list[Happening], treated: set[str]) -> int:
    """Requests for service that were accepted. What the trace tells of an answer is not which alert it was for: it counts once."""
    answers = [h for h in seen if h.type == "instore.alert.answer.v1"]
    told = _distinct([h for h in answers if h.message.get("data")], "instore.alert.answer.v1", "alert", answer="accept")
    held = _distinct(seen, "instore.alert.v1", "alert", kind="service_request", state="accepted")
    return len((told - treated) | held) or min(1, len([h for h in answers if not h.message.get("data")]))


def _event(happening: Happening, device: str, name: str) -> bool:
    return happening.type == f"instore.demo.{device}" and happening.message.get("event") == name


def _first_advert(seen: list[Happening]) -> float | None:
    adverts = [
        h.message["t"] for h in seen if _event(h, "beacons", "first_advert") and h.message.get("id") != "heartbeat"
    ]
    return min(adverts, default=None)


def _between(seen: list[Happening], start: float | None, type_: str) -> float | None:
    end = next((h.mono for h in seen if h.type == type_), None)
    return None if start is None or end is None else round((end - start) * 1000, 1)


def _scan_to_gate(seen: list[Happening]) -> float | None:
    sent = next((h.message["t"] for h in seen if _event(h, "reader", "sent")), None)
    pulse = next((h.message["t"] for h in seen if _event(h, "gate", "pulse")), None)
    return None if sent is None or pulse is None else round((pulse - sent) * 1000, 1)
