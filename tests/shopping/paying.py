"""A terminal and its provider."""

from __future__ import annotations

import pytest

from config.shopping_settings import PaymentSettings
from hub.sale_shapes import Tender
from hub.shopping.carts import Command
from hub.shopping.payments import PaymentRefused
from tests.hub.conftest import Store
from tests.shopping.conftest import COLA

HER = "C0001"


def with_provider(store: Store) -> None:
    shopping = store.settings.shopping.model_copy(
        update={"payment": PaymentSettings(provider="simulated", method="app")}
    )
    changed = store.settings.model_copy(update={"shopping": shopping})
    store.hub.payments._settings = store.hub.carts._settings = changed


class Till:
    """A terminal and its provider."""

    def __init__(self, store: Store) -> None:
        with_provider(store)
        self.store, self.made = store, 0

    def add(self, code: str = COLA, quantity: int = 1):
        self.made += 1
        with self.store.engine.transaction() as tx:
            return self.store.hub.carts.take(tx, HER, Command(f"a-{self.made}", "add", None, code, quantity))

    def state(self):
        with self.store.engine.transaction() as tx:
            return self.store.hub.carts.state(tx, HER)

    def pay(self, id: str = "", cart: str = "", revision: int = 0):
        self.made += 1
        state = self.state()
        with self.store.engine.transaction() as tx:
            return self.store.hub.payments.begin(
                tx, HER, id or f"p-{self.made}", cart or state.cart, revision or state.revision
            )

    def confirm(self, payment: str, amount: int, currency: str = "JPY", tenders: tuple[Tender, ...] = ()):
        with self.store.engine.transaction() as tx:
            return self.store.hub.payments.confirm(tx, payment, amount, currency, tenders)

    def cancel(self, payment: str) -> bool:
        with self.store.engine.transaction() as tx:
            return self.store.hub.payments.cancel(tx, HER, payment)

    def sales(self) -> list[tuple]:
        return self.store.all("SELECT sale, customer, amount_minor, paid_on FROM sale")


@pytest.fixture
def till(store: Store) -> Till:
    return Till(store)


def refused(kind: str, of: type = PaymentRefused):
    return pytest.raises(of, check=lambda error: error.kind == kind)
