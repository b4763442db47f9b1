"""Her list at the hub: each command once, the same on all her terminals, and what the exit will bring (rows B2, B3, B5)."""

from __future__ import annotations

import pytest

from contract.payloads import Cart
from hub.database import products as product_table
from hub.database import whole
from hub.money import money
from hub.rules.reaching import least_more
from hub.shopping.cart import CartRefused
from hub.shopping.carts import Command
from tests.hub.conftest import Store
from tests.shopping.conftest import BAG, BREAD, COLA, MUG
from tests.shopping.paying import with_provider

pytestmark = [pytest.mark.row("B1", "B2"), pytest.mark.usefixtures("products")]
HER = "C0001"


class Hand:
    """A terminal's thumb."""

    def __init__(self, store: Store) -> None:
        self.store, self.made = store, 0

    def do(
        self,
        what: str,
        product: str = "",
        quantity: int = 1,
        *,
        cart: str | None = None,
        id: str = "",
        customer: str = HER,
    ):
        self.made += 1
        command = Command(id or f"cmd-{self.made}", what, cart, product, quantity)
        with self.store.engine.transaction() as tx:
            return self.store.hub.carts.take(tx, customer, command)

    def state(self, customer: str = HER) -> Cart | None:
        with self.store.engine.transaction() as tx:
            return self.store.hub.carts.state(tx, customer)


@pytest.fixture
def hand(store: Store) -> Hand:
    with_provider(store)
    return Hand(store)


def refused(kind: str):
    return pytest.raises(CartRefused, check=lambda error: error.kind == kind)


def test_add_change_remove_cancel(hand: Hand) -> None:
    hand.do("add", COLA)
    hand.do("add", f"https://id.gs1.org/01/0{COLA}", 2)
    state = hand.do("add", "036000291452")
    assert [
        (line.product, line.name.ja, line.quantity, line.price_minor, line.amount_minor) for line in state.lines
    ] == [
        (COLA, "コーラ", 3, 150, 450),
        (BAG, "バッグ", 1, 5500, 5500),
    ]
    assert (state.total_minor, state.tax_minor) == (5950, 33 + 500)
    assert [(tax.tax_per_mille, tax.taxed_minor, tax.tax_minor) for tax in state.taxes] == [
        (100, 5500, 500),
        (80, 450, 33),
    ]
    state = hand.do("quantity", COLA, 1)
    assert state.total_minor == 5650
    assert hand.do("quantity", BAG, 0).total_minor == 150
    assert hand.do("cancel").state == "cancelled"
    after = hand.do("add", MUG)
    assert after.cart != state.cart
    assert after.revision > state.revision + 2


def test_prices_without_tax(hand: Hand, store: Store) -> None:
    shopping = store.settings.shopping.model_copy(update={"prices_include_tax": False})
    store.hub.carts._settings = store.settings.model_copy(update={"shopping": shopping})
    state = hand.do("add", COLA, 3)
    assert (state.total_minor, state.tax_minor, state.prices_include_tax) == (486, 36, False)
    assert state.lines[0].amount_minor == 486


def test_a_command_again_changes_nothing(hand: Hand) -> None:
    first = hand.do("add", COLA, id="one")
    assert hand.do("add", COLA, id="one") == first
    hand.do("cancel", id="off")
    new = hand.do("add", BREAD)
    assert hand.do("cancel", id="off") == new, "an old cancel must not end the new list"
    assert hand.do("add", COLA, id="one") == new
    with refused("contradicting"):
        hand.do("add", BREAD, id="one")


def test_commands_of_others_are_others(hand: Hand) -> None:
    mine, others = hand.do("add", COLA, id="one"), hand.do("add", BREAD, id="one", customer="C0002")
    assert mine.cart != others.cart
    with refused("closed"):
        hand.do("add", COLA, cart=others.cart)
    assert hand.state("C0002") == others


def test_a_late_command_for_a_closed_list_does_not_touch_the_new_one(hand: Hand) -> None:
    old = hand.do("add", COLA)
    hand.do("cancel", cart=old.cart)
    new = hand.do("add", BREAD)
    for what in ("add", "quantity", "cancel"):
        with refused("closed"):
            hand.do(what, COLA, cart=old.cart)
    assert hand.state() == new


@pytest.mark.parametrize(
    ("code", "kind"),
    [("4901234567895", "check_digit"), ("nothing", "unknown_product"), ("", "empty"), ("x" * 70, "length")],
)
def test_a_code_that_is_no_product(hand: Hand, code: str, kind: str) -> None:
    before = hand.do("add", COLA)
    with refused(kind):
        hand.do("add", code)
    assert hand.state() == before


def test_what_is_not_on_sale_any_more(hand: Hand, store: Store) -> None:
    hand.do("add", COLA)
    product_table.write(store.journal.db, [{"code": COLA, "on_sale": False, "price_minor": 999}])
    with refused("not_on_sale"):
        hand.do("add", COLA)
    assert hand.do("quantity", COLA, 2).total_minor == 300, "she pays what stood on her screen"


def test_nothing_is_lost_when_the_hub_is_killed(hand: Hand, store: Store) -> None:
    before = hand.do("add", COLA, 3)
    store.restart()
    assert hand.state() == before


def test_without_a_list_there_is_nothing_to_change(hand: Hand) -> None:
    assert hand.state() is None
    with refused("nothing_open"):
        hand.do("cancel")


def test_a_list_that_is_not_touched_is_put_away(hand: Hand, store: Store) -> None:
    hand.do("add", COLA)
    store.later(hours=25)
    store.tick()
    assert hand.state().state == "cancelled"
    assert store.counters["carts_idle"] == 1


def test_old_lists_go_and_revisions_go_on(hand: Hand, store: Store) -> None:
    for _ in range(3):
        hand.do("add", COLA)
        last = hand.do("cancel")
    store.later(days=31)
    with store.engine.transaction() as tx:
        store.hub.clean(tx)
    assert store.one("SELECT count(*) FROM cart") == (1,)
    assert store.one("SELECT count(*) FROM cart_command") == (0,)
    assert hand.do("add", COLA).revision == last.revision + 1


@pytest.mark.row("C11")
def test_her_list_is_among_her_data(hand: Hand, store: Store) -> None:
    hand.do("add", COLA)
    found = whole.everything(store.journal.db, HER)
    assert (found["cart"][0]["state"], found["cart_line"][0]["product"]) == ("open", COLA)


@pytest.mark.row("C11")
def test_her_list_goes_when_she_is_forgotten(hand: Hand, store: Store) -> None:
    hand.do("add", COLA)
    store.journal.db.execute("DELETE FROM customer WHERE customer = ?", (HER,))
    assert store.one("SELECT (SELECT count(*) FROM cart) + (SELECT count(*) FROM cart_line) + (SELECT count(*) FROM cart_command)") == (0,)  # fmt: skip


# --- what the exit brings


@pytest.mark.row("B3")
def test_the_list_names_what_is_missing_and_then_the_coupon(hand: Hand) -> None:
    hand.do("add", MUG)
    state = hand.state()
    assert state.promise is not None
    assert (state.promise.holds, state.promise.short_minor) == (False, 312)
    assert "312円" in state.promise.text.ja
    assert state.promise.text.en == "Buy 312 yen more and scan out with your exit code to receive for your next purchase: 200 yen off."  # fmt: skip
    state = hand.do("add", COLA, 3)
    assert (state.promise.holds, state.promise.short_minor, state.promise.title.en) == (True, 0, "200 yen off")
    assert "200円引きクーポン" in state.promise.text.ja
    assert hand.do("quantity", COLA, 2).promise.short_minor == 12


def with_incentives(store: Store, *rules: tuple[str, str]) -> None:
    path = store.folder / "incentives.toml"
    path.write_text(
        "".join(
            f"""[[incentive]]\nname = "{name}"\nwhen = '{when}'\nkind = "points"\npoints = 10\ngive = "electronic"
title = {{ ja = "{name}", en = "{name}" }}\n"""
            for name, when in rules
        ),
        encoding="utf-8",
    )
    store.policy.check()
    assert store.policy.problem is None or not store.policy.problem, store.policy.problem


@pytest.mark.row("B3", "B7")
@pytest.mark.parametrize(
    ("when", "short"),
    [
        ("amount >= 1000", 850),
        ("amount > 1000", 851),
        ("amount * 2 >= 3001", 1351),
        ('paid_on == "terminal" && amount >= 500', 350),
        ('amount >= 500 && paid_on == "settlement"', None),
        ("amount >= 777 || exits > 1000", 627),
        ("terminal_payments >= 1", 0),
        ("terminal_payments > 100000", None),
        ("points >= 100000000", None),
        ("member", 0),
        ("!member", None),
        ("amount >= 200 && amount < 300", 50),
    ],
)
def test_the_distance_of_any_rule(hand: Hand, store: Store, when: str, short: int | None) -> None:
    with_incentives(store, ("it", when))
    promise = hand.do("add", COLA).promise
    assert (promise.short_minor if promise else None) == short


@pytest.mark.row("B3", "B7", "B11")
def test_the_promise_knows_what_the_purchase_itself_changes(hand: Hand, store: Store) -> None:
    (payments,) = store.one("SELECT terminal_payments FROM customer WHERE customer = ?", HER)
    with_incentives(store, ("counts", f"terminal_payments >= {payments + 1}"))
    before = store.all("SELECT * FROM customer"), store.all("SELECT * FROM sale"), store.all("SELECT * FROM exit_code")
    counters = dict(store.counters)
    assert hand.do("add", COLA).promise.holds
    assert before == (store.all("SELECT * FROM customer"), store.all("SELECT * FROM sale"), store.all("SELECT * FROM exit_code"))  # fmt: skip
    new = {name for name, number in store.counters.items() if number != counters.get(name, 0)}
    assert new == {"cart_changes"}


@pytest.mark.row("B3", "B7")
@pytest.mark.parametrize("codes", [(MUG,), (MUG, COLA, COLA, COLA), (BAG,), (COLA,)])
def test_the_exit_gives_what_the_list_promised(hand: Hand, store: Store, codes: tuple[str, ...]) -> None:
    with_incentives(store, ("big", "amount >= 5000 && rank >= silver"), ("small", "amount >= 1000 || points > 100000"))
    state = None
    for code in codes:
        state = hand.do("add", code)
    promised = state.promise.title.en if state.promise.holds else None
    taken = store.sell("S-9", state.total_minor, HER)
    (decision,) = [m.data for m in store.scan(taken.exit_code, sale="S-9") if m.channel.name == "lane_decision"]
    assert (decision.incentive.title.en if decision.incentive else None) == promised


def test_least_more_asks_little() -> None:
    asked: list[int] = []

    def gives(amount: int) -> bool:
        asked.append(amount)
        return amount >= 1000

    assert least_more(688, ["amount >= 1000"], gives) == 1000
    assert len(asked) < 15
    assert least_more(0, [], lambda _: False) is None


@pytest.mark.parametrize(
    ("minor", "currency", "ja", "en"),
    [(312, "JPY", "312円", "312 yen"), (12345, "JPY", "12,345円", "12,345 yen"), (312, "EUR", "3.12 EUR", "3.12 EUR"),
     (5, "USD", "0.05 USD", "0.05 USD"), (1234, "KWD", "1.234 KWD", "1.234 KWD")],
)  # fmt: skip
def test_money_for_people(minor: int, currency: str, ja: str, en: str) -> None:
    words = money(minor, currency)
    assert (words.ja, words.en) == (ja, en)
