"""Every role on every topic of the table, its own and others', to publish and to subscribe, against running brokers.

What `contract.access.allowed` says is what the broker does.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from contract import topics
from contract.access import Principal, allowed
from contract.messages import CHANNELS, Role
from tests.broker.stage import AGENT, NEIGHBOUR, PRINCIPALS, STORE, both, running
from tests.broker.wire import mark

IDS = {"agent": ("a1", "a1-b", "a2"), "hub": ("main", "other"), "clerk": ("c1", "c2")}
ODD = (
    "x", "instore", "instore/ginza", "instore/ginza/agent/a1", "instore/ginza/agent/a1/", "instore//agent/a1/status",
    "/instore/ginza/agent/a1/status", "Instore/ginza/agent/a1/status", "instore/ginza/agent//status",
    "$SYS/forged/uptime", "$CONTROL/dynamic-security/v1", "$SYS/broker/uptime",
)  # fmt: skip


def _topics() -> list[str]:
    """Every row with every mix of own, others' and another store's IDs, and each a level longer and shorter."""
    found: dict[str, None] = {}
    for channel in CHANNELS:
        names = topics.fields(channel)
        for store, *values in itertools.product((STORE, "shibuya"), *(IDS.get(name, ("x1",)) for name in names)):
            topic = topics.topic(channel, store, **dict(zip(names, values, strict=True)))
            found |= {topic: None, f"{topic}/more": None, topic.rpartition("/")[0]: None}
    return [*found, *(topic for topic in ODD if topic not in found)]


def _filters() -> list[str]:
    """Every topic, every row with each of its levels open or not, and the wildcards that reach over rows."""
    found = dict.fromkeys(_topics())
    for channel in CHANNELS:
        names = topics.fields(channel)
        for store, *values in itertools.product((STORE, "+"), *((*IDS.get(name, ("x1",)), "+") for name in names)):
            where = topics.pattern(channel, store, **dict(zip(names, values, strict=True)))
            found |= {where: None, where.rpartition("/")[0] + "/#": None, where + "/#": None}
    wide = ["#", "+/#", "instore/#", "+/+/+/+/+", "+/ginza/agent/a1/status", "instore/ginza/+/a1/status", "$SYS/#",
            "instore/ginza/#", "instore/ginza/agent/#", "instore/ginza/agent/a1/#", "$CONTROL/#", "$SYS/broker/+"]  # fmt: skip
    return [*found, *(where for where in wide if where not in found)]


TOPICS, FILTERS = _topics(), _filters()


@both
@pytest.mark.row("C12")
@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda who: who.username)
async def test_publish(kind: str, principal: Principal, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(principal) as client:
        sent = {mark(): topic for topic in TOPICS}
        for payload, topic in sent.items():
            client.publish(topic, payload)
        await stage.settled(client, principal.username)
        taken = {topic for topic, payload, _ in stage.accepted if sent.get(payload) == topic}
        assert not client.closed
        assert taken == {topic for topic in TOPICS if allowed(principal, STORE, "publish", topic)}
        assert bool(taken) == (principal.role is not Role.OBSERVER)


@both
@pytest.mark.row("C12")
@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda who: who.username)
async def test_subscribe(kind: str, principal: Principal, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(principal) as client:
        answers = await client.subscribe(FILTERS)
        expected = {where: allowed(principal, STORE, "subscribe", where) for where in FILTERS}
        assert {where for where in FILTERS if answers[where]} == {where for where in FILTERS if expected[where]}

        mine = [topic for topic in TOPICS if allowed(principal, STORE, "subscribe", topic)]
        last = mark()
        for topic in [topic for topic in TOPICS if not topic.startswith("$")]:
            await stage.inject(topic, topic.encode())
        await stage.inject(mine[0], last)
        await client.until(lambda: client.messages and client.messages[-1][1] == last)
        assert {topic for topic, _, _ in client.messages} == set(mine)


def test_the_universe_is_not_trivial() -> None:
    """Every role is allowed something and denied something, and IDs that begin alike are different."""
    assert len(TOPICS) > 150
    assert len(FILTERS) > 300
    for principal in PRINCIPALS:
        may = [topic for topic in TOPICS if allowed(principal, STORE, "subscribe", topic)]
        assert 0 < len(may) < len(TOPICS)
    of_a1 = {topic for topic in TOPICS if allowed(AGENT, STORE, "publish", topic)}
    assert of_a1.isdisjoint(topic for topic in TOPICS if allowed(NEIGHBOUR, STORE, "publish", topic))
