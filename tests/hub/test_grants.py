"""Budgets, limits, points and counts at real lanes: decided inside the transaction that reserves (rows B3, B7, B8, B11, C3)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contract import exit_code
from contract.exit_code import ExitClaims
from contract.payloads import DeviceStatus, LaneDecision, LaneScan
from hub.database import whole
from hub.sale_shapes import SaleLine, SalePost, SaleRefused, Tender, VoidPost
from hub.shopping.promise import promise
from tests.hub.conftest import Store

RECEIPT = '[incentive.receipt]\nja = [["qr", "{coupon}"]]\nen = [["qr", "{coupon}"]]\n'
HER, JOHN, ICHIRO = "C0001", "C0002", "C0003"


def write(store: Store, *rules: str, top: str = "") -> None:
    """Rules as a manager writes them; what is not said is a coupon of 200 yen."""
    made = []
    for number, rule in enumerate(rules):
        keys = [line.partition("=")[0].strip() for line in rule.splitlines()]
        usual = {
            "name": f'"r{number}"',
            "when": '"true"',
            "kind": '"discount"',
            "title": f'{{ ja = "r{number}", en = "r{number}" }}',
        }
        if "kind" not in keys and not {"amount_minor", "percent", "table", "by_paying"} & set(keys):
            usual["amount_minor"] = "200"
        lines = [f"{key} = {value}" for key, value in usual.items() if key not in keys]
        made.append("\n".join(["[[incentive]]", *lines, rule, RECEIPT]))
    Path(store.settings.incentives).write_text("\n".join([top, *made]), encoding="utf-8")
    store.policy.check()
    assert store.policy.problem is None, store.policy.problem


class Exit:
    """Sales and lanes in short words. Each purchase has its own lane, so that none supersedes another."""

    def __init__(self, store: Store) -> None:
        self.store, self._codes, self._scans = store, {}, 0

    def sell(self, sale: str, customer: str | None = HER, amount: int = 3000, **more: Any) -> None:
        self._codes[sale] = self.store.sell(sale, amount, customer, **more).exit_code

    def scan(self, sale: str, lane: str | None = None) -> Any:
        """The incentive that the lane is told to give, or None."""
        self._scans += 1
        id = f"scan-{sale}-{self._scans}"
        self.store.scan(self._codes[sale], sale=sale, id=id, lane=lane or sale.lower())
        # As it was decided: what waits for an agent that acknowledges nothing is not sent any more.
        return LaneDecision.model_validate_json(
            self.store.one("SELECT decision FROM scan WHERE scan = ?", id)[0]
        ).incentive

    def pass_(self, sale: str, outcome: str = "passed", lane: str | None = None) -> str | None:
        """How the incentive was settled."""
        said = self.store.passage(outcome, scan=f"scan-{sale}-{self._scans}", lane=lane or sale.lower())
        return next((m.data.outcome for m in said if m.channel.name == "incentive_settled"), None)

    def leave(self, sale: str, customer: str | None = HER, amount: int = 3000, **more: Any) -> Any:
        self.sell(sale, customer, amount, **more)
        given = self.scan(sale)
        self.pass_(sale)
        return given

    def why(self) -> str:
        return self.store.one(
            "SELECT summary FROM trace WHERE type = 'decision' AND id LIKE '%.incentive' ORDER BY row DESC"
        )[0]


@pytest.fixture
def exit_(store: Store) -> Exit:
    return Exit(store)


# --- budgets and limits


@pytest.mark.row("B7", "C3")
def test_a_budget_of_money(store: Store, exit_: Exit) -> None:
    write(store, "amount_minor = 200\nbudget_minor = 500")
    assert [bool(exit_.leave(sale)) for sale in ("A", "B", "C")] == [True, True, False]
    assert (
        exit_.why()
        == "incentive? no: r0 holds, but its budget in all of 500 yen has no room for 200 yen (400 yen are out)"
    )
    assert store.counters["incentives_over_budget"] == 1


@pytest.mark.row("B7", "C3")
def test_what_is_reserved_counts_and_what_is_released_is_free_again(store: Store, exit_: Exit) -> None:
    write(store, "budget_count = 1")
    for sale, who in (("A", HER), ("B", JOHN), ("C", ICHIRO)):
        exit_.sell(sale, who)
    assert exit_.scan("A") is not None
    assert exit_.scan("B") is None, "the last one is reserved at the other lane"
    exit_._scans = 1
    assert exit_.pass_("A", "not_passed") == "released"
    assert exit_.scan("C") is not None, "nobody passed: it is free again"


@pytest.mark.row("C3")
def test_who_comes_back_when_it_is_gone_is_told_so(store: Store, exit_: Exit) -> None:
    write(store, "amount_minor = 900\nbudget_count = 1\nname = 'big'", "amount_minor = 50\nname = 'small'")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    coupon = exit_.scan("A").coupon
    exit_.pass_("A", "not_passed")
    assert exit_.scan("B").amount_minor == 900
    again = exit_.scan("A")
    assert (again.amount_minor, again.coupon) == (50, coupon), "one code has one coupon ID for life"
    assert "what was released (big) has no room any more; small: yes" in exit_.why()
    assert store.all("SELECT rule, count, worth_minor FROM incentive_day ORDER BY rule") == [
        ("big", 1, 900),
        ("small", 1, 50),
    ]


@pytest.mark.row("C3", "C4")
def test_a_slip_that_was_printed_keeps_its_place(store: Store, exit_: Exit) -> None:
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    given = exit_.scan("A")
    store.printed(given.coupon, scan="scan-A-1", lane="a")
    assert exit_.pass_("A", "not_passed") == "released"
    assert exit_.scan("B") is None, "it is in her hand"
    again = exit_.scan("A")
    assert (again.coupon, again.give) == (given.coupon, "electronic")
    assert exit_.pass_("A") == "committed"
    assert store.one("SELECT count, worth_minor FROM incentive_day") == (1, 200)


@pytest.mark.row("C3", "C4")
@pytest.mark.parametrize("gone", [True, False])
def test_a_slip_that_is_told_of_when_others_have_had_the_last(store: Store, exit_: Exit, gone: bool) -> None:
    """Her first lane was cut off while it printed; at the second one she stepped back."""
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    coupon = exit_.scan("A", lane="1").coupon
    store.later(seconds=130)
    exit_.scan("A", lane="2")
    exit_.pass_("A", "not_passed", lane="2")
    if gone:
        assert exit_.scan("B") is not None
    store.printed(coupon, scan="scan-A-1", lane="1")
    assert store.one("SELECT paper FROM incentive WHERE coupon = ?", coupon) == ("unknown" if gone else "printed",)
    assert store.one("SELECT count FROM incentive_day") == (1,)
    assert (exit_.scan("B") is not None) == gone
    assert (exit_.scan("A", lane="2") is None) == gone


@pytest.mark.row("C3")
def test_a_late_passage_of_what_was_released_goes_by_what_is_left(store: Store, exit_: Exit) -> None:
    """Her first lane told of nothing for long, so that the second one took over and nobody passed there."""
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    exit_.scan("A", lane="1")
    store.later(seconds=130)
    exit_.scan("A", lane="2")
    exit_.pass_("A", "not_passed", lane="2")
    assert exit_.scan("B") is not None
    said = store.passage("passed", scan="scan-A-1", lane="1")
    assert not [m for m in said if m.channel.name == "incentive_settled"]
    assert store.one("SELECT count(*) FROM incentive WHERE state = 'released'") == (1,)
    assert store.one("SELECT exits FROM customer WHERE customer = ?", HER) == (1,), "she has left all the same"
    assert store.counters["incentives_lost_room"] == 1


@pytest.mark.row("B7")
@pytest.mark.parametrize(("period", "days"), [("day", 1), ("month", 31), ("year", 306)])
def test_a_budget_begins_anew_with_its_period(store: Store, exit_: Exit, period: str, days: int) -> None:
    write(store, f"budget_count = 1\nbudget_period = '{period}'")
    assert exit_.leave("A") is not None
    store.later(hours=13.9)  # just before midnight in Tokyo
    assert exit_.leave("B") is None
    store.later(days=days - 1, minutes=10)
    assert exit_.leave("C") is not None


@pytest.mark.row("B7")
def test_limits_per_customer_and_period(store: Store, exit_: Exit) -> None:
    write(store, "per_customer = { count = 2, period = 'day' }")
    assert [bool(exit_.leave(sale)) for sale in ("A", "B", "C")] == [True, True, False]
    assert "she has had 2 of 2 today" in exit_.why()
    assert exit_.leave("D", JOHN) is not None
    assert exit_.leave("E", None) is None, "who is not known can't be counted"
    store.later(days=1)
    assert exit_.leave("F") is not None


@pytest.mark.row("B7")
def test_percentages_and_points_use_up_money_too(store: Store, exit_: Exit) -> None:
    write(store, "percent = 10\nbudget_minor = 500\nname = 'p'", "kind = 'points'\npoints = 100\nbudget_minor = 300\nname = 'q'",
          top="combine = 'sum'\npoint_worth_minor = 2")  # fmt: skip
    given = exit_.leave("A", amount=3000)
    assert (given.percent, given.points) == (10, 100)
    given = exit_.leave("B", amount=3000)
    assert given is None, "300 + 300 > 500, and 200 + 200 > 300"
    assert store.all("SELECT rule, worth_minor FROM incentive_day ORDER BY rule") == [("p", 300), ("q", 200)]


@pytest.mark.row("C3")
def test_lanes_at_the_same_moment_cannot_exceed_it(store: Store, exit_: Exit) -> None:
    """Forty scans in one batch, as they come from forty lanes."""
    write(store, "budget_count = 7")
    batch = []
    for number in range(40):
        code = store.sell(f"S-{number}", customer=None).exit_code
        row = store.one("SELECT code FROM exit_code WHERE sale = ?", f"S-{number}")
        data = LaneScan(code_id=row[0], sale=f"S-{number}", code=code, scanned=store.now)
        batch.append(store.bytes_of("lane_scan", data, agent=f"exit-{number}", lane="1", id=f"scan-{number}"))
    store.hear(*batch)
    decisions = store.of("lane_decision")
    assert len(decisions) == 40
    assert sum(decision.data.incentive is not None for decision in decisions) == 7


@pytest.mark.row("B3")
def test_a_promise_keeps_to_the_budget(store: Store, exit_: Exit) -> None:
    write(
        store,
        "table = [[1000, 100], [3000, 400]]\nbudget_minor = 450\ntitle = { ja = '{amount}引き', en = '{amount} off' }",
    )

    def promised(amount: int) -> tuple[str, int] | None:
        post = SalePost(
            sale="L-x", customer=HER, amount_minor=amount, currency="JPY", paid_on="terminal", registered_on="terminal"
        )
        with store.engine.transaction() as tx:
            found = promise(tx, store.hub.purchases, store.hub.grants, post)
        return (found.title.en, found.short_minor) if found else None

    assert promised(688) == ("100 yen off", 312)
    assert promised(1000) == ("100 yen off", 0)
    assert promised(3500) == ("400 yen off", 0)
    exit_.leave("A", JOHN, 1000)
    assert promised(3500) is None, "350 are left: the exit would give nothing for this list"
    assert exit_.leave("B", HER, 3500) is None
    assert promised(2000) == ("100 yen off", 0)
    assert store.one("SELECT count(*) FROM sale") == (2,)


@pytest.mark.row("B7")
def test_without_an_exit_code_there_is_none(store: Store, exit_: Exit) -> None:
    write(store, "points = 5")
    exit_.sell("A")
    store.passage(scan=None)
    store.later(hours=20)
    store.tick()
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    assert store.one("SELECT exits FROM customer WHERE customer = ?", HER) == (0,)


# --- ways of paying, and counts


@pytest.mark.row("B4", "B7")
def test_where_goods_were_registered_and_paid_is_kept_and_decides(store: Store, exit_: Exit) -> None:
    write(store, "by_paying = { settlement = 10, terminal_payment = 20, terminal = 30 }")
    card, cash = (
        Tender(method="card", amount_minor=2000, paid_on="terminal"),
        Tender(method="cash", amount_minor=1000, paid_on="settlement"),
    )
    assert exit_.leave("A", registered_on="terminal").amount_minor == 30
    assert exit_.leave("B").amount_minor == 20
    assert exit_.leave("C", registered_on="settlement").amount_minor == 20
    assert exit_.leave("D", registered_on="terminal", tenders=[card, cash]).amount_minor == 10, (
        "a part of it at the till"
    )
    assert store.all("SELECT sale, paid_on, registered_on FROM sale ORDER BY sale") == [
        ("A", "terminal", "terminal"), ("B", "terminal", ""), ("C", "terminal", "settlement"), ("D", "settlement", "terminal")]  # fmt: skip
    assert store.all("SELECT method, paid_on FROM sale_tender ORDER BY line") == [
        ("card", "terminal"),
        ("cash", "settlement"),
    ]


@pytest.mark.row("B4")
def test_a_pos_that_says_nothing_new_repeats_itself_over_an_update(store: Store) -> None:
    """Fingerprints of sales in the database are those of the release that took them."""
    post = SalePost(sale="S-1", customer=HER, amount_minor=3000, currency="JPY", paid_on="terminal",
                    tenders=[Tender(method="現金", amount_minor=3000)],
                    lines=[SaleLine(product="P-1", category="食器", amount_minor=3000)])  # fmt: skip
    assert post.fingerprint == "073d5abc3f88c3acd91bed645cc58989"
    store.sell("S-1", 3000, HER)
    with pytest.raises(SaleRefused, match="with another content"):
        store.sell("S-1", 3000, HER, registered_on="terminal")


@pytest.mark.row("B11")
def test_counts_are_kept_and_each_is_counted_once(store: Store, exit_: Exit) -> None:
    before = store.one("SELECT terminal_payments, exits FROM customer WHERE customer = ?", HER)
    exit_.sell("A")
    exit_.sell("A")  # the POS posts again
    exit_.scan("A")
    exit_.scan("A")
    exit_.pass_("A")
    exit_.pass_("A")
    after = store.one("SELECT terminal_payments, exits FROM customer WHERE customer = ?", HER)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    assert store.one("SELECT payment_number FROM sale") == (after[0],)


@pytest.mark.row("B7", "B11")
def test_every_third_exit_and_every_second_payment(store: Store, exit_: Exit) -> None:
    store.journal.db.execute("UPDATE customer SET exits = 0, terminal_payments = 0")
    write(
        store,
        "name = 'e'\nevery = { exits = 3 }",
        "name = 'p'\nevery = { terminal_payments = 2 }",
        top="combine = 'sum'",
    )
    given = [exit_.leave(sale) for sale in "ABCDEF"]
    rules = [store.one("SELECT rule FROM incentive WHERE coupon = ?", each.coupon)[0] if each else "" for each in given]
    assert rules == ["", "p", "e", "p", "", "e+p"]


@pytest.mark.row("B11")
def test_two_purchases_at_once_are_not_both_her_tenth(store: Store, exit_: Exit) -> None:
    store.journal.db.execute("UPDATE customer SET exits = 9, terminal_payments = 8")
    write(
        store,
        "name = 'e'\nevery = { exits = 10 }",
        "name = 'p'\nevery = { terminal_payments = 10 }",
        top="combine = 'sum'",
    )
    exit_.sell("A")
    exit_.sell("B")
    first, second = exit_.scan("A"), exit_.scan("B")
    rules = store.all("SELECT rule FROM incentive ORDER BY sale")
    assert (first is not None, second is not None, rules) == (True, True, [("e",), ("p",)])


# --- ways


def printer(store: Store, *flags: str, power: str = "online", device: str = "printer-1") -> None:
    data = DeviceStatus(category="pos_printer", power=power, flags=list(flags))
    store.hear(store.bytes_of("device_status", data, agent="exit", device=device))


@pytest.mark.row("B9", "C4")
@pytest.mark.parametrize(
    ("give", "customer", "out"),
    [("'print'", HER, "electronic"), ("'print'", None, "display"), ("['print', 'display', 'app']", HER, "display"),
     ("['print', 'email']", HER, "electronic"), ("['print', 'email']", None, "display"), ("['display', 'print']", HER, "display")],
)  # fmt: skip
def test_the_first_way_that_can_be_had(store: Store, exit_: Exit, give: str, customer: str | None, out: str) -> None:
    write(store, f"give = {give}")
    usual = exit_.leave("A", customer).give
    assert usual == ("display" if give.startswith("['display'") else "print")
    printer(store, "rec_empty")
    without = exit_.leave("B", customer)
    assert (without.give, without.receipt) == (out, [])
    if out != usual:
        assert f"incentive? {out}, as no printer there can print; r0: yes" in exit_.why()
    printer(store, device="printer-2")
    assert exit_.leave("C", customer).give == usual, "another printer of this agent can"
    printer(store, "rec_near_end")
    assert exit_.leave("D", customer).give == usual


@pytest.mark.row("C4")
def test_a_slip_that_failed_is_shown_to_who_is_not_known(store: Store, exit_: Exit) -> None:
    """She has no terminal that a coupon could be sent to."""
    write(store, "")
    exit_.sell("A", None)
    given = exit_.scan("A")
    store.printed(given.coupon, "failed", scan="scan-A-1", lane="a")
    exit_.pass_("A", "not_passed")
    again = exit_.scan("A")
    assert (again.coupon, again.give) == (given.coupon, "display")


# --- points


@pytest.mark.row("B8")
@pytest.mark.row("C7")
def test_points_come_with_a_coupon_once_and_are_explained(store: Store, exit_: Exit, beacons) -> None:
    store.sight(beacons[0])
    write(store, "amount_minor = 300\npoints = 50")
    exit_.sell("A")
    (before,) = store.one("SELECT points FROM customer WHERE customer = ?", HER)
    given = exit_.scan("A")
    assert (given.kind, given.amount_minor, given.points) == ("discount", 300, 50)
    exit_.pass_("A")
    store.restart()
    exit_.pass_("A")
    assert store.one("SELECT points FROM customer WHERE customer = ?", HER) == (before + 50,)
    (why,) = store.one("SELECT summary FROM trace WHERE id LIKE '%.points'")
    assert why == f"50 points by r0, {given.coupon}: {before} are now {before + 50}"


# --- a sale that comes after her


class Offline:
    """A POS that makes exit codes and posts its sales later."""

    def __init__(self, store: Store, sale: str = "S-77") -> None:
        self.store, self.sale, self.code_id = store, sale, "11" * 8
        claims = ExitClaims(
            "ginza", sale, store.now.replace(microsecond=0), store.now + timedelta(hours=1), self.code_id
        )
        self.code = exit_code.issue(claims, store.keys.signing, store.keys.kid)

    def scan(self, id: str = "scan-1") -> Any:
        said = self.store.scan(self.code, sale=self.sale, code_id=self.code_id, id=id)
        return next(m.data for m in said if m.channel.name == "lane_decision")

    def settled(self) -> list[tuple[str, str]]:
        return [(m.data.coupon, m.data.outcome) for m in self.store.of("incentive_settled")]


@pytest.mark.row("B8", "C1", "C2")
@pytest.mark.parametrize("kill", [False, True])
def test_the_incentive_follows_the_sale(store: Store, kill: bool) -> None:
    write(store, "points = 20\namount_minor = 100")
    before = store.one("SELECT exits, points FROM customer WHERE customer = ?", HER)
    late = Offline(store)
    assert late.scan().incentive is None
    store.passage()
    if kill:
        store.restart()
    store.later(hours=2)
    for _ in range(3):
        store.sell("S-77", 3000, HER)
    store.listen()
    assert store.all("SELECT state, give, ways, customer FROM incentive") == [("committed", "electronic", "", HER)]
    after = store.one("SELECT exits, points FROM customer WHERE customer = ?", HER)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 20 + 30), "and 30 points for the purchase itself"
    assert [outcome for _, outcome in late.settled()] == ["committed"]
    store.passage()
    assert store.one("SELECT count(*) FROM incentive") == (1,)
    assert store.one("SELECT count(*) FROM owed") == (0,)


@pytest.mark.row("C1")
def test_the_sale_comes_while_she_stands_in_the_gate(store: Store) -> None:
    write(store, "")
    late = Offline(store)
    late.scan()
    store.sell("S-77", 3000, HER)
    assert late.settled() == []
    store.passage()
    assert [outcome for _, outcome in late.settled()] == ["committed"]


def test_scanned_again_once_the_sale_is_known_it_is_as_always(store: Store) -> None:
    write(store, "")
    late = Offline(store)
    late.scan()
    store.passage("not_passed")
    store.sell("S-77", 3000, HER)
    assert late.scan("scan-2").incentive is not None
    store.passage(scan="scan-2")
    assert store.one("SELECT count(*) FROM incentive WHERE state = 'committed'") == (1,)
    assert store.one("SELECT count(*) FROM owed") == (0,)


def test_a_sale_of_whom_nobody_knows_waits_for_her(store: Store) -> None:
    write(store, "")
    Offline(store).scan()
    store.passage()
    store.sell("S-77", 3000, "C9999")
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    store.journal.db.execute("INSERT INTO customer (customer) VALUES ('C9999')")
    store.sell("S-77", 3000, "C9999")
    assert store.one("SELECT customer, state FROM incentive") == ("C9999", "committed")


def test_a_late_sale_without_a_customer_brings_nothing_and_says_so(store: Store) -> None:
    write(store, "")
    Offline(store).scan()
    store.passage()
    store.sell("S-77", 3000, None)
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    assert "nobody knows whose purchase it was" in store.one("SELECT summary FROM trace WHERE id LIKE '%.late'")[0]
    assert store.one("SELECT count(*) FROM owed") == (0,)


def test_what_never_comes_is_forgotten(store: Store) -> None:
    Offline(store).scan()
    store.passage()
    store.later(days=31)
    with store.engine.transaction() as tx:
        store.hub.clean(tx)
    assert store.one("SELECT count(*) FROM owed") == (0,)


# --- whatever happens


@pytest.mark.row("C1", "C3")
@pytest.mark.parametrize("seed", range(12))
def test_accounts_agree_after_anything(store: Store, exit_: Exit, seed: int) -> None:
    rng = Random(seed)
    write(store, "name = 'day'\nbudget_count = 3\nbudget_period = 'day'\namount_minor = 70",
          "name = 'money'\nbudget_minor = 900\npercent = 10\nper_customer = { count = 2, period = 'month' }",
          "name = 'third'\nevery = { exits = 3 }\nkind = 'points'\npoints = 5", top=f"combine = '{rng.choice(['first', 'best', 'sum'])}'")  # fmt: skip
    points = dict(store.all("SELECT customer, points FROM customer"))
    open_: list[tuple[str, str]] = []
    sales: list[str] = []
    for step in range(12):
        store.later(seconds=rng.choice([1, 100, 9000]))
        act = rng.choice(["sell", "scan", "scan", "end", "end", "print", "kill", "void"])
        if act == "sell" or not sales:
            sales.append(f"S{step}")
            exit_.sell(sales[-1], rng.choice([HER, JOHN, ICHIRO, None]), rng.choice([500, 3000, 8000]))
        elif act == "scan":
            sale, lane = rng.choice(sales), rng.choice("123")
            exit_.scan(sale, lane)
            open_.append((f"scan-{sale}-{exit_._scans}", lane))
        elif act == "end" and open_:
            id, lane = rng.choice(open_[-4:])
            store.passage(
                rng.choice(["passed", "passed", "not_passed", "fault"]), scan=id, lane=lane, offline=rng.random() < 0.2
            )
        elif act == "print" and (rows := store.all("SELECT coupon, scan FROM incentive ORDER BY reserved, sale")):
            coupon, scan = rng.choice(rows)  # also of what was released: lanes that were cut off tell late
            store.printed(coupon, rng.choice(["printed", "failed"]), scan=scan)
        elif act == "kill":
            store.restart()
        elif act == "void" and rng.random() < 0.3:
            with store.engine.transaction() as tx:
                store.hub.purchases.void(tx, sales[0], VoidPost(void=f"V-{sales[0]}"))
            sales.pop(0)
    out = "(state <> 'released' OR paper = 'printed')"
    counted = store.all(f"SELECT rule, day, count(*), sum(worth_minor) FROM incentive_part JOIN incentive USING (coupon) WHERE {out} "
                        "GROUP BY incentive_part.rule, day".replace("SELECT rule", "SELECT incentive_part.rule"))  # fmt: skip
    kept = store.all("SELECT rule, day, count, worth_minor FROM incentive_day WHERE count > 0")
    assert sorted(counted) == sorted(kept), f"seed {seed}"
    assert all(count <= 3 for rule, _, count, _ in kept if rule == "day"), f"seed {seed}"
    assert sum(worth for rule, _, _, worth in kept if rule == "money") <= 900, f"seed {seed}"
    hers = store.all(f"SELECT count(*) FROM incentive_part JOIN incentive USING (coupon) WHERE incentive_part.rule = 'money' AND {out} "
                     "GROUP BY customer")  # fmt: skip
    assert all(number <= 2 for (number,) in hers), f"seed {seed}"
    for customer, before in points.items():
        given = store.one(
            "SELECT coalesce(sum(points), 0) FROM incentive WHERE customer = ? AND state = 'committed'", customer
        )[0]
        bought = store.one("SELECT coalesce(sum(points), 0) FROM sale WHERE customer = ? AND void IS NULL", customer)[0]
        now = store.one("SELECT points FROM customer WHERE customer = ?", customer)[0]
        assert now == before + given + bought, f"seed {seed}: {customer}"
    assert "quarantined" not in store.counters, f"seed {seed}"


@pytest.mark.row("C11")
def test_what_she_was_given_is_among_her_data(store: Store, exit_: Exit) -> None:
    exit_.leave("A")
    found = whole.everything(store.journal.db, HER)
    assert [row["coupon"] for row in found["incentive"]]
    assert [row["rule"] for row in found["incentive_part"]] == ["thanks-200"]
