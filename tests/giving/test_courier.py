"""The courier: one way after the other, tried again with growing waits, given up in the end, and what wakes it."""

from __future__ import annotations

import asyncio

import pytest

from contract.payloads import CouponKept
from hub.database import coupons, givings, times
from hub.database.consents import Purpose
from hub.database.coupons import RedemptionRow
from hub.giving.courier import FIRST_S, LEASE, LONGEST_S, wait_s
from hub.giving.ways import Later, Never, Sent
from tests.giving.conftest import MAIL, PUSH, Away, Giver, agrees, leave


@pytest.fixture(autouse=True)
def settings(folder):
    """A store with all ways; before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL + PUSH)


def kept(store, coupon, revision=1, customer="C0001"):
    return store.terminal(customer, "coupon_kept", CouponKept(coupon=coupon, customer=customer, revision=revision))


def grant(store, *ways):
    """A coupon that is given electronically by these ways."""
    coupon = leave(store, paper="printed")
    store.journal.db.execute("DELETE FROM given_coupon")
    with store.engine.transaction() as tx:
        assert store.hub.giving.on_granted(tx, "C0001", coupon, ways)
    return coupon


@pytest.mark.row("B9")
async def test_the_first_way_that_can_brings_it_and_no_other(store):
    coupon = grant(store, "app", "push", "email")
    app, push, email = Away("app", Never("no terminal")), Away("push"), Away("email")
    giver = Giver(store, app, push, email)
    await giver.turn()
    await giver.turn()
    assert giver.states(coupon) == {"app": "failed", "push": "sent", "email": "waiting"}
    assert [len(each.brought) for each in (app, push, email)] == [1, 1, 0]
    assert (store.counters["giving_failed_app"], store.counters["giving_sent_push"]) == (1, 1)


@pytest.mark.row("B9")
async def test_the_next_way_when_one_fails_for_good_and_all_may_fail(store):
    coupon = grant(store, "push", "email")
    giver = Giver(store, Away("push", Never("gone")), Away("email", Never("550")))
    for _ in range(3):
        await giver.turn()
    assert giver.states(coupon) == {"push": "failed", "email": "failed"}
    assert store.counters["giving_failed_all"] == 1
    assert givings.given(store.journal.db, coupon).state == "offered"  # and yet it is among her coupons


async def test_not_now_is_tried_again_with_growing_waits(store):
    coupon = grant(store, "email")
    email = Away("email", Later("451"), Later("451"), Later("451"))
    giver = Giver(store, email)
    await giver.turn()
    await giver.turn()  # not yet
    assert len(email.brought) == 1
    for wait in (FIRST_S, 2 * FIRST_S, 4 * FIRST_S):
        await giver.turn(seconds=wait)
    assert len(email.brought) == 4
    assert giver.states(coupon) == {"email": "sent"}
    assert [each.tries for each in email.brought] == [1, 2, 3, 4]
    assert len({each.secret for each in email.brought}) == 1


def test_waits_grow_and_end_and_differ():
    assert wait_s(0, 1.0) == FIRST_S
    assert wait_s(0, 0.0) == FIRST_S / 2
    assert wait_s(50, 1.0) == LONGEST_S
    assert [wait_s(n, 1.0) for n in range(4)] == [FIRST_S * 2**n for n in range(4)]


async def test_the_services_own_wait_is_kept(store):
    grant(store, "push")
    push = Away("push", Later("429", 900.0))
    giver = Giver(store, push)
    await giver.turn()
    await giver.turn(seconds=800)
    assert len(push.brought) == 1
    await giver.turn(seconds=101)
    assert len(push.brought) == 2


async def test_given_up_after_a_day(store):
    coupon = grant(store, "push", "email")
    giver = Giver(store, Away("push", *[Later("503")] * 100), Away("email"))
    for _ in range(30):
        await giver.turn(hours=1)
    assert giver.states(coupon) == {"push": "failed", "email": "sent"}
    assert giver.detail(coupon, "push").startswith("given up after")


@pytest.mark.row("B9")
async def test_a_terminal_that_does_not_keep_it_in_time_is_not_waited_for(store):
    coupon = grant(store, "app", "email")
    email = Away("email")
    giver = Giver(store, Away("app", Sent("told", 60.0)), email)
    await giver.turn()
    await giver.turn(seconds=30)
    assert giver.states(coupon) == {"app": "sent", "email": "waiting"}
    await giver.turn(seconds=31)
    await giver.turn()
    assert giver.states(coupon) == {"app": "failed", "email": "sent"}
    kept(store, coupon)  # late, and yet
    assert giver.states(coupon)["app"] == "confirmed"


@pytest.mark.row("B9")
async def test_kept_by_her_terminal_ends_all_other_ways(store):
    coupon = grant(store, "app", "push", "email")
    giver = Giver(store, Away("app", Sent("told", 60.0)), Away("push"), Away("email"))
    await giver.turn()
    kept(store, coupon)
    await giver.turn(seconds=61)
    assert giver.states(coupon) == {"app": "confirmed", "push": "unneeded", "email": "unneeded"}


async def test_the_app_alone_rests_at_sent_and_is_told_for_ever(store):
    coupon = grant(store, "app")
    giver = Giver(store, Away("app", Sent("told", 60.0)))
    await giver.turn()
    await giver.turn(seconds=61)
    await giver.turn(days=1)
    assert giver.states(coupon) == {"app": "sent"}


@pytest.mark.row("C11")
async def test_nothing_is_sent_without_consent(store):
    coupon = grant(store, "push", "email")
    push, email = Away("push"), Away("email")
    push.purpose, email.purpose = Purpose.PUSH, Purpose.EMAIL
    agrees(store, "email")
    giver = Giver(store, push, email)
    await giver.turn()
    await giver.turn()
    assert giver.states(coupon) == {"push": "failed", "email": "sent"}
    assert push.brought == []
    assert "not agreed" in giver.detail(coupon, "push")


@pytest.mark.row("C4")
async def test_a_coupon_that_was_used_meanwhile_is_not_sent(store):
    coupon = grant(store, "push", "email")
    push = Away("push", Later("503"))
    giver = Giver(store, push, Away("email"))
    await giver.turn()
    with store.engine.transaction() as tx:
        coupons.redeem(tx.db, RedemptionRow(coupon, "T-1", "till", times.text(tx.utc)))
    await giver.turn(hours=1)
    assert giver.states(coupon) == {"push": "unneeded", "email": "unneeded"}
    assert len(push.brought) == 1


async def test_killed_while_it_was_under_way_it_is_tried_again_by_the_next_process(store):
    coupon = grant(store, "email")
    giver = Giver(store, Away("email"))
    with store.engine.transaction() as tx:  # noted, and then the power went
        (row,) = givings.due(tx.db, times.text(tx.utc), 9)
        assert giver.courier._taken(tx, row) is not None
    store.restart()
    email = Away("email")
    giver = Giver(store, email)
    await giver.turn()
    assert email.brought == []
    await giver.turn(seconds=LEASE.total_seconds())
    assert [each.tries for each in email.brought] == [2]
    assert giver.states(coupon) == {"email": "sent"}


async def test_a_fault_in_a_way_is_no_fault_of_the_hub(store):
    class Broken(Away):
        async def bring(self, parcel):
            raise KeyError(parcel.email)

    coupon = grant(store, "email")
    giver = Giver(store, Broken("email"))
    await giver.turn()
    assert giver.states(coupon) == {"email": "pending"}
    assert giver.detail(coupon, "email") == "KeyError in the program"


def test_said_again_it_is_granted_once(store):
    coupon = grant(store, "email")
    with store.engine.transaction() as tx:
        assert not store.hub.giving.on_granted(tx, "C0001", coupon, ("push",))
        assert not store.hub.giving.on_granted(tx, "nobody", coupon)
        assert not store.hub.giving.on_granted(tx, "C0001", "K-NOT-THERE")
    assert store.counters["coupons_given"] == 1


def test_a_grant_that_comes_to_nothing_leaves_nothing(store):
    coupon = leave(store, paper="printed")

    class Over(Exception):
        pass

    with pytest.raises(Over), store.engine.transaction() as tx:
        store.hub.giving.on_granted(tx, "C0001", coupon, ("email",))
        raise Over
    assert givings.ways_of(store.journal.db, coupon) == []
    assert givings.given(store.journal.db, coupon) is None


def test_ways_that_the_store_does_not_have_are_left_out(store):
    coupon = grant(store, "paper", "push")
    assert [row.way for row in givings.ways_of(store.journal.db, coupon)] == ["push"]


@pytest.mark.row("C7")
async def test_the_trace_tells_how_it_was_brought(store):
    store.sight("ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:1")
    coupon = grant(store, "push", "email")
    giver = Giver(store, Away("push", Never("her terminal takes no notifications any more")), Away("email"))
    await giver.turn()
    await giver.turn()
    lines = [summary for (summary,) in store.all("SELECT summary FROM trace WHERE visit LIKE '%C0001' ORDER BY row")]
    assert f"{coupon} is given electronically: push, else email" in lines
    assert f"{coupon} by push: failed, her terminal takes no notifications any more" in lines
    assert f"{coupon} by email: sent" in lines


async def test_the_loop_runs_wakes_at_a_grant_and_ends(store):
    brought = asyncio.Event()

    class Email(Away):
        async def bring(self, parcel):
            brought.set()
            return Sent()

    giver = Giver(store, Email("email"))
    running = asyncio.create_task(giver.courier.run())
    await asyncio.sleep(0)
    grant(store, "email")
    async with asyncio.timeout(0.9):  # not the next look
        await brought.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_old_rows_go(store):
    coupon = grant(store, "email")
    with store.engine.transaction() as tx:
        givings.set_way(tx.db, coupon, "email", "sent", None, times.text(tx.utc), "")
    store.later(days=200)
    store.tick()
    with store.engine.transaction() as tx:
        store.hub.giving.clean(tx)
    assert givings.ways_of(store.journal.db, coupon) == []
    assert givings.given(store.journal.db, coupon) is None
