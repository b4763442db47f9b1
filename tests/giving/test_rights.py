"""What a customer may ask for, of the tables of giving: all of it is exported, but no secret; all of it goes (row C11)."""

from __future__ import annotations

import json

import pytest

from hub.database import erasing, push_subscriptions, whole
from hub.database.push_subscriptions import Subscription
from hub.exporting import export_one
from hub.giving.ways import Later
from tests.giving.conftest import MAIL, PUSH, Away, Giver, agrees, leave, now_address, signed_in
from tests.giving.far_ends import Browser, encoded

EMAIL = "hanako@example.com"


@pytest.fixture(autouse=True)
def settings(folder):
    """Before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL + PUSH + '[giving]\nways = ["email", "push"]\n')


@pytest.fixture
def lived(store):
    """She takes letters and notifications, and has a coupon that is on its way."""
    now_address(store, EMAIL)
    signed_in(store)
    agrees(store, "email", "push")
    browser = Browser()
    with store.engine.transaction() as tx:
        push_subscriptions.put(tx.db, Subscription("https://push.test/abc", "h1", "C0001", encoded(browser.public),
                                                   encoded(browser.auth), "2026-03-01", "ja"))  # fmt: skip
    store.coupon = leave(store)
    return store


TABLES = ("given_coupon", "giving", "push_subscription")


@pytest.mark.row("C11")
def test_her_export_has_all_of_it_and_no_secret(lived):
    found = export_one(lived.journal.db, "C0001")
    assert set(TABLES) <= set(found["tables"])
    text = json.dumps(found, ensure_ascii=False)
    db = lived.journal.db
    secrets = [*db.execute("SELECT secret FROM giving"), *db.execute("SELECT endpoint FROM push_subscription"),
               *db.execute("SELECT auth FROM push_subscription"), *db.execute("SELECT p256dh FROM push_subscription")]  # fmt: skip
    assert len(secrets) >= 5
    assert [secret for (secret,) in secrets if secret in text] == []
    assert lived.coupon in text


@pytest.mark.row("C11")
async def test_she_goes_out_of_all_of_it_and_no_letter_follows(lived):
    email = Away("email", Later("451"))
    giver = Giver(lived, email, Away("push"))
    await giver.turn()
    assert len(email.brought) == 1
    erasing.ask(lived.journal.db, "C0001", "2026-03-01")
    lived.tick()
    done = erasing.answer(lived.journal.db, "C0001")
    assert {"given_coupon": 1, "giving": 2, "push_subscription": 1}.items() <= done["erased"].items()
    assert erasing.left(lived.journal.db, "C0001") == []
    await giver.turn(hours=3)
    assert len(email.brought) == 1
    assert lived.one("SELECT count(*) FROM incentive WHERE customer IS NULL") == (1,)  # the books stay


@pytest.mark.row("C11")
async def test_erased_while_a_letter_is_under_way_the_outcome_is_nobodys(lived):
    class Erasing(Away):
        async def bring(self, parcel):
            with lived.engine.transaction() as tx:
                lived.hub.forgetting.now(tx, "C0001")
            return await super().bring(parcel)

    giver = Giver(lived, Erasing("email"), Away("push"))
    await giver.turn()
    assert erasing.left(lived.journal.db, "C0001") == []
    assert lived.one("SELECT count(*) FROM giving") == (0,)
    await giver.turn(hours=1)


def test_every_table_that_names_her_is_among_those_that_are_looked_through(lived):
    assert set(TABLES) <= set(whole.tables_about_customers(lived.journal.db))


@pytest.mark.row("C11")
def test_a_list_for_a_settlement_device_goes_with_her(lived):
    db = lived.journal.db
    db.execute("INSERT INTO cart VALUES ('L1', 'C0001', 'open', 1, NULL, NULL, '2026-03-01', '2026-03-01')")
    db.execute("INSERT INTO cart_code VALUES ('12345678', 'L1')")
    assert export_one(db, "C0001")["tables"]["cart_code"] == [{"code": "12345678", "cart": "L1"}]
    with lived.engine.transaction() as tx:
        lived.hub.forgetting.now(tx, "C0001")
    assert db.execute("SELECT count(*) FROM cart_code").fetchone() == (0,)
