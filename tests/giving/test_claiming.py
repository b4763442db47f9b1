"""A coupon's code on the lane's display, read by a member's camera: hers once, the lane is told, reasons in both languages."""

from __future__ import annotations

import asyncio

import pytest

from contract.payloads import CouponRead
from hub.database import givings
from hub.giving.claiming import coupon_of
from hub.offers.redeeming import RedeemPost
from tests.giving.conftest import decided, leave
from tests.members.conftest import Phone, serving


@pytest.fixture
async def phones(store):
    """A member's terminal, another of hers, and a stranger's."""
    async with serving(store) as address:
        hers, second, stranger = Phone(address), Phone(address), Phone(address)
        customer = await hers.register()
        second.http.cookies.update(hers.http.cookies)
        other = await stranger.register(email="other@example.com", phone="")
        yield customer, hers, second, other, stranger
        for phone in (hers, second, stranger):
            await phone.http.aclose()


def shown(store, customer=None, sale="S-1"):
    """A lane shows her the code of a reserved coupon: who has no customer ID may be anybody."""
    said = store.scan(store.sell(sale, 3000, customer or "C0001").exit_code, sale=sale, id=f"scan-{sale}")
    coupon = decided(said, f"scan-{sale}")
    if customer is None:
        store.journal.db.execute("UPDATE incentive SET customer = NULL WHERE coupon = ?", (coupon,))
    return coupon


async def claim(phone, code):
    answer = await phone.post("/coupons/claim", {"code": code})
    said = answer.json()
    problem = said.get("errors", [{}])[0]
    if problem:
        assert problem["ja"]
        assert problem["en"]
    return answer.status_code, problem.get("kind") or said.get("state")


def lane_heard(store):
    return [(m.ids["lane"], m.data) for m in store.listen() if m.channel.name == "coupon_read"]


@pytest.mark.row("B9")
@pytest.mark.row("B12")
async def test_what_the_display_shows_becomes_hers_and_the_lane_is_told(store, phones):
    customer, hers, *_ = phones
    coupon = shown(store, customer)
    store.listen()
    assert await claim(hers, f"COUPON:{coupon}") == (200, "kept")
    assert lane_heard(store) == [("1", CouponRead(scan="scan-S-1", coupon=coupon))]
    assert givings.given(store.journal.db, coupon).how == "claimed"
    assert store.one("SELECT state FROM incentive") == ("reserved",)  # until she has passed
    store.passage(scan="scan-S-1")
    assert store.one("SELECT state FROM incentive") == ("committed",)
    assert givings.ways_of(store.journal.db, coupon) == []  # she has it: nothing is sent
    assert "coupons_given" not in store.counters


@pytest.mark.row("B9")
async def test_a_coupon_that_is_nobodys_becomes_hers(store, phones):
    customer, hers, *_ = phones
    coupon = shown(store)
    assert await claim(hers, coupon.lower()) == (200, "kept")
    assert store.one("SELECT customer FROM incentive") == (customer,)


async def test_again_and_from_another_terminal_of_hers_it_is_hers_already(store, phones):
    customer, hers, second, *_ = phones
    coupon = shown(store, customer)
    assert await claim(hers, coupon) == (200, "kept")
    assert await claim(hers, coupon) == (200, "already_kept")
    assert await claim(second, coupon) == (200, "already_kept")
    assert store.one("SELECT count(*) FROM given_coupon") == (1,)
    assert len(lane_heard(store)) == 1


@pytest.mark.row("B9")
async def test_of_two_terminals_at_once_one_wins(store, phones):
    customer, hers, _, other, stranger = phones
    for n in range(5):
        coupon = shown(store, sale=f"S-{n}")
        outcomes = await asyncio.gather(*(claim(phone, coupon) for phone in (hers, stranger, hers, stranger)))
        won = givings.given(store.journal.db, coupon).customer
        assert won in (customer, other)
        assert sorted(set(outcomes)) == [(200, "already_kept"), (200, "kept"), (409, "not_yours")]
        assert outcomes.count((200, "kept")) == 1


async def test_anothers_is_not_hers(store, phones):
    _, hers, _, other, _ = phones
    coupon = shown(store, other)
    assert await claim(hers, coupon) == (409, "not_yours")
    assert givings.given(store.journal.db, coupon) is None
    assert lane_heard(store) == []


@pytest.mark.parametrize(
    "code", ["COUPON:K0000000000000000", "", " ", "nonsense!", "x" * 5000, "COUPON:", "' OR 1=1", None, 7, ["K1"]]
)
async def test_what_is_no_coupon_is_unknown(store, phones, code):
    assert await claim(phones[1], code) == (404, "unknown")


async def test_released_used_and_expired_are_said(store, phones):
    customer, hers, *_ = phones
    released = shown(store, customer)
    store.passage("not_passed", scan="scan-S-1")
    assert await claim(hers, released) == (409, "released")
    used = leave(store, paper="printed", customer=customer, sale="S-2")
    store.later(days=1)
    with store.engine.transaction() as tx:
        assert store.hub.redeeming.redeem(tx, used, RedeemPost(sale="T-1"), "till-1").usable
    assert await claim(hers, used) == (409, "used")
    expired = leave(store, paper="printed", customer=customer, sale="S-3")
    store.later(days=300)
    assert await claim(hers, expired) == (409, "expired")
    for kind in ("released", "used", "expired"):
        assert store.counters[f"coupon_claims_{kind}"] == 1


@pytest.mark.row("C3")
async def test_who_steps_back_loses_it_and_gets_it_again(store, phones):
    customer, hers, *_ = phones
    sale = store.sell("S-1", 3000, customer)
    coupon = store.scan(sale.exit_code, id="scan-1")[0].data.incentive.coupon
    assert await claim(hers, coupon) == (200, "kept")
    store.passage("not_passed", scan="scan-1")
    assert givings.given(store.journal.db, coupon).state == "withdrawn"
    again = store.scan(sale.exit_code, id="scan-2")[0].data.incentive.coupon
    assert again == coupon
    assert await claim(hers, coupon) == (200, "kept")
    store.passage(scan="scan-2")
    row = givings.given(store.journal.db, coupon)
    assert (row.state, row.revision) == ("offered", 3)


async def test_only_who_is_signed_in(store, phones):
    nobody = Phone(phones[1].address)
    answer = await nobody.post("/coupons/claim", {"code": "K1"})
    await nobody.http.aclose()
    assert answer.status_code == 401


def test_what_a_camera_reads_and_people_type():
    assert coupon_of(" coupon:k12ab ") == coupon_of("K12AB") == "K12AB"
    assert coupon_of("COUPON:COUPON:K1") == ""
    assert coupon_of("K1 OR 1") == ""


# --- the link in a letter


@pytest.mark.row("C11")
async def test_the_link_in_a_letter_ends_letters_and_nothing_else(store, phones):
    customer, hers, *_ = phones
    coupon = leave(store, customer=customer)
    db = store.journal.db
    db.execute("INSERT INTO consent VALUES ('k-9', ?, 'email', 'email-1', '2026-03-01', NULL)", (customer,))
    db.execute("UPDATE giving SET way = 'email' WHERE coupon = ?", (coupon,))
    (row,) = givings.ways_of(db, coupon)
    mail_program = Phone(hers.address)
    link = f"{hers.address}/member/unsubscribe/{row.secret}"
    page = await mail_program.http.get(link, headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert "no more of them" in page.text
    assert db.execute("SELECT count(*) FROM consent WHERE purpose = 'email' AND withdrawn IS NULL").fetchone() == (1,)
    done = await mail_program.http.post(link, data={"List-Unsubscribe": "One-Click"}, headers={"Origin": ""})
    assert done.status_code == 200
    assert db.execute("SELECT count(*) FROM consent WHERE purpose = 'email' AND withdrawn IS NULL").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM consent WHERE withdrawn IS NULL").fetchone()[0] >= 1
    for wrong in ("0" * 32, "nonsense", row.secret[:-1]):
        assert (await mail_program.http.post(f"{hers.address}/member/unsubscribe/{wrong}")).status_code == 404
    await mail_program.http.aclose()
