"""The letter with a coupon, at a real SMTP server: what it holds, what happens when the server does not take it."""

from __future__ import annotations

import asyncio
import io
import re
import socket
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from PIL import Image

from config.member_settings import MailSettings
from config.words import Words
from hub.giving.letter import Sender, letter
from hub.giving.mail import MailWay
from hub.giving.ways import Later, Never, Parcel, Sent
from hub.mail import NoAddress, one_line
from tests.giving.conftest import MAIL, Giver, agrees, leave, now_address
from tests.giving.far_ends import mail_server

NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
STORE = Words(ja="銀座店", en="Ginza store")
SENDER = Sender(STORE, "coupons@store.test", ZoneInfo("Asia/Tokyo"), "https://shop.example")
SECRET = "0123456789abcdef0123456789abcdef"


def parcel(**changes) -> Parcel:
    made = {"coupon": "K0123456789ABCDEF", "customer": "C0001", "name": "山田 花子", "language": "ja",
            "email": "hanako@example.com", "title": Words(ja="100円引きクーポン", en="100 yen off"),
            "text": Words(ja="次回のお買い物からお使いいただけます。", en="For your next purchase."), "valid_from": NOW,
            "valid_until": datetime(2026, 3, 31, 1, 0, tzinfo=UTC), "secret": SECRET, "tries": 1}  # fmt: skip
    return Parcel(**(made | changes))


def way(port: int, *, security: str = "none", password: str = "", tls=None, host: str = "127.0.0.1", **more) -> MailWay:
    settings = MailSettings(host=host, port=port, sender="coupons@store.test", security=security, timeout_s=3,
                            username="store" if password else None, password_file="x" if password else None, **more)  # fmt: skip
    return MailWay(settings, password, SENDER, lambda: NOW, tls)


def parts(message):
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    return text, html, picture


# --- what it holds


@pytest.mark.row("B9")
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_the_letter_arrives_in_her_language_with_the_code_as_a_picture(language):
    async with mail_server() as server:
        result = await way(server.port).bring(parcel(language=language))
    assert isinstance(result, Sent)
    ((to, message, raw),) = server.letters
    text, html, picture = parts(message)
    assert to == ["hanako@example.com"]
    assert message["From"].addresses[0].display_name == getattr(STORE, language)
    title = {"ja": "100円引きクーポン", "en": "100 yen off"}[language]
    assert title in message["Subject"]
    for body in (text, html):
        assert all(
            each in body
            for each in ("山田 花子", title, getattr(parcel().text, language), "K0123456789ABCDEF", "2026-03-31")
        )
    assert f"cid:{picture['Content-ID'].strip('<>')}" in html
    read = zxingcpp.read_barcode(Image.open(io.BytesIO(picture.get_content())))
    assert read is not None
    assert read.text == "K0123456789ABCDEF"
    assert raw.isascii()  # for servers of every age
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert message["Content-Language"] == language


@pytest.mark.row("C11")
async def test_it_can_be_ended_and_says_nothing_of_her_in_any_address():
    message = letter(parcel(), SENDER, NOW)
    assert message["List-Unsubscribe"] == f"<https://shop.example/member/unsubscribe/{SECRET}>, <mailto:coupons@store.test?subject=unsubscribe>"  # fmt: skip
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html, _ = parts(message)
    urls = re.findall(r"https?://[^\s\"<>]+", text + html + str(message["List-Unsubscribe"]))
    assert urls
    for mark in ("C0001", "hanako", "K0123456789ABCDEF"):
        assert not any(mark in url for url in urls)
    assert SECRET not in message["Message-ID"]


def test_without_an_address_of_the_hub_letters_have_no_links():
    message = letter(parcel(), Sender(STORE, "coupons@store.test", ZoneInfo("Asia/Tokyo")), NOW)
    text, html, _ = parts(message)
    assert "http" not in text
    assert "href" not in html
    assert message["List-Unsubscribe"] == "<mailto:coupons@store.test?subject=unsubscribe>"
    assert "List-Unsubscribe-Post" not in message


HOSTILE = [
    "花子\r\nBcc: everybody@example.org",
    "x\nSubject: other\n\nbody",
    "a\x00b\x1b[2J",
    "\u2028To: c@example.org\u2029",
    '"quoted" <evil@example.org>, other',
    "=?utf-8?q?=0ABcc:x?=",
    "名" * 500,
    "<script>alert(1)</script>",
    "\ud800",
    "",
]


@pytest.mark.row("B9")
@pytest.mark.parametrize("name", HOSTILE)
async def test_names_are_names_whatever_stands_in_them(name):
    words = Words.model_construct(ja=name or "x", en=name or "x")
    hostile = parcel(name=name, title=words, text=words)
    async with mail_server() as server:
        sender = Sender(words, "coupons@store.test", ZoneInfo("Asia/Tokyo"))
        made = MailWay(way(server.port)._settings, "", sender, lambda: NOW)
        assert isinstance(await made.bring(hostile), Sent)
    ((to, message, raw),) = server.letters
    head = raw.partition(b"\r\n\r\n")[0]
    names = sorted(line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in b" \t")
    plain = letter(parcel(), Sender(STORE, "coupons@store.test", ZoneInfo("Asia/Tokyo")), NOW)
    assert names == sorted(key.lower().encode() for key in plain)  # no header more
    assert to == ["hanako@example.com"]
    assert [each.addr_spec for each in message["To"].addresses] == ["hanako@example.com"]
    assert [each.addr_spec for each in message["From"].addresses] == ["coupons@store.test"]
    assert "<script>" not in parts(message)[1]


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "a b@example.com", "x@example.com\r\nRCPT TO:<y@example.org>", "<a@b.example>",
                                   "..a@example.com", "あ@example.com", "a@-x-.example", "a@" + "x" * 300, "@example.com"])  # fmt: skip
async def test_an_address_that_is_none_fails_for_good_and_is_not_quoted(email):
    result = await way(1).bring(parcel(email=email))
    assert isinstance(result, Never)
    assert not email or email not in result.why
    with pytest.raises(NoAddress):
        letter(parcel(email=email), SENDER, NOW)


def test_a_domain_of_other_letters_is_written_as_dns_has_it():
    assert letter(parcel(email="hanako@例え.jp"), SENDER, NOW)["To"].addresses[0].addr_spec == "hanako@xn--r8jz45g.jp"


def test_a_line_is_a_line():
    assert one_line("a\r\n\tb\u200b c") == "a b c"


# --- the server


@pytest.mark.row("B9")
async def test_over_starttls_with_a_sign_in(tls):
    async with mail_server(tls[0], users={"store": "secret"}) as server:
        result = await way(server.port, security="starttls", password="secret", tls=tls[1]).bring(parcel())
    assert isinstance(result, Sent)
    assert server.signed_in == ["store"]
    assert server.secure == [True]


async def test_a_password_that_is_wrong_can_be_mended_so_it_is_tried_again(tls, capsys):
    async with mail_server(tls[0], users={"store": "secret"}) as server:
        result = await way(server.port, security="starttls", password="wrong-one", tls=tls[1]).bring(parcel())
    assert result == Later("the mail server answered 535 before it was asked to take a letter")
    assert server.letters == []
    said = capsys.readouterr()
    assert "wrong-one" not in said.out + said.err


async def test_a_certificate_that_is_not_the_servers_gets_no_password(tls):
    async with mail_server(tls[0], users={"store": "secret"}) as server:
        result = await way(server.port, security="starttls", password="secret").bring(parcel())  # nobody vouches for it
    assert isinstance(result, Later)
    assert (server.signed_in, server.letters) == ([], [])


async def test_a_server_without_tls_gets_nothing_when_tls_is_wanted():
    async with mail_server() as server:
        result = await way(server.port, security="starttls").bring(parcel())
    assert isinstance(result, Later)
    assert server.letters == []


@pytest.mark.row("B9")
@pytest.mark.parametrize("place", ["to_recipient", "to_data"])
async def test_not_now_and_then_taken(place):
    async with mail_server() as server:
        getattr(server, place).append("451 4.7.1 come back later")
        mail = way(server.port)
        first, second = await mail.bring(parcel()), await mail.bring(parcel(tries=2))
    assert first == Later("the mail server answered 451 to the letter")
    assert isinstance(second, Sent)
    assert len(server.letters) == 1


@pytest.mark.row("B9")
@pytest.mark.parametrize("place", ["to_recipient", "to_data"])
async def test_refused_for_good(place):
    async with mail_server() as server:
        getattr(server, place).append("550 5.1.1 <hanako@example.com> unknown")
        result = await way(server.port).bring(parcel())
    assert result == Never(
        "the mail server answered 550 to the letter"
    )  # and not its sentence, which quotes the address


async def test_nobody_answers_at_the_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert isinstance(await way(port).bring(parcel()), Later)


@pytest.mark.parametrize(
    "said", [b"", b"220 mail.test\r\n", b"this is no SMTP\r\n", b"\xff\xfe" * 50, b"220 " + b"x" * 20_000 + b"\r\n"]
)
async def test_a_server_that_breaks_off_or_talks_nonsense_is_tried_again(said):
    async def serve(_reader, writer):
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        assert isinstance(await way(server.sockets[0].getsockname()[1]).bring(parcel()), Later)


async def test_a_silent_server_holds_up_nothing_for_long():
    held = []

    async def serve(reader, writer):
        held.append(writer)
        await reader.read()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        mail = way(server.sockets[0].getsockname()[1])
        mail._settings = mail._settings.model_copy(update={"timeout_s": 0.2})
        async with asyncio.timeout(30):
            assert isinstance(await mail.bring(parcel()), Later)
    finally:
        for writer in held:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


@pytest.mark.row("B9")
async def test_an_answer_that_is_lost_brings_the_letter_again_under_the_same_id():
    """The one window that SMTP leaves (RFC 5321, section 6.1): taken, and nobody knows. Mailboxes drop a second one by its ID."""
    async with mail_server() as server:
        server.cut_after_data = 1
        mail = way(server.port)
        first = await mail.bring(parcel())
        second = await mail.bring(parcel(tries=2))
    assert isinstance(first, Later)
    assert isinstance(second, Sent)
    assert len(server.letters) == 2
    assert len({message["Message-ID"] for _, message, _ in server.letters}) == 1


# --- in the hub


@pytest.fixture(autouse=True)
def settings(folder):
    """Before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL + '[giving]\nways = ["email"]\n')


@pytest.mark.row("B9")
@pytest.mark.row("C4")
async def test_no_paper_and_the_letter_is_there_once(store):
    now_address(store, "hanako@example.com", name="花子\r\nBcc: x@example.org")
    agrees(store, "email")
    async with mail_server() as server:
        giver = Giver(store, way(server.port))
        server.to_data.append("421 4.3.0 busy")
        coupon = leave(store)
        await giver.turn()
        assert giver.states(coupon) == {"email": "pending"}
        await giver.turn(minutes=5)
        await giver.turn(hours=5)
    assert giver.states(coupon) == {"email": "sent"}
    ((_, message, _),) = server.letters
    assert coupon in message.get_body(("plain",)).get_content()


@pytest.mark.row("C11")
async def test_no_letter_without_consent(store):
    now_address(store, "hanako@example.com")
    async with mail_server() as server:
        giver = Giver(store, way(server.port))
        coupon = leave(store)
        await giver.turn()
    assert server.tries == 0
    assert giver.detail(coupon, "email") == "she has not agreed to email"


@pytest.mark.row("B9")
async def test_a_server_that_is_away_for_an_hour_gets_it_then(store):
    now_address(store, "hanako@example.com")
    agrees(store, "email")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    giver = Giver(store, way(port))
    coupon = leave(store)
    for _ in range(12):
        await giver.turn(minutes=5)
    assert giver.states(coupon) == {"email": "pending"}
    async with mail_server(port=port) as server:
        await giver.turn(minutes=30)
        await giver.turn(minutes=30)
    assert giver.states(coupon) == {"email": "sent"}
    assert len(server.letters) == 1


@pytest.mark.row("C11")
async def test_nothing_of_her_is_logged(store, capsys):
    now_address(store, "hanako@example.com")
    agrees(store, "email")
    giver = Giver(store, way(1))
    leave(store)
    await giver.turn()
    await giver.turn(minutes=5)
    said = capsys.readouterr()
    assert "coupons can't be brought now" in said.out
    assert said.out.count("coupons can't be brought now") == 1
    for mark in ("hanako", "山田", "C0001"):
        assert mark not in said.out + said.err
