"""Duplicates: nobody learns who is a member, and the true owner gets in (row A2)."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tests.hub.conftest import Store
from tests.members.conftest import FORM, KEY, Mailbox, Phone, serving
from tests.members.test_gateway import closed

pytestmark = pytest.mark.row("A2")
HANAKO = "hanako@example.com"


def shape(answer: httpx.Response) -> tuple[int, list[str], list[str], list[str]]:
    cookies = [re.sub(r"=[^;]*", "=…", line, count=1) for line in answer.headers.get_list("set-cookie")]
    body = answer.json()
    return answer.status_code, sorted(body), sorted(body["claim"]), cookies


@pytest.mark.parametrize("same", [{"email": HANAKO}, {"email": "HANAKO@EXAMPLE.COM"}, {"phone": "03-0000-0001"}])
async def test_a_stranger_learns_nothing_and_gets_an_empty_record(
    phone: Phone, stranger: Phone, same: dict[str, str]
) -> None:
    new = await phone.post("/register", FORM)
    known = await stranger.post("/register", {**FORM, "email": "x@example.com", "phone": "", **same})
    assert shape(new) == shape(known)
    me = await stranger.me()
    assert me["customer"] not in ("C0001", new.json()["customer"])
    assert (me["name"], me["points"]) == (FORM["name"], 0)
    assert (await stranger.get("/claim")).json() == (await phone.get("/claim")).json() == {"state": "waiting"}
    for asked in ({"email": HANAKO}, {"email": "nobody@example.com"}):
        answer = await stranger.post("/sign-in", asked)
        assert (answer.status_code, sorted(answer.json())) == (202, ["claim"])


async def test_the_answer_takes_as_long_either_way(store: Store) -> None:
    desk = __import__("hub.members.desk", fromlist=["Desk"]).Desk(store.settings, _consents(), store.hub.counters)
    took: dict[str, list[float]] = {"hanako@example.com": [], "nobody@example.com": []}
    for _ in range(30):
        for email, times in took.items():
            began = time.perf_counter()
            with store.engine.transaction() as tx:
                desk.sign_in(tx, email, "")
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.3 < known / unknown < 3


def _consents() -> object:
    from config.member_settings import load_consents

    return load_consents(None)


# --- at the counter


@pytest.fixture
async def desk(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1/members", headers={"Authorization": f"Bearer {KEY}"}
    ) as made:
        yield made


async def test_a_clerk_who_sees_her_lets_her_in(phone: Phone, desk: httpx.AsyncClient, store: Store) -> None:
    made = await phone.post("/register", {**FORM, "email": HANAKO})
    number = made.json()["claim"]["number"]
    [waiting] = (await desk.get("/claims")).json()
    assert (waiting["number"], waiting["customer"]) == (number, "C0001")
    answer = await desk.post(f"/claims/{number[:4]}%20{number[4:]}/confirm", json={"clerk": "c01"})
    assert (answer.status_code, answer.json()) == (200, {"customer": "C0001"})
    old_session = phone.http.cookies["instore_member"]
    assert (await phone.get("/claim")).json() == {"state": "confirmed"}
    me = await phone.me()
    assert (me["customer"], me["points"]) == ("C0001", 5952)
    assert me["code"]["text"].startswith("MEMBER:")
    assert phone.http.cookies["instore_member"] != old_session
    assert store.one("SELECT count(*) FROM customer WHERE customer = ?", made.json()["customer"]) == (0,)
    assert (await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})).status_code == 409
    assert (await phone.get("/claim")).json() == {"state": "none"}


async def test_a_clerk_names_the_record_where_nothing_fits(phone: Phone, desk: httpx.AsyncClient) -> None:
    await phone.register()
    number = (await phone.post("/claim")).json()["claim"]["number"]
    answer = await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})
    assert answer.status_code == 409
    assert "give her ID" in answer.json()["error"]
    answer = await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01", "customer": "C9999"})
    assert answer.status_code == 409
    assert "no earlier record" in answer.json()["error"]
    assert (await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01", "customer": "C0002"})).status_code == 200
    assert (await phone.get("/claim")).json() == {"state": "confirmed"}
    assert (await phone.me())["customer"] == "C0002"


async def test_only_the_terminal_that_shows_the_number_gets_in(
    phone: Phone, stranger: Phone, desk: httpx.AsyncClient
) -> None:
    number = (await phone.post("/sign-in", {"email": HANAKO})).json()["claim"]["number"]
    await stranger.post("/sign-in", {"email": HANAKO})
    await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})
    assert (await stranger.get("/claim")).json() == {"state": "waiting"}
    assert (await stranger.get("/me")).status_code == 401
    assert (await phone.get("/claim")).json() == {"state": "confirmed"}
    assert (await phone.me())["customer"] == "C0001"


async def test_a_number_holds_half_an_hour_and_a_program_needs_a_key(
    phone: Phone, desk: httpx.AsyncClient, store: Store
) -> None:
    number = (await phone.post("/sign-in", {"email": HANAKO})).json()["claim"]["number"]
    store.later(minutes=31)
    answer = await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})
    assert answer.status_code == 409
    assert "begin again" in answer.json()["error"]
    del desk.headers["Authorization"]
    assert (await desk.get("/claims")).status_code == 401
    assert (await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})).status_code == 401


async def test_a_record_that_was_used_stays(phone: Phone, desk: httpx.AsyncClient, store: Store) -> None:
    customer = await phone.register(email=HANAKO)
    store.sell(customer=customer)
    [waiting] = (await desk.get("/claims")).json()
    await desk.post(f"/claims/{waiting['number']}/confirm", json={"clerk": "c01"})
    await phone.get("/claim")
    assert (await phone.me())["customer"] == "C0001"
    assert store.one("SELECT count(*) FROM customer WHERE customer = ?", customer) == (1,)


# --- by e-mail


@pytest.fixture
async def with_mail(
    mailbox: Mailbox, with_settings: Callable[[str], None], request: pytest.FixtureRequest
) -> AsyncIterator[Phone]:
    with_settings(
        f'\n[members.mail]\nhost = "127.0.0.1"\nport = {mailbox.port}\nsender = "store@example.com"\nsecurity = "none"\n'
    )
    store = request.getfixturevalue("store")
    async with serving(store) as address:
        made = Phone(address)
        yield made
        await made.http.aclose()


async def letter(mailbox: Mailbox) -> tuple[str, str, str]:
    import email.policy
    from email.parser import Parser

    async with asyncio.timeout(30):
        to, text = await mailbox.letters.get()
    message = Parser(policy=email.policy.default).parsestr(text)
    body = message.get_content()  # type: ignore[attr-defined]
    found = re.search(r"\b([0-9]{4}) ([0-9]{4})\b", body)
    assert found is not None
    return to, str(message["Subject"]) + body, found[1] + found[2]


async def test_the_owner_of_the_mailbox_gets_in(with_mail: Phone, mailbox: Mailbox) -> None:
    new = await with_mail.register(email="Hanako@Example.com", phone="")
    to, text, code = await letter(mailbox)
    assert to == HANAKO
    assert "銀座店" in text
    assert "30分間" in text
    assert FORM["name"] not in text
    wrong = await with_mail.post("/claim/code", {"code": f"{(int(code) + 1) % 10**8:08d}"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "code")
    right = await with_mail.post("/claim/code", {"code": f" {code[:4]}-{code[4:]}"})
    assert right.json() == {"state": "confirmed"}
    me = await with_mail.me()
    assert me["customer"] == "C0001" != new


async def test_the_letter_is_in_the_language_of_the_record(with_mail: Phone, mailbox: Mailbox) -> None:
    await with_mail.post("/sign-in", {"phone": "+81 3 0000 0002"})
    to, text, _ = await letter(mailbox)
    assert to == "john@example.com"
    assert "Ginza: your code" in text


async def test_five_tries_and_three_letters_a_day(with_mail: Phone, mailbox: Mailbox, store: Store) -> None:
    await with_mail.post("/sign-in", {"email": HANAKO})
    _, _, code = await letter(mailbox)
    for _ in range(5):
        assert (await with_mail.post("/claim/code", {"code": "00000000"})).status_code == 422
    assert (await with_mail.post("/claim/code", {"code": code})).status_code == 422
    answers = [await with_mail.post("/sign-in", {"email": HANAKO}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    await letter(mailbox)
    await letter(mailbox)
    assert store.counters["member_letters_withheld"] == 1
    assert mailbox.letters.empty()


async def test_the_code_of_one_terminal_is_worth_nothing_on_another(with_mail: Phone, mailbox: Mailbox) -> None:
    await with_mail.post("/sign-in", {"email": HANAKO})
    _, _, code = await letter(mailbox)
    other = Phone(with_mail.address)
    await other.post("/sign-in", {"email": HANAKO})
    assert (await other.post("/claim/code", {"code": code})).status_code == 422
    assert (await other.post("/claim/code", {"code": None})).status_code == 422
    await other.http.aclose()


async def test_a_mail_server_that_is_away_is_counted_and_nobody_sees_it(with_settings: Callable[[str], None],
                                                                       request: pytest.FixtureRequest) -> None:  # fmt: skip
    with_settings('\n[members.mail]\nhost = "127.0.0.1"\nport = 1\nsender = "store@example.com"\nsecurity = "none"\n')
    store = request.getfixturevalue("store")
    async with serving(store) as address:
        phone = Phone(address)
        assert (await phone.post("/sign-in", {"email": HANAKO})).status_code == 202
        for _ in range(200):
            if store.hub.counters["member_letters_unsent"]:
                break
            await asyncio.sleep(0.01)
        assert store.hub.counters["member_letters_unsent"] == 1
        await phone.http.aclose()


async def test_a_record_with_an_address_that_is_none_is_counted_and_no_letter_goes_astray(
    with_mail: Phone, mailbox: Mailbox, store: Store
) -> None:
    store.journal.db.execute("UPDATE customer SET email = 'a,hanako@example.com'")  # from an import: two addresses?
    assert (await with_mail.post("/sign-in", {"phone": "+81 3 0000 0002"})).status_code == 202
    async with asyncio.timeout(30):
        while not store.hub.counters["member_letters_unsent"]:  # noqa: ASYNC110  # a counter is no event
            await asyncio.sleep(0.01)
    assert mailbox.letters.empty()


async def test_a_terminal_that_is_signed_in_finds_her_earlier_record(
    with_mail: Phone, mailbox: Mailbox, store: Store
) -> None:
    """The claim of her registration is over: another is begun from the settings, to the record with her address."""
    await with_mail.register(email=HANAKO)
    await letter(mailbox)
    store.later(minutes=31)
    await with_mail.post("/claim")
    to, _, code = await letter(mailbox)
    assert to == HANAKO
    await with_mail.post("/claim/code", {"code": code})
    assert (await with_mail.me())["customer"] == "C0001"


@pytest.mark.row("C11")
async def test_who_registered_with_her_address_before_her_is_turned_out(phone: Phone, stranger: Phone, desk: httpx.AsyncClient,
                                                                         store: Store) -> None:  # fmt: skip
    taken = await stranger.register(consents={"sensing": "sensing-1", "coupons": "coupons-1"})
    code = (await stranger.me())["code"]["text"]
    number = (await phone.post("/register", {**FORM, "consents": {"coupons": "coupons-1"}})).json()["claim"]["number"]
    await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})
    async with stranger.socket() as socket:
        await phone.get("/claim")
        me = await phone.me()
        assert me["customer"] == taken
        assert me["code"]["text"] != code
        assert [purpose for purpose, given in me["consents"].items() if given] == ["coupons"]
        await socket.send("x")
        assert await closed(socket) == 4401
    assert (await stranger.get("/me")).status_code == 401
    assert store.one("SELECT count(*) FROM customer_beacon WHERE customer = ?", taken) == (1,)


async def test_both_terminals_of_a_person_who_was_seen_stay(
    phone: Phone, stranger: Phone, desk: httpx.AsyncClient
) -> None:
    for terminal in (phone, stranger):
        number = (await terminal.post("/sign-in", {"email": HANAKO})).json()["claim"]["number"]
        await desk.post(f"/claims/{number}/confirm", json={"clerk": "c01"})
        await terminal.get("/claim")
    assert (await phone.me())["customer"] == (await stranger.me())["customer"] == "C0001"
