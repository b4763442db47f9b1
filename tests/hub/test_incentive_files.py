"""Mistakes in incentives.toml are named with file, rule and place; the running rules stay (row B7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import SettingsError
from hub.incentive_report import given
from hub.rules.checking import check_rules
from hub.rules.policy import read_policy
from hub.trial import Purchase, try_rules
from tests.hub.conftest import Store
from tests.hub.test_grants import HER, Exit, write

pytestmark = pytest.mark.row("B7")
HEAD = '[[incentive]]\nname = "it"\ntitle = { ja = "a", en = "a" }\ngive = "app"\n'
WHEN = 'when = "true"\n'
DISCOUNT = f'{HEAD}{WHEN}kind = "discount"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'{HEAD}when = "amuont >= 1"\nkind = "points"\npoints = 1\n', "incentive 'it' (line 5), when: column 1: 'amuont' is not known"),
        (f'{HEAD}when = "amount >= 1 &&"\nkind = "points"\npoints = 1\n', "incentive 'it' (line 5), when: column"),
        (DISCOUNT, "incentive 'it' is of kind 'discount' and gives nothing: set amount_minor or percent"),
        (f"{DISCOUNT}amount_minor = 1\npercent = 5\n", "takes off both amount_minor and percent"),
        (f"{DISCOUNT}percent = 101\n", "percent: Input should be less than or equal to 100; found 101"),
        (f"{DISCOUNT}table = [[1000, 400], [3000, 100]]\n", "incentive 'it', table, row 2: [3000, 100]: 100 is less than 400 of the row before"),
        (f"{DISCOUNT}table = [[1000, 400], [1000, 500]]\n", "incentive 'it', table, row 2: [1000, 500]: 1000 does not lie above 1000"),
        (f"{DISCOUNT}table = [[1000, 'x']]\n", "row 1: [1000, 'x']: the second column is a whole number from 0 to"),
        (f"{DISCOUNT}table = [[1000, 5], ['gold', 6]]\n", "row 2: ['gold', 6]: the first column is a number in all rows"),
        (f"{DISCOUNT}of = 'percent'\ntable = [[1000, 500]]\n", "row 1: [1000, 500]: the second column is a whole number from 0 to 100"),
        (f"{DISCOUNT}table = [[1, 2]]\namount_minor = 3\n", "incentive 'it' has both amount_minor and a table of it: set one"),
        (f"{DISCOUNT}of = 'product'\ntable = [[1, 'X']]\namount_minor = 1\n", "its table says product: make it of kind 'product'"),
        (f"{DISCOUNT}amount_minor = 1\nof = 'percent'\n", "has of = 'percent' and no table or by_paying"),
        (f"{DISCOUNT}by = 'amuont'\ntable = [[1000, 5]]\n", "incentive 'it' (line 5), by: 'amuont' is no number of a purchase; possible are"),
        (f"{DISCOUNT}by = 'amuont'\ntable = [[1000, 5]]\n", "did you mean 'amount'?"),
        (f"{DISCOUNT}by = 'paid_on'\ntable = [[1000, 5]]\n", "by: 'paid_on' is no number"),
        (f"{DISCOUNT}by = 'rank'\ntable = [['diamond', 5]]\n", "incentive 'it' (line 5), table, row 1: 'diamond' is no rank; ranks are regular, "),
        (f"{DISCOUNT}by = 'rank'\ntable = [['gold', 5], ['silver', 6]]\n", "row 2: 'silver' is no higher than the rank of the row before"),
        (f"{DISCOUNT}table = [['gold', 5]]\n", "row 1: 'gold' is no number, and the table is by amount; for ranks: by = 'rank'"),
        (f"{DISCOUNT}by_paying = {{ settlement = 5, terminal = 3 }}\n", "by_paying falls"),
        (f"{DISCOUNT}by_paying = {{ }}\n", "by_paying gives nothing: set terminal"),
        (f"{DISCOUNT}of = 'percent'\nby_paying = {{ terminal = 101 }}\n", "by_paying: 101 percent; at most 100"),
        (f"{DISCOUNT}by_paying = {{ terminal = 5 }}\ntable = [[1, 2]]\n", "has both a table and by_paying"),
        (f"{DISCOUNT}amount_minor = 1\nevery = {{ exits = 2, terminal_payments = 3 }}\n", "every needs exits or terminal_payments, and not both"),
        (f"{DISCOUNT}amount_minor = 1\nevery = {{ exits = 0 }}\n", "every.exits: Input should be greater than or equal to 1"),
        (f"{DISCOUNT}amount_minor = 1\nbudget_period = 'day'\n", "has a budget_period and no budget_minor or budget_count"),
        (f"{DISCOUNT}amount_minor = 1\nbudget_period = 'week'\nbudget_count = 1\n", "budget_period: Input should be 'day', 'month', 'year' or 'all'; found 'week'"),
        (f"{DISCOUNT}amount_minor = 1\nbudget_minor = 5\nworth_minor = 0\n", "worth_minor = 0, which never uses it up"),
        (f'{HEAD}{WHEN}kind = "product"\nbudget_minor = 5\n', "is a product with a budget_minor: set worth_minor"),
        (f'combine = "best"\n{HEAD}{WHEN}kind = "product"\n', "is a product, and combine = 'best' compares: set worth_minor"),
        ('combine = "most"\n', "combine: Input should be 'first', 'best' or 'sum'; found 'most'"),
        (f"{DISCOUNT}amount_minor = 1\nbudget_mino = 1\n", "budget_mino is not a known key; did you mean 'budget_minor'?"),
        (DISCOUNT.replace('"app"', '["app", "app"]') + "amount_minor = 1\n", "names a way to give it twice"),
        (DISCOUNT.replace('"app"', '["fax"]') + "amount_minor = 1\n", "give.0: Input should be 'print', 'display', 'app', 'email' or 'push'; found 'fax'"),
        (DISCOUNT.replace('"app"', '["app", "print"]') + "amount_minor = 1\n", "is printed and has no receipt"),
        (DISCOUNT.replace('en = "a"', 'en = "{amuont}"') + "amount_minor = 1\n", "nothing can fill {amuont}; possible are amount, percent"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(store: Store, text: str, says: str) -> None:
    path = Path(store.settings.incentives)
    before = store.policy.current
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_policy(store.settings)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert not store.policy.check()
    assert store.policy.current is before
    assert store.policy.problem is not None


def test_one_way_or_several(store: Store) -> None:
    for said, ways in (
        ('"electronic"', ("app",)),
        ('"display"', ("display",)),
        ('["display", "email"]', ("display", "email")),
    ):
        text = DISCOUNT.replace('"app"', said) + "amount_minor = 1\n"
        Path(store.settings.incentives).write_text(text, encoding="utf-8")
        assert read_policy(store.settings).incentives.file.incentive[0].give == ways


def test_check_counts_and_says_how_they_go_together(store: Store) -> None:
    write(store, "budget_count = 5", "", "per_customer = { count = 1 }", top='combine = "best"')
    said = check_rules(store.folder / "hub.toml")
    assert "incentives.toml: 3 incentives; the best one that holds is given; with a budget or a limit: r0, r2" in said


def test_try_says_what_the_exit_would_with_what_is_left(store: Store) -> None:
    write(store, "by_paying = { settlement = 10, terminal = 30 }\nbudget_count = 2\nper_customer = { count = 1 }\n"
          "title = { ja = '{amount}', en = '{amount} off' }")  # fmt: skip
    path = store.folder / "hub.toml"
    both = try_rules(path, HER, purchase=Purchase(3000, "terminal", "terminal"))
    assert (
        "r0: yes, true; registered and paid on the terminal: 30; 1 of 2 in all, hers 1 of 1 in all: 30円 / 30 yen off"
        in both.text()
    )
    assert both.found["given_as"]["amount_minor"] == 30
    assert try_rules(path, HER, purchase=Purchase(3000, "settlement")).found["given_as"]["amount_minor"] == 10
    assert Exit(store).leave("A", registered_on="terminal") is not None
    again = try_rules(path, HER, purchase=Purchase(3000, "terminal", "terminal"))
    assert "no: r0 holds, but she has had 1 of 1 in all" in again.text()
    assert again.found["incentive"]["rules"] == [
        {"rule": "r0", "verdict": "over_limit", "because": "she has had 1 of 1 in all"}
    ]
    assert store.one("SELECT count(*) FROM incentive") == (1,)


def test_what_is_out_and_what_is_left(store: Store) -> None:
    write(store, "name = 'a'\nbudget_minor = 1000\nbudget_period = 'month'", "name = 'b'\nkind = 'points'\npoints = 5\nbudget_count = 9",
          "name = 'c'\nwhen = 'amount > 9000'", top="combine = 'sum'")  # fmt: skip
    exit_ = Exit(store)
    coupon = exit_.leave("A").coupon
    exit_.sell("B")
    exit_.scan("B")
    store.journal.db.execute("INSERT INTO redemption VALUES (?, 'S-9', 'pos-1', '2026-03-02T00:00:00Z')", (coupon,))
    found, table = given(store.folder / "hub.toml", store.now)
    assert [(each.out, each.worth_minor, each.redeemed, each.left, each.left_minor) for each in found] == [
        (2, 400, 1, None, 600), (2, 10, 1, 7, None), (0, 0, 0, None, None)]  # fmt: skip
    assert [" ".join(line.split()) for line in table.splitlines()] == [
        "rule period out worth used at tills left of the budget",
        "a this month 2 400 yen 1 (200 yen) 600 yen",
        "b in all 2 10 yen 1 (5 yen) 7",
        "c in all 0 0 yen 0 (0 yen) no limit",
    ]
    store.later(days=31)
    assert given(store.folder / "hub.toml", store.now)[0][0].left_minor == 1000
    empty = store.folder / "incentives.toml"
    empty.write_text("")
    assert given(store.folder / "hub.toml")[1] == "there are no incentives"


@pytest.mark.row("C7")
def test_explain_names_every_rule_with_values_and_budget(store: Store, beacons) -> None:
    from hub.explain import explain

    store.sight(beacons[0])
    write(
        store,
        "name = 'spring'\nwhen = 'amount >= 1000'\nbudget_minor = 1000\nbudget_period = 'month'",
        "name = 'gold'\nwhen = 'rank > gold'",
    )
    exit_ = Exit(store)
    exit_.sell("A")
    exit_.scan("A")
    decided = next(each for each in explain(store.settings.database).decisions if each.startswith("incentive?"))
    assert decided == ("incentive? spring: yes, amount >= 1000 (amount is 3000); budget 200 yen of 1,000 yen this month; "
                       "gold: not asked, spring stands before it")  # fmt: skip
    assert store.one("SELECT because FROM incentive")[0] == decided.removeprefix("incentive? ")
    exit_.sell("B", amount=500)
    exit_.scan("B")
    none = explain(store.settings.database).decisions[-1]
    assert none == "incentive? no, nearest gold: rank > gold (rank is gold); spring: no, amount >= 1000 (amount is 500)"
