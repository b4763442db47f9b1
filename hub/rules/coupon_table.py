"""The coupon table, compiled: which coupons a customer's values bring, and why not the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from config.coupons import CouponRule, CouponsFile
from hub.rules.condition import Condition, Finding, Value

SAMPLES: Mapping[str, Value] = {"spent_in_period": 0, "days_in_period": 0, "age": 0, "gender": "female"}
"""What a coupon's condition may name besides the customer and the categories, with an example of its type."""


def samples(categories: Iterable[str]) -> dict[str, Value]:
    """Names that a table with these categories gives to conditions, with examples of their types."""
    found: dict[str, Value] = dict(SAMPLES)
    for name in categories:
        found |= {f"{name}_share": 0.0, f"{name}_pieces": 0, f"{name}_days": 0}
    return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one visit brings. `because` is for the trace (row C7): each coupon given, or the nearest that was not."""

    rules: tuple[CouponRule, ...]
    because: str


@dataclass(frozen=True, slots=True)
class CouponTable:
    """`coupons.toml` with its conditions; an empty one gives nothing."""

    file: CouponsFile = field(default_factory=CouponsFile)
    conditions: tuple[Condition, ...] = ()

    def choose(self, values: Mapping[str, Value], room: Callable[[CouponRule], str]) -> Chosen:
        """The first coupons that hold and have room. `room` says which limit is reached, or "".

        Values that are not known (age, gender) are left out of `values`: what names them does not hold.
        """
        given: list[CouponRule] = []
        said: list[str] = []
        full: list[str] = []
        nearest: tuple[str, Finding] | None = None
        for rule, condition in zip(self.file.coupon, self.conditions, strict=True):
            if len(given) == self.file.per_visit:
                break
            finding = _find(condition, values)
            if not finding.holds:
                if nearest is None or (finding.missing, finding.distance) < (nearest[1].missing, nearest[1].distance):
                    nearest = rule.name, finding
            elif limit := room(rule):
                full.append(f"{rule.name} holds, but {limit}")
            else:
                given.append(rule)
                said.append(f"{rule.name}: yes, {finding.because}")
        if given:
            return Chosen(tuple(given), "; ".join([*said, *full]))
        if full:
            return Chosen((), f"no: {'; '.join(full)}")
        if nearest is None:
            return Chosen((), "no: there is no coupon in the table")
        return Chosen((), f"no, nearest {nearest[0]}: {nearest[1].because}")


def _find(condition: Condition, values: Mapping[str, Value]) -> Finding:
    unknown = [name for name in ("age", "gender") if name in condition.variables and name not in values]
    if unknown:
        return Finding(
            False,
            f"her {' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not known",
            len(unknown),
            1.0,
            {},
        )
    return condition.find(values)
