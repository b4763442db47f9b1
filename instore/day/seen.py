"""What a day brought, as an observer, the phones and the hub's own word say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instore.day.oracle import Expected

KINDS = ("alerts", "treatments", "coupons", "kept")


@dataclass(slots=True)
class Seen:
    """Fed with messages and events; `people` is the customer's key by ID."""

    people: Mapping[str, str]
    found: Expected = field(default_factory=Expected)
    twice: list[str] = field(default_factory=list)
    """What happened once more than it may: a second alert or coupon of the same kind."""
    _alert_of: dict[tuple[str, str], str] = field(default_factory=dict)
    _rule_of: dict[str, str] = field(default_factory=dict)

    def message(self, type_: str, message: dict[str, Any], ids: Mapping[str, str]) -> None:
        """Something that was said over MQTT."""
        data = message.get("data", {})
        if type_ == "instore.alert.v1":
            self._alert(data, ids["clerk"])
        elif type_ == "instore.treatment.decided.v1" and data.get("treatment"):
            self.found.treatments.add((self._key(data["customer"]), data["decided"].partition(":")[0]))
        elif type_ == "instore.coupon.issued.v1" and data["state"] == "offered":
            pair = (self._key(data["customer"]), data["rule"])
            if data["coupon"] not in self._rule_of and pair in self.found.coupons:
                self.twice.append(f"coupon {pair}")
            self._rule_of[data["coupon"]] = data["rule"]
            self.found.coupons.add(pair)

    def _alert(self, data: Mapping[str, Any], clerk: str) -> None:
        key, kind = self._key(data["customer"]["customer"]), data["kind"]
        known = self._alert_of.setdefault((key, kind), data["alert"])
        if known != data["alert"]:
            self.twice.append(f"{kind} for {key}")
        self.found.alerts.add((key, kind, clerk))

    def phone(self, event: Mapping[str, Any]) -> None:
        """Something that a phone did."""
        if event.get("event") == "coupon":
            # The hub says of which rule it is; it may say so a moment later than the phone has it.
            rule = self._rule_of.get(event["coupon"], "")
            self.found.kept.add((self._key(event["customer"]), rule or event["coupon"]))

    def settle(self) -> None:
        """Coupons that a phone had before the observer heard of their rule."""
        self.found.kept = {(key, self._rule_of.get(rule, rule)) for key, rule in self.found.kept}

    def _key(self, customer: str) -> str:
        return self.people.get(customer, f"nobody ({customer})")


def compare(wanted: Expected, seen: Seen) -> dict[str, dict[str, list[str]]]:
    """What is missing and what there is too much of, by kind; empty lists when all is as it has to be."""
    seen.settle()
    differences: dict[str, dict[str, list[str]]] = {}
    for kind in KINDS:
        want, have = getattr(wanted, kind), getattr(seen.found, kind)
        differences[kind] = {"missing": [" ".join(each) for each in sorted(want - have)],
                             "extra": [" ".join(each) for each in sorted(have - want)]}  # fmt: skip
    differences["alerts"]["extra"] += [each for each in seen.twice if not each.startswith("coupon")]
    differences["coupons"]["extra"] += [each for each in seen.twice if each.startswith("coupon")]
    return differences
