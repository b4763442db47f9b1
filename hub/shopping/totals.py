"""Sums and tax of a list, in whole minor units. Pure.

Consumption tax is reckoned once for each rate of a receipt, never per product: so the Japanese invoice system wants it
(Consumption Tax Act, qualified invoices since October 2023: one rounding for each rate of an invoice). How it is rounded is
a setting: `down`, `half_up` or `up`, of the tax of one rate.

    prices include tax      total = sum of the prices; tax = sum of one rate · rate / (1 + rate), rounded
    prices without tax      tax = sum of one rate · rate, rounded; total = sum of the prices + tax

Every amount stays below 2^53: at most 100 lines of at most 999 pieces of at most 10^10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Rounding = Literal["down", "half_up", "up"]


class Priced(Protocol):
    """A line of a list."""

    @property
    def price_minor(self) -> int: ...

    @property
    def tax_per_mille(self) -> int: ...

    @property
    def quantity(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TaxShare:
    """What one rate brings: `taxed_minor` is the sum with its tax."""

    tax_per_mille: int
    taxed_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`total_minor` is what is paid, `tax_minor` the tax in it, `lines` what each line has in the total."""

    total_minor: int
    tax_minor: int
    by_rate: tuple[TaxShare, ...]
    lines: tuple[int, ...]


def totals(items: Sequence[Priced], *, included: bool, rounding: Rounding) -> Totals:
    """The sums of a list; `included`: its prices include the tax."""
    amounts = [item.price_minor * item.quantity for item in items]
    rates = sorted({item.tax_per_mille for item in items}, reverse=True)
    shares = []
    for rate in rates:
        mine = [n for n, item in enumerate(items) if item.tax_per_mille == rate]
        plain = sum(amounts[n] for n in mine)
        tax = divided(plain * rate, 1000 + rate if included else 1000, rounding)
        if not included:
            for n, more in zip(mine, spread(tax, [amounts[n] for n in mine]), strict=True):
                amounts[n] += more
        shares.append(TaxShare(rate, plain if included else plain + tax, tax))
    return Totals(sum(amounts), sum(share.tax_minor for share in shares), tuple(shares), tuple(amounts))


def divided(above: int, below: int, rounding: Rounding) -> int:
    """`above / below` of numbers that are not negative, as a whole number."""
    whole, rest = divmod(above, below)
    up = {"down": False, "half_up": 2 * rest >= below, "up": rest > 0}[rounding]
    return whole + up


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in whole parts after `weights`, which sum to it exactly: what remains goes to the largest rests, first to the
    first line."""
    total = sum(weights)
    if total == 0:
        return [amount if n == 0 else 0 for n in range(len(weights))]
    parts = [amount * weight // total for weight in weights]
    rests = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % total), n))
    for n in rests[: amount - sum(parts)]:
        parts[n] += 1
    return parts
