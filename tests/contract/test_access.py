"""Access control against a second opinion: MQTT's matching written anew, and every topic of a small world tried."""

from __future__ import annotations

import itertools
import json

import pytest

from contract import topics
from contract.access import Principal, allowed, covers, grants
from contract.listing import contract_acl
from contract.messages import BY_NAME, CHANNELS, Role

LEVELS = ("a", "b", "")
WORLD = ["/".join(levels) for size in (1, 2, 3, 4) for levels in itertools.product(LEVELS, repeat=size)]
FILTERS = ["/".join(levels) for size in (1, 2, 3) for levels in itertools.product((*LEVELS, "+"), repeat=size)]
HASHED = ["#", *(f"{where}/#" for where in FILTERS if where.count("/") < 2)]


def matches(where: str, topic: str) -> bool:
    """MQTT 3.1.1, section 4.7, as a recursion."""
    head, _, rest = where.partition("/")
    if head == "#":
        return True
    first, more, others = topic.partition("/")
    if head not in ("+", first):
        return False
    if "/" not in where:
        return not more
    return matches(rest, others) if more else rest == "#"


@pytest.mark.parametrize("granted", FILTERS)
def test_covers_is_inclusion(granted: str) -> None:
    mine = {topic for topic in WORLD if matches(granted, topic)}
    for asked in FILTERS + HASHED:
        theirs = {topic for topic in WORLD if matches(asked, topic)}
        assert covers(granted, asked) == (theirs <= mine), asked


@pytest.mark.parametrize("asked", ["a+", "+a", "a#", "#/a", "++", "a/+b", "a\0"])
def test_what_is_no_filter_is_never_covered(asked: str) -> None:
    assert not any(covers("/".join("+" * size), asked) for size in (1, 2, 3))


@pytest.mark.row("C12")
@pytest.mark.parametrize("role", list(Role))
def test_the_table_read_a_second_time(role: Role) -> None:
    """Own ID in the own level, any ID elsewhere, and nothing besides: straight from the rows."""
    me, store = Principal(role, "me"), "ginza"
    for channel in CHANNELS:
        names, talking = topics.fields(channel), (channel.publisher, *channel.subscribers)
        for shop, *values in itertools.product((store, "other"), *(("me", "you") for _ in names)):
            ids = dict(zip(names, values, strict=True))
            topic = topics.topic(channel, shop, **ids)
            here = shop == store and ids.get(role.value, "me") == "me" and Role.CUSTOMER not in talking
            assert allowed(me, store, "publish", topic) == (here and channel.publisher is role)
            assert allowed(me, store, "subscribe", topic) == (here and role in channel.subscribers)


def test_an_observer_hears_everything_and_says_nothing() -> None:
    rules = grants(Principal(Role.OBSERVER, "o"), "ginza")
    assert {rule.action for rule in rules} == {"subscribe"}
    assert {rule.channel for rule in rules} == {channel.name for channel in CHANNELS if channel.at_broker}


def test_members_terminals_have_no_place_at_the_broker() -> None:
    """Health readings never pass it, whoever it is that listens."""
    assert grants(Principal(Role.CUSTOMER, "c1"), "ginza") == ()
    assert not BY_NAME["sensing_answer"].at_broker
    for role in Role:
        for action in ("publish", "subscribe"):
            assert not allowed(Principal(role, "c1"), "ginza", action, "instore/ginza/customer/c1/sensing/answer")


def test_a_clerk_reads_nothing_of_another_clerk_and_no_agent_reads_a_customer() -> None:
    for principal in (Principal(Role.CLERK, "c1"), Principal(Role.AGENT, "c1")):
        for channel in CHANNELS:
            if channel.personal:
                others = dict.fromkeys(topics.fields(channel), "other")
                assert not allowed(principal, "ginza", "subscribe", topics.topic(channel, "ginza", **others))
                assert not allowed(principal, "ginza", "subscribe", topics.pattern(channel, "ginza"))


@pytest.mark.parametrize("topic", ["#", "instore/ginza/agent/+/status", "instore/ginza/agent/a1/lane/+/scan"])
def test_nobody_publishes_on_a_wildcard(topic: str) -> None:
    assert not any(allowed(Principal(role, "a1"), "ginza", "publish", topic) for role in Role)


@pytest.mark.parametrize("username", ["", "agent", "agent-", "-a", "admin-a", "Agent-a", "agent-+", "agent-#", "agent-a/b",
                                      "agent-a:b", "agent- ", "agent-あ", "agent-" + "a" * 65])  # fmt: skip
def test_user_names_that_are_none(username: str) -> None:
    with pytest.raises(ValueError, match=r"is no (user name of this store|ID)"):
        Principal.of_username(username)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("own", ["a", "door-1", "A.b_c-9", "a" * 64])
def test_user_names_and_back(role: Role, own: str) -> None:
    assert Principal.of_username(Principal(role, own).username) == Principal(role, own)


def test_client_ids_belong_to_one_principal() -> None:
    people = [Principal(role, own) for role in (Role.AGENT, Role.CLERK) for own in ("1", "1-b", "11", "1.b")]
    for mine, other in itertools.product(people, repeat=2):
        for program in ("", "page", "b", "a:b"):
            assert other.owns_client_id(mine.client_id(program)) == (mine == other)


@pytest.mark.parametrize("store", ["", "+", "#", "a/b", "銀座"])
def test_a_store_with_a_wildcard_is_refused(store: str) -> None:
    for ask in (lambda: grants(Principal(Role.AGENT, "a"), store), lambda: contract_acl(store)):
        with pytest.raises(ValueError, match="is no name of a store"):
            ask()


def test_the_listing_says_what_is_enforced() -> None:
    rules = json.loads(contract_acl("ginza", as_json=True))["rules"]
    for rule in rules:
        topic = rule["topic"].replace("+", "x") if rule["action"] == "publish" else rule["topic"]
        assert allowed(Principal(Role(rule["role"]), "ID"), "ginza", rule["action"], topic)
    assert len(rules) == sum(len(grants(Principal(role, "ID"), "ginza")) for role in Role)
    text = contract_acl("ginza")
    assert all(rule["topic"] in text for rule in rules)
    assert max(map(len, text.splitlines())) < 120
