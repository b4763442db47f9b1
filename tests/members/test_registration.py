"""Registration, sessions and consent over HTTP, as a browser sees them (rows A2, C11)."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import segno
import zxingcpp
from PIL import Image

from hub.members.picture import member_code, qr_svg
from hub.members.secrets import new_token
from tests.hub.conftest import Store
from tests.members.conftest import FORM, Phone

pytestmark = pytest.mark.row("A2")


async def test_the_form_makes_the_record_and_signs_the_terminal_in(phone: Phone, store: Store) -> None:
    assert (await phone.get("/me")).status_code == 401
    customer = await phone.register()
    me = await phone.me()
    assert me["customer"] == customer
    assert {name: me[name] for name in ("name", "gender", "birth_year", "phone", "email", "language")} == {
        name: FORM[name] for name in ("name", "gender", "birth_year", "email", "language")
    } | {"phone": "09012345678"}
    assert store.one("SELECT born, gender, name FROM customer WHERE customer = ?", customer) == (
        "1990",
        "female",
        "佐藤 美咲",
    )
    assert me["consents"] == {"service": True, "sensing": True, "coupons": True, "position": False, "face": False}
    assert store.counters["members_registered"] == 1


@pytest.mark.row("A4")
async def test_the_member_code_is_a_sightings_name(phone: Phone, store: Store) -> None:
    customer = await phone.register()
    text = (await phone.me())["code"]["text"]
    prefix, token = text.split(":")
    assert (prefix, len(token)) == ("MEMBER", 26)
    assert store.one("SELECT customer FROM customer_beacon WHERE beacon = ?", f"member:{token}") == (customer,)
    assert (await phone.me())["code"]["text"] == text


@pytest.mark.row("A4")
def test_the_picture_is_read_by_an_independent_reader() -> None:
    token = new_token()
    picture = qr_svg(member_code(token))
    assert picture.startswith("<svg")
    assert "xmlns" in picture
    # The same symbol as pixels: what an SVG says is drawn in the browser's tests.
    pixels = BytesIO()
    symbol = segno.make_qr(member_code(token), error="m")
    symbol.save(pixels, kind="png", scale=4)
    [found] = zxingcpp.read_barcodes(Image.open(pixels).convert("L"))
    assert (found.text, symbol.mode) == (f"MEMBER:{token}", "alphanumeric")


async def test_the_cookie_is_hidden_from_scripts_and_other_sites(phone: Phone, store: Store) -> None:
    answer = await phone.post("/register", FORM)
    [session] = [line for line in answer.headers.get_list("set-cookie") if line.startswith("instore_member=")]
    for part in ("HttpOnly", "Path=/member", "SameSite=strict", f"Max-Age={400 * 86400}"):
        assert part in session
    value = session.partition("=")[2].partition(";")[0]
    assert answer.headers["cache-control"] == "no-store"
    disk = b"".join(path.read_bytes() for path in store.folder.glob("hub.sqlite*"))
    assert value.encode() not in disk


async def test_a_terminal_stays_signed_in_while_it_is_used(phone: Phone, store: Store) -> None:
    await phone.register()
    for _ in range(3):
        store.later(days=399)
        assert (await phone.get("/me")).status_code == 200
    store.later(days=401)
    assert (await phone.get("/me")).status_code == 401


async def test_a_session_from_before_is_worth_nothing_after_registration(phone: Phone, address: str) -> None:
    """Who planted a session in her browser (session fixation) is not signed in as her."""
    await phone.register()
    planted = phone.http.cookies["instore_member"]
    await phone.register(email="other@example.com", phone="")
    assert phone.http.cookies["instore_member"] != planted
    thief = Phone(address)
    thief.http.cookies.set("instore_member", planted, path="/member")
    assert (await thief.get("/me")).status_code == 401
    await thief.http.aclose()


async def test_sign_out_ends_the_session_everywhere(phone: Phone) -> None:
    await phone.register()
    kept = phone.http.cookies["instore_member"]
    assert (await phone.post("/sign-out")).status_code == 204
    assert (await phone.get("/me")).status_code == 401
    phone.http.cookies.set("instore_member", kept, path="/member")
    assert (await phone.get("/me")).status_code == 401


async def test_another_site_can_do_nothing(phone: Phone) -> None:
    await phone.register()
    body = json.dumps({"purpose": "sensing", "given": False})
    del phone.http.headers["Origin"]
    for origin in (None, "", "null", "http://evil.example", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"):
        headers = {"Content-Type": "application/json", **({} if origin is None else {"Origin": origin})}
        for path in ("/consents", "/sign-out", "/register", "/claim", "/sign-in", "/claim/code"):
            answer = await phone.http.post(path, content=body, headers=headers)
            assert answer.status_code == 403, (origin, path)
    assert (await phone.me())["consents"]["sensing"] is True


async def test_what_is_no_form(phone: Phone, store: Store) -> None:
    form = json.dumps(FORM).encode()
    cases = [
        (b"{", "application/json", 400), (b"[]", "application/json", 400), (b"[" * 5000, "application/json", 400),
        (b"\xff", "application/json", 400), (b"x" * 9000, "application/json", 413),
        (form, "text/plain", 400), (form, "application/x-www-form-urlencoded", 400),
    ]  # fmt: skip
    for body, kind, status in cases:
        answer = await phone.http.post("/register", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, body[:20]
        [problem] = answer.json()["errors"]
        assert problem["ja"] != problem["en"] != ""
    assert store.one("SELECT count(*) FROM member") == (0,)


async def test_every_field_is_named(phone: Phone, store: Store) -> None:
    answer = await phone.post(
        "/register", {"name": "", "email": "x", "phone": "1", "birth_year": "x", "consents": {"sensing": "old"}}
    )
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == {
        "name",
        "email",
        "phone",
        "birth_year",
        "language",
        "consents",
    }
    assert store.one("SELECT count(*) FROM member") == (0,)


# --- consent


@pytest.mark.row("C11")
async def test_consent_is_given_and_withdrawn_purpose_by_purpose(phone: Phone, store: Store) -> None:
    customer = await phone.register(consents={})
    assert not any((await phone.me())["consents"].values())
    answer = await phone.post("/consents", {"purpose": "sensing", "given": True, "wording": "sensing-1"})
    assert [name for name, held in answer.json()["consents"].items() if held] == ["sensing"]
    await phone.post("/consents", {"purpose": "sensing", "given": False})
    assert not any((await phone.me())["consents"].values())
    [(wording, given, withdrawn)] = store.all(
        "SELECT wording, given, withdrawn FROM consent WHERE customer = ?", customer
    )
    assert wording == "sensing-1"
    assert withdrawn >= given


@pytest.mark.row("C11")
async def test_what_is_no_choice(phone: Phone) -> None:
    await phone.register(consents={})
    choices: list[dict[str, Any]] = [
        {}, {"purpose": "sensing"}, {"purpose": "everything", "given": True, "wording": "x"}, {"purpose": "sensing", "given": 1},
        {"purpose": ["sensing"], "given": True}, {"purpose": "sensing", "given": True, "wording": "sensing-0"},
        {"purpose": "sensing", "given": True}, {"purpose": None, "given": False},
    ]  # fmt: skip
    for choice in choices:
        answer = await phone.post("/consents", choice)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "consents"), choice
    assert not any((await phone.me())["consents"].values())


@pytest.mark.row("C11")
async def test_the_texts_are_told_before_and_may_be_the_stores_own(store: Store, phone: Phone, tmp_path: Path) -> None:
    about = (await phone.get("/about")).json()
    assert [each["purpose"] for each in about["purposes"]] == ["service", "sensing", "position", "face", "coupons"]
    for each in about["purposes"]:
        assert each["title"]["ja"]
        assert each["text"]["en"]


# --- limits


async def test_nobody_registers_without_end(store: Store, phone: Phone) -> None:
    answers = [await phone.post("/sign-in", {"email": f"x{n}@example.com"}) for n in range(31)]
    assert [answer.status_code for answer in answers] == [202] * 30 + [429]
    store.later(seconds=2)
    assert (await phone.post("/register", FORM)).status_code == 201


async def test_a_full_disk_says_try_again_and_makes_no_member(
    phone: Phone, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_more: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("hub.database.members.open_session", full)
    assert (await phone.post("/register", FORM)).status_code == 503
    monkeypatch.undo()
    assert store.one("SELECT count(*) FROM member") == (0,)
    await phone.register()


async def test_no_more_than_ten_terminals_of_one_member(store: Store) -> None:
    from hub.database import members

    with store.engine.transaction() as tx:
        for n in range(12):
            at = (store.now + timedelta(minutes=n)).isoformat()
            members.open_session(tx.db, f"h{n}", "C0001", at, proved=True)
    assert store.one("SELECT count(*), min(began) > ? FROM member_session", store.now.isoformat()) == (10, 1)


@pytest.mark.row("C11")
async def test_who_is_erased_is_signed_out(phone: Phone, store: Store) -> None:
    customer = await phone.register()
    store.journal.db.execute("DELETE FROM customer WHERE customer = ?", (customer,))
    assert (await phone.get("/me")).status_code == 401
    assert store.one("SELECT count(*) FROM member_session") == (0,)


async def test_codes_as_pictures_for_who_is_signed_in(phone: Phone, stranger: Phone) -> None:
    await phone.register()
    answer = await phone.get("/qr.svg?text=K7QX-22")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.text.startswith("<svg")
    assert (await phone.get("/qr.svg")).status_code == 422
    assert (await phone.get(f"/qr.svg?text={'x' * 201}")).status_code == 422
    assert (await stranger.get("/qr.svg?text=K")).status_code == 401
