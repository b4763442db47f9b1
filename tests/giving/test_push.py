"""Notifications: subscribing, what a push service and a browser get, what becomes of a subscription that is gone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hub.database import push_subscriptions
from hub.database.push_subscriptions import Subscription
from hub.giving.push import PushWay
from hub.giving.push_endpoint import EndpointRefused, PushTrouble, Wire, checked, is_public
from hub.giving.vapid import public_text
from tests.giving.conftest import PUSH, Giver, agrees, leave, signed_in
from tests.giving.far_ends import Browser, encoded, push_service, vapid_claims
from tests.members.conftest import Phone, serving

SERVICES = ("push.test", "*.push.example.com")


@pytest.fixture(autouse=True)
def settings(folder):
    """Before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(PUSH + '[giving]\nways = ["push", "email"]\n')


async def loopback(_host, _port):
    return ["127.0.0.1"]


def wire(service, tls, **more) -> Wire:
    """As in the world, but for a push service on loopback."""
    return Wire((service.port,), loopback, lambda address: address == "127.0.0.1", tls[1], **more)


def subscribe(store, service, browser, name="abc", *, session="h1", language=""):
    with store.engine.transaction() as tx:
        push_subscriptions.put(tx.db, Subscription(service.endpoint(name), session, "C0001", encoded(browser.public),
                                                   encoded(browser.auth), "2026-03-01", language))  # fmt: skip


KEY = ec.generate_private_key(ec.SECP256R1())


def giver_of(store, service, tls, **changes) -> Giver:
    giver = Giver(store)
    assert store.settings.push is not None
    way = PushWay(store.settings.push.model_copy(update=changes), KEY, store.settings.store.name, giver.node,
                  store.hub.counters, wire(service, tls))  # fmt: skip
    giver.ways["push"] = way
    giver.courier._ways = giver.ways
    return giver


def endpoints(store):
    return [each.endpoint.rpartition("/")[2] for each in push_subscriptions.of(store.journal.db, "C0001")]


@pytest.fixture
def member(store):
    signed_in(store)
    agrees(store, "push")
    return store


@pytest.mark.row("B9")
async def test_a_browser_gets_what_no_push_service_can_read(member, tls):
    browser = Browser()
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        subscribe(member, service, browser)
        coupon = leave(member)
        await giver.turn()
    (pushed,) = service.pushed
    said = json.loads(browser.decrypt(pushed.body))
    assert said["coupon"] == coupon
    assert set(said) == {"title", "body", "coupon", "url"}
    assert coupon.encode() not in pushed.body
    assert pushed.path == "/push/abc"
    assert pushed.headers["content-encoding"] == "aes128gcm"
    assert pushed.headers["ttl"] == "86400"
    assert 0 < len(pushed.headers["topic"]) <= 32
    claims = vapid_claims(pushed.headers["authorization"])
    assert claims["aud"] == f"https://push.test:{service.port}"
    assert claims["sub"] == "mailto:it@store.test"
    assert claims["exp"] == int(member.now.timestamp()) + 12 * 3600
    assert pushed.headers["authorization"].endswith(f"k={public_text(KEY)}")
    assert giver.states(coupon) == {"push": "sent"}


@pytest.mark.row("B9")
async def test_in_the_language_of_the_page(member, tls):
    browser = Browser()
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        subscribe(member, service, browser, language="en")
        leave(member)
        await giver.turn()
    assert "a coupon for you" in json.loads(browser.decrypt(service.pushed[0].body))["title"]


@pytest.mark.row("B9")
@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_subscription_that_is_gone_goes_and_the_next_way_is_tried(member, tls, status):
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        service.answers.append(status)
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
    assert endpoints(member) == []
    assert giver.states(coupon) == {"push": "failed"}
    assert member.counters["push_subscriptions_gone"] == 1


async def test_one_terminal_of_several_is_enough(member, tls):
    signed_in(member, "h2")
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        service.answers += ["410 Gone", "201 Created"]
        subscribe(member, service, Browser(), "one", session="h1")
        subscribe(member, service, Browser(), "two", session="h2")
        coupon = leave(member)
        await giver.turn()
    assert len(endpoints(member)) == 1
    assert giver.states(coupon) == {"push": "sent"}


@pytest.mark.parametrize("answer", ["429 Slow\r\nRetry-After: 600", "500 Broken", "503 Away", "silence"])
async def test_not_now_is_tried_again_and_takes_the_place_of_the_first(member, tls, answer):
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls, timeout_s=0.5)
        service.answers.append(answer)
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
        assert giver.states(coupon) == {"push": "pending"}
        await giver.turn(minutes=5)
        early = len(service.pushed)
        await giver.turn(minutes=10)
    assert early == (1 if "600" in answer else 2)
    assert giver.states(coupon) == {"push": "sent"}
    assert len({each.headers["topic"] for each in service.pushed}) == 1
    assert endpoints(member) == ["abc"]


@pytest.mark.parametrize(
    "answer", ["400 Bad", "401 No", "403 No", "413 Large", "301 Moved\r\nLocation: http://127.0.0.1/"]
)
async def test_refused_for_good_and_no_redirect_is_followed(member, tls, answer):
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        service.answers.append(answer)
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
    assert giver.states(coupon) == {"push": "failed"}
    assert len(service.pushed) == 1


async def test_nobody_there_is_not_now(member, tls):
    async with push_service(tls[0]) as service:
        pass
    giver = giver_of(member, service, tls)
    subscribe(member, service, Browser())
    coupon = leave(member)
    await giver.turn()
    assert giver.states(coupon) == {"push": "pending"}


async def test_a_certificate_that_is_not_the_services_gets_nothing(member, tls):
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        giver.ways["push"]._wire = replace(wire(service, tls), tls=Wire().tls)
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
    assert service.pushed == []
    assert giver.states(coupon) == {"push": "pending"}


@pytest.mark.row("C11")
async def test_nothing_is_pushed_without_consent_and_subscriptions_go(member, tls):
    member.journal.db.execute("UPDATE consent SET withdrawn = '2026-03-01'")
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
        with member.engine.transaction() as tx:
            member.hub.giving.clean(tx)
    assert service.pushed == []
    assert giver.states(coupon) == {"push": "failed"}
    assert endpoints(member) == []


@pytest.mark.row("C11")
async def test_a_terminal_that_signs_out_gets_no_more(member, tls):
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls)
        subscribe(member, service, Browser())
        member.journal.db.execute("DELETE FROM member_session")
        coupon = leave(member)
        await giver.turn()
    assert service.pushed == []
    assert giver.detail(coupon, "push") == "no terminal of hers takes notifications"


# --- where a push may go


@pytest.mark.parametrize("address", [
    "10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",
    "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:0:7f00:1::", "255.255.255.255", "192.0.2.1", "198.18.0.1", "nonsense", "",
])  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


def test_addresses_that_are():
    assert all(is_public(each) for each in ("8.8.8.8", "142.250.1.1", "2606:4700::1111", "::ffff:8.8.8.8"))


@pytest.mark.parametrize("endpoint", [
    "", "http://push.test/x", "https://push.test:8443/x", "https://127.0.0.1/x", "https://evil.test/x", "https://push.test.evil.test/x",
    "https://push.test@evil.test/x", "https://user@push.test/x", "https://push.test\\@evil.test/x", "https://push.test/\r\nHost: x",
    "https://push.test/ x", "https://push.test:99999/x", "https://[::1]/x", "ftp://push.test/x", "https://push.test/" + "x" * 2000,
    "https://ｐush.test/x", "https://push.example.com/x", "https://", "//push.test/x", "https://push.test:0/x",
])  # fmt: skip
def test_endpoints_that_are_refused(endpoint):
    with pytest.raises(EndpointRefused):
        checked(endpoint, SERVICES)


def test_endpoints_that_are_not():
    for endpoint in ("https://push.test/x?y=1", "https://PUSH.test:443/x", "https://a.push.example.com/x"):
        checked(endpoint, SERVICES)


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], []])
async def test_a_name_that_leads_inside_is_not_connected_to(addresses):
    async def resolve(_host, _port):
        return addresses

    with pytest.raises(PushTrouble, match="not public"):
        await Wire(resolve=resolve).post(checked("https://push.test/x", SERVICES), {}, b"", 2)


async def test_what_is_refused_now_though_it_was_kept_before_goes(member, tls):
    """The settings' services were made fewer meanwhile."""
    async with push_service(tls[0]) as service:
        giver = giver_of(member, service, tls, services=("other.test",))
        subscribe(member, service, Browser())
        coupon = leave(member)
        await giver.turn()
    assert (service.pushed, endpoints(member)) == ([], [])
    assert giver.states(coupon) == {"push": "failed"}


# --- subscribing


@pytest.fixture
async def phone(store):
    async with serving(store) as address:
        made = Phone(address)
        yield made
        await made.http.aclose()


def body(name="abc", **changes):
    return {**Browser().subscription(f"https://push.test/{name}"), **changes}


async def subscribed(store, phone):
    customer = await phone.register()
    wording = (await phone.get("/push")).json()["wording"]
    answer = await phone.post("/push", body(wording=wording, language="en"))
    assert answer.status_code == 201, answer.text
    return customer


@pytest.mark.row("B9")
@pytest.mark.row("C11")
async def test_she_subscribes_with_her_consent_and_unsubscribes(store, phone):
    customer = await phone.register()
    found = (await phone.get("/push")).json()
    assert len(found["key"]) == 87
    assert (found["agreed"], found["subscribed"]) == (False, False)
    refused = await phone.post("/push", body())
    assert (refused.status_code, refused.json()["errors"][0]["kind"]) == (409, "no_consent")
    assert (await phone.post("/push", body(wording="push-of-yesterday"))).status_code == 422
    answer = await phone.post("/push", body(wording=found["wording"], language="en"))
    assert answer.status_code == 201
    assert (await phone.me())["consents"]["push"] is True
    (row,) = push_subscriptions.of(store.journal.db, customer)
    assert (row.endpoint, row.language) == ("https://push.test/abc", "en")
    assert (await phone.get("/push")).json()["subscribed"] is True
    assert (await phone.post("/push", body("new"))).status_code == 201  # the browser made another: it takes the place
    assert [each.endpoint for each in push_subscriptions.of(store.journal.db, customer)] == ["https://push.test/new"]
    gone = await phone.http.request("DELETE", "/push", json={"endpoint": "https://push.test/new"})
    assert gone.status_code == 204
    assert push_subscriptions.of(store.journal.db, customer) == []


async def test_signing_out_ends_it(store, phone):
    customer = await subscribed(store, phone)
    await phone.post("/sign-out")
    assert push_subscriptions.of(store.journal.db, customer) == []


async def test_nobody_ends_anothers(store, phone):
    customer = await subscribed(store, phone)
    stranger = Phone(phone.address)
    await stranger.register(email="other@example.com", phone="")
    await stranger.http.request("DELETE", "/push", json={"endpoint": "https://push.test/abc"})
    await stranger.http.aclose()
    assert len(push_subscriptions.of(store.journal.db, customer)) == 1


@pytest.mark.parametrize(("change", "field"), [
    ({"endpoint": "https://169.254.169.254/latest"}, "endpoint"), ({"endpoint": "http://push.test/x"}, "endpoint"),
    ({"endpoint": None}, "endpoint"), ({"endpoint": 7}, "endpoint"), ({"keys": None}, "keys"), ({"keys": {}}, "keys"),
    ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "keys"), ({"keys": [1]}, "keys"),
])  # fmt: skip
async def test_what_is_no_subscription_is_a_sentence_and_changes_nothing(store, phone, change, field):
    customer = await phone.register()
    answer = await phone.post("/push", body(wording="push-1", **change))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert {"ja", "en"} <= set(answer.json()["errors"][0])
    assert push_subscriptions.of(store.journal.db, customer) == []
    assert (await phone.me())["consents"]["push"] is False


async def test_only_a_member_and_only_from_our_page(phone):
    assert (await phone.post("/push", body())).status_code == 401
    await phone.register()
    evil = await phone.http.post("/push", json=body(), headers={"Origin": "https://evil.test"})
    assert evil.status_code == 403
