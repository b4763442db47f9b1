"""The hub's books at the end of a day of exits, read from its database as an auditor does, and compared with what had to come."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Set
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instore.day.exits_files import address_of
from instore.day.exits_oracle import LUCKY, Exit, Expected

KINDS = ("exits", "grants", "given", "redeemed", "accounts", "promises")


@dataclass(frozen=True, slots=True)
class Booked:
    """One grant as the hub has it."""

    coupon: str
    rule: str
    kind: str
    amount_minor: int
    percent: int
    points: int
    give: str
    paper: str
    state: str

    def __str__(self) -> str:
        return f"{self.rule} {self.kind} {self.amount_minor}/{self.percent}%/{self.points}p"


class Ledger:
    """Reads the hub's database while it runs, and after."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(sql, values).fetchall()

    def is_used(self, sale: str) -> bool:
        """Whether somebody has passed with the exit code of a sale."""
        return bool(self._rows("SELECT 1 FROM exit_code WHERE sale = ? AND used IS NOT NULL", sale))

    def coupon_of(self, sale: str) -> str | None:
        """The coupon that a sale brought, if it is one that a till takes."""
        rows = self._rows(
            "SELECT coupon FROM incentive WHERE sale = ? AND kind <> 'points' AND state = 'committed'", sale
        )
        return rows[0][0] if rows else None

    def used_sales(self) -> Counter[str]:
        return Counter(sale for (sale,) in self._rows("SELECT sale FROM exit_code WHERE used IS NOT NULL"))

    def grants(self) -> dict[str, list[Booked]]:
        """By sale."""
        found: dict[str, list[Booked]] = {}
        for sale, *rest in self._rows(
            "SELECT sale, coupon, rule, kind, amount_minor, percent, points, give, paper, state FROM incentive"
        ):
            found.setdefault(sale, []).append(Booked(*rest))
        return found

    def reservations(self) -> Counter[str]:
        """How each scan ended that had reserved something; "" for one that has not."""
        return Counter(passage or "" for (passage,) in self._rows("SELECT passage FROM scan WHERE coupon IS NOT NULL"))

    def redemptions(self) -> Counter[str]:
        return Counter(coupon for (coupon,) in self._rows("SELECT coupon FROM redemption"))

    def electronic(self) -> set[str]:
        """Coupons that were brought to somebody's terminal."""
        return {coupon for (coupon,) in self._rows("SELECT coupon FROM given_coupon")}

    def accounts(self) -> dict[str, tuple[int, int, int]]:
        """Exits, payments on the terminal, points, by customer."""
        return {customer: (exits, payments, points) for customer, exits, payments, points in
                self._rows("SELECT customer, exits, terminal_payments, points FROM customer")}  # fmt: skip


@dataclass(slots=True)
class Balance:
    """What the books say, and what does not fit."""

    figures: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    extra: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    broken: list[str] = field(default_factory=list)
    """Sums that do not come out."""

    @property
    def ok(self) -> bool:
        return not self.broken and not any(self.missing.values()) and not any(self.extra.values())


def balance(ledger: Ledger, wanted: Expected, *, sales: Mapping[Exit, str], out: Mapping[Exit, int], promises: Mapping[Exit, str],
            used: Mapping[Exit, int], slips: Mapping[str, int], letters: Mapping[tuple[str, str], int],
            pictures: Set[str], counted: int, customers: Mapping[str, str]) -> Balance:  # fmt: skip
    """Everything compared. `sales` by exit; `out` how often she walked out; `slips` complete slips by coupon; `letters` by address
    and coupon; `pictures`: coupons photographed on a display; `counted` by the gates; `customers` ID by key."""
    made, grants, at_tills = Balance(), ledger.grants(), ledger.redemptions()
    _exits(made, ledger.used_sales(), wanted, sales, out, counted)
    _grants(made, grants, wanted, sales)
    _budget(made, grants, wanted)
    _given(made, grants, slips, ledger.electronic(), pictures)
    _letters(made, grants, wanted, sales, letters)
    _redeemed(made, grants, at_tills, wanted, sales, used)
    _accounts(made, ledger.accounts(), wanted, customers)
    for this, title in promises.items():
        if bool(title) != (this in wanted.grants):
            (made.extra if title else made.missing)["promises"].append(f"{_name(this)}: promised {title or 'nothing'}")
    _sums(made, grants, ledger.reservations(), slips, at_tills)
    return made


def _exits(
    made: Balance,
    used: Counter[str],
    wanted: Expected,
    sales: Mapping[Exit, str],
    out: Mapping[Exit, int],
    counted: int,
) -> None:
    for this in wanted.paid:
        if not out.get(this):
            made.missing["exits"].append(f"{_name(this)}: paid and is not out")
        elif not used.get(sales.get(this, "")):
            made.missing["exits"].append(f"{_name(this)}: is out and the hub does not know it")
    made.extra["exits"] += [
        f"{_name(this)}: left {times} times with one sale" for this, times in out.items() if times > 1
    ]
    known = set(sales.values())
    made.extra["exits"] += [
        f"{sale}: code used, and nobody of the script paid for it" for sale in used if sale not in known
    ]
    made.figures |= {"paid": len(sales), "out": sum(out.values()), "counted_by_gates": counted, "codes_used": len(used)}
    if counted != sum(out.values()):
        made.broken.append(f"gates counted {counted} exits, {sum(out.values())} customers walked out")


def _grants(made: Balance, grants: Mapping[str, list[Booked]], wanted: Expected, sales: Mapping[Exit, str]) -> None:
    exit_of = {sale: this for this, sale in sales.items()}
    for this, grant in wanted.grants.items():
        booked = [str(each) for each in grants.get(sales.get(this, ""), []) if each.state == "committed"]
        right = {str(grant), str(LUCKY)} if this in wanted.lucky else {str(grant)}
        if not right & set(booked):
            made.missing["grants"].append(f"{_name(this)}: {grant}; booked {booked or 'none'}")
        made.extra["grants"] += [f"{_name(this)}: {each}" for each in booked[1:]]
    for sale, rows in grants.items():
        whose = exit_of.get(sale)
        wants = wanted.grants.get(whose) if whose is not None else None
        right = {str(wants), str(LUCKY)} if whose in wanted.lucky else {str(wants)}
        if any(row.state == "committed" for row in rows) and not right & {str(row) for row in rows}:
            made.extra["grants"].append(f"{_name(whose) if whose else sale}: {rows[0]}")


def _budget(made: Balance, grants: Mapping[str, list[Booked]], wanted: Expected) -> None:
    """What is reserved counts; what is released is free for the next one: in the end all of it is given, and no more."""
    given = sum(row.state == "committed" and row.rule == LUCKY.rule for rows in grants.values() for row in rows)
    made.figures["given_of_budget"] = given
    if given != min(wanted.budget, len(wanted.lucky)):
        made.broken.append(f"{given} of a budget of {wanted.budget} were given; {len(wanted.lucky)} could have had one")


def _letters(made: Balance, grants: Mapping[str, list[Booked]], wanted: Expected, sales: Mapping[Exit, str],
             letters: Mapping[tuple[str, str], int]) -> None:  # fmt: skip
    """What is to come by e-mail came, to her, once."""
    due = {(address_of(this[0]), row.coupon) for this, grant in wanted.grants.items() if grant.ways[0] == "email"
           for row in grants.get(sales.get(this, ""), []) if row.state == "committed"}  # fmt: skip
    made.figures["letters"] = sum(letters.values())
    made.missing["given"] += [f"{coupon}: no letter to {address}" for address, coupon in sorted(due - set(letters))]
    made.extra["given"] += [
        f"{coupon}: {count} letters to {address}"
        for (address, coupon), count in letters.items()
        if count > 1 or (address, coupon) not in due
    ]


def _given(made: Balance, grants: Mapping[str, list[Booked]], slips: Mapping[str, int], electronic: set[str],
           pictures: Set[str]) -> None:  # fmt: skip
    """Each coupon that was granted is on paper, on her terminal, or in a picture of hers, and on paper at most once."""
    known = {row.coupon for rows in grants.values() for row in rows}
    for sale, rows in grants.items():
        for row in rows:
            if slips.get(row.coupon, 0) > 1:
                made.extra["given"].append(f"{row.coupon} of {sale}: {slips[row.coupon]} slips")
            if (
                row.state == "committed"
                and row.kind != "points"
                and not slips.get(row.coupon)
                and row.coupon not in electronic
            ):
                if row.rule == "guest" and (row.coupon in pictures or row.paper == ""):
                    continue  # nobody knows her; where the lane was alone, her coupon waits at the counter under its number
                made.missing["given"].append(f"{row.coupon} of {sale}: neither on paper nor on a terminal")
    made.extra["given"] += [f"{coupon}: a slip that nobody granted" for coupon in slips if coupon not in known]


def _redeemed(made: Balance, grants: Mapping[str, list[Booked]], at_tills: Counter[str], wanted: Expected, sales: Mapping[Exit, str],
              used: Mapping[Exit, int]) -> None:  # fmt: skip
    made.extra["redeemed"] += [f"{_name(this)}: taken {times} times" for this, times in used.items() if times > 1]
    for this in wanted.redeemed:
        coupons = [row.coupon for row in grants.get(sales.get(this, ""), [])]
        if not any(at_tills.get(coupon) for coupon in coupons) or used.get(this, 0) < 1:
            made.missing["redeemed"].append(f"{_name(this)}: {coupons}")
    made.extra["redeemed"] += [
        f"{_name(this)}: taken" for this, times in used.items() if times and this not in wanted.redeemed
    ]


def _accounts(
    made: Balance, booked: Mapping[str, tuple[int, int, int]], wanted: Expected, customers: Mapping[str, str]
) -> None:
    for key, account in wanted.accounts.items():
        have = booked.get(customers.get(key, ""), (0, 0, 0))
        for name, want, has in zip(("exits", "terminal_payments", "points"), (account.exits, account.terminal_payments, account.points), have, strict=True):  # fmt: skip
            if want != has:
                (made.missing if has < want else made.extra)["accounts"].append(f"{key}: {name} {has}, expected {want}")


def _sums(made: Balance, grants: Mapping[str, list[Booked]], reservations: Counter[str], slips: Mapping[str, int],
          at_tills: Counter[str]) -> None:  # fmt: skip
    """A scan reserves what its purchase brings; by a passage it is committed, by anything else released, and reserved anew by the
    next scan of that code."""
    rows = [row for each in grants.values() for row in each]
    states = Counter(row.state for row in rows)
    confirmed = {row.coupon for row in rows if row.paper == "printed"}
    printed = set(slips)
    committed = reservations["passed"]
    released = sum(count for passage, count in reservations.items() if passage not in ("", "passed"))
    figures = {"reserved": reservations.total(), "committed": committed, "released": released, "printed": sum(slips.values()),
               "confirmed": len(confirmed), "granted": states["committed"], "redeemed": sum(at_tills.values())}  # fmt: skip
    made.figures |= figures
    if figures["reserved"] != committed + released:
        made.broken.append(
            f"reserved {figures['reserved']} is not committed {committed} + released {released}: {dict(reservations)}"
        )
    if committed != figures["granted"] or states["reserved"]:
        made.broken.append(f"{committed} scans were committed, and coupons are {dict(states)}")
    if figures["printed"] != figures["confirmed"] or printed != confirmed:
        odd = sorted(printed ^ confirmed)
        made.broken.append(f"printed {figures['printed']}, confirmed {figures['confirmed']}: {odd[:5]}")
    if figures["redeemed"] > figures["granted"]:
        made.broken.append(f"redeemed {figures['redeemed']} of {figures['granted']} granted")


def _name(this: Exit) -> str:
    return f"{this[0]} trip {this[1]}"
