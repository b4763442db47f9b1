"""Access control where brokers are known to leak: wills, retained messages, client IDs, shared subscriptions, sizes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from contract.access import Principal
from contract.envelope import MAX_BYTES
from tests.broker.stage import AGENT, CLERK, HUB, NEIGHBOUR, OBSERVER, both, running
from tests.broker.wire import Client, Will, connect_packet, mark, open_client

OWN_STATUS = "instore/ginza/agent/a1/status"
ALERT = "instore/ginza/clerk/c1/alert"


async def _answer(port: int, first: bytes) -> int | None:
    client, answer = await open_client(port, first)
    await client.close()
    return answer


@both
async def test_no_anonymous_entry_and_no_wrong_password(kind: str, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage:
        right = stage.passwords[AGENT]
        for username, password in [(None, None), ("agent-a1", None), ("agent-a1", "wrong"), ("agent-a1", ""),
                                   ("nobody", right), ("agent-a2", right), ("hub-main", right), ("", "")]:  # fmt: skip
            assert await _answer(stage.port, connect_packet("agent-a1", username, password)) in (4, 5), username
        assert await _answer(stage.port, connect_packet("agent-a1", "agent-a1", right)) == 0


@both
async def test_an_unauthenticated_client_pushes_nobody_out(kind: str, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(AGENT) as victim:
        for clean in (True, False):
            refused = connect_packet("agent-a1", "agent-a1", "wrong", clean=clean)
            assert await _answer(stage.port, refused) in (4, 5)
        await victim.ping()
        assert not victim.closed
        assert (await victim.subscribe(["instore/ginza/hub/+/status"])) == {"instore/ginza/hub/+/status": True}


@both
@pytest.mark.parametrize("clean", [True, False])
async def test_a_will_reaches_only_topics_of_its_own(kind: str, clean: bool, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage:
        for topic, honest in [("instore/ginza/agent/a2/status", False), (ALERT, False), ("$SYS/forged/x", False),
                              ("instore/ginza/hub/main/status", False), (OWN_STATUS, True)]:  # fmt: skip
            will = Will(topic, mark(), retain=True)
            first = connect_packet("agent-a1", "agent-a1", stage.passwords[AGENT], will=will, clean=clean)
            dying, answer = await open_client(stage.port, first)
            if answer == 0:
                dying.drop()
            await dying.close()
            async with stage.connect(AGENT) as again:  # a marker behind the will
                await stage.settled(again, "agent-a1")
            assert ((topic, will.payload) in {(where, payload) for where, payload, _ in stage.accepted}) is honest, (
                topic
            )


@both
async def test_a_will_comes_when_the_line_breaks_or_falls_silent_and_not_after_a_goodbye(
    kind: str, tmp_path: Path
) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(OBSERVER) as observer:
        await observer.subscribe([OWN_STATUS])
        # Mosquitto looks at keep-alives every 5 s: known, and not waited for here.
        ends = ["goodbye", "cut", *(["silence"] if kind == "embedded" else [])]
        for end in ends:
            will = Will(OWN_STATUS, end.encode())
            first = connect_packet("agent-a1", "agent-a1", stage.passwords[AGENT], will=will, keepalive_s=1)
            client, answer = await open_client(stage.port, first)
            assert answer == 0
            if end == "cut":
                client.drop()
            if end == "silence":
                await observer.until(
                    lambda: observer.messages and observer.messages[-1][1] == b"silence", timeout_s=30.0
                )
            await client.close()
            if end == "cut":
                await observer.until(lambda: observer.messages)
        assert [payload for _, payload, _ in observer.messages] == [end.encode() for end in ends[1:]]


@both
async def test_retained_messages_go_only_to_who_may_and_did_subscribe(kind: str, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(OBSERVER) as observer:
        await observer.subscribe([OWN_STATUS, ALERT])
        await stage.inject(ALERT, b"personal", retain=True)
        await stage.inject("instore/ginza/hub/main/status", b"for all", retain=True)
        async with stage.connect(AGENT) as agent:
            agent.publish(OWN_STATUS, b"kept", retain=True, qos=1)
            await stage.settled(agent, "agent-a1")
        async with stage.connect(NEIGHBOUR) as other:  # nothing without a subscription, nothing against the rules
            await other.subscribe(["#", ALERT, OWN_STATUS, "instore/ginza/#"])
            await other.ping()
            assert other.messages == []
            await other.subscribe(["instore/ginza/hub/+/status"])
            await other.until(lambda: other.messages)
            assert other.messages == [("instore/ginza/hub/main/status", b"for all", True)]
        async with stage.connect(HUB) as hub:
            await hub.subscribe(["instore/ginza/agent/+/status"])
            await hub.until(lambda: hub.messages)
            assert hub.messages == [(OWN_STATUS, b"kept", True)]


@both
async def test_a_session_that_comes_back_gets_what_it_missed(kind: str, tmp_path: Path) -> None:
    count = 1500  # Mosquitto's default keeps 1000
    async with running(kind, tmp_path) as stage:
        async with stage.connect(CLERK, clean=False) as clerk:
            assert (await clerk.subscribe([ALERT], qos=1))[ALERT]
        async with stage.connect(HUB) as hub:
            for number in range(count):
                hub.publish(ALERT, b"%d" % number, qos=1)
            await stage.settled(hub, "hub-main")
        async with stage.connect(CLERK, clean=False) as clerk:
            await clerk.until(lambda: len(clerk.messages) == count)
            assert [payload for _, payload, _ in clerk.messages] == [b"%d" % number for number in range(count)]


@both
@pytest.mark.parametrize("clean", [True, False])
async def test_the_same_client_again_replaces_its_old_connection(kind: str, clean: bool, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, contextlib.AsyncExitStack() as stack:
        connections: list[Client] = []
        for _ in range(4):
            client = await stack.enter_async_context(stage.connect(CLERK, clean=clean))
            await client.subscribe([ALERT], qos=1)
            connections.append(client)
        for old in connections[:-1]:
            await old.until(lambda old=old: old.closed)
            assert old.closed
        async with stage.connect(HUB) as hub:
            hub.publish(ALERT, b"x", qos=1)
            await stage.settled(hub, "hub-main")
            await connections[-1].until(lambda: connections[-1].messages)
        assert [len(client.messages) for client in connections] == [0, 0, 0, 1]


@both
async def test_two_programs_of_one_principal(kind: str, tmp_path: Path) -> None:
    async with (
        running(kind, tmp_path) as stage,
        stage.connect(CLERK, CLERK.client_id("page")) as page,
        stage.connect(CLERK, CLERK.client_id("terminal")) as terminal,
        stage.connect(HUB) as hub,
    ):
        for client in (page, terminal):
            await client.subscribe([ALERT])
        hub.publish(ALERT, b"both")
        for client in (page, terminal):
            await client.until(lambda client=client: client.messages)
            assert client.messages == [(ALERT, b"both", False)]


@both
async def test_a_tool_without_a_client_id_gets_in_and_keeps_nothing(kind: str, tmp_path: Path) -> None:
    """`mosquitto_sub` sends none."""
    async with running(kind, tmp_path) as stage, stage.connect(HUB) as hub:
        first = connect_packet("", "clerk-c1", stage.passwords[CLERK])
        (one, answer), (two, other) = await open_client(stage.port, first), await open_client(stage.port, first)
        assert (answer, other) == (0, 0)
        for client in (one, two):
            assert await client.subscribe([ALERT, "#"]) == {ALERT: True, "#": False}
        hub.publish(ALERT, b"x")
        for client in (one, two):
            await client.until(lambda client=client: client.messages)
            await client.close()
        lasting = connect_packet("", "clerk-c1", stage.passwords[CLERK], clean=False)
        assert await _answer(stage.port, lasting) == 2


@both
async def test_an_overlong_message_is_not_passed_on(kind: str, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage:
        async with stage.connect(AGENT) as agent:
            agent.publish(OWN_STATUS, b"x" * MAX_BYTES, qos=1)
            await stage.settled(agent, "agent-a1")
            agent.publish(OWN_STATUS, b"y" * (MAX_BYTES * 3), qos=1)
            with contextlib.suppress(ConnectionError):
                await agent.ping()
        async with stage.connect(AGENT) as agent:
            await stage.settled(agent, "agent-a1")
        assert [len(payload) for topic, payload, _ in stage.accepted if topic == OWN_STATUS] == [MAX_BYTES]


@both
@pytest.mark.parametrize("last_words", [b"\x30\x05\x00\x03a/+", b"\x30\x02\x00\x00", b"\xf0\x00", b"\x30\xff\xff\xff\xff\x01",
                                        b"\x10\x00", b"\x30\x04\x00\x02\xff\xfe"])  # fmt: skip
async def test_what_is_no_mqtt_ends_this_connection_only(kind: str, last_words: bytes, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage, stage.connect(CLERK) as other:
        async with stage.connect(AGENT) as agent:
            agent.writer.write(last_words)
            await agent.until(lambda: agent.closed)
            assert agent.closed
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x10\x02\x00\x04", b"\x00" * 64):
            assert await _answer(stage.port, garbage + b"\xe0\x00") is None
        await other.ping()
        assert not other.closed
        async with stage.connect(AGENT) as agent:
            await agent.ping()


@both
async def test_nothing_is_lost_while_others_come_and_go(kind: str, tmp_path: Path) -> None:
    """Subscribing during a burst was measured to end amqtt's loop over its subscriptions."""
    count = 2000
    topic = "instore/ginza/agent/a1/sighting"
    async with (
        running(kind, tmp_path) as stage,
        stage.connect(OBSERVER, OBSERVER.client_id("early")) as early,
        stage.connect(HUB) as hub,
        stage.connect(AGENT) as agent,
    ):
        await early.subscribe([topic])
        await hub.subscribe(["instore/ginza/agent/+/sighting"])

        async def come_and_go(principal: Principal, name: str) -> None:
            for number in range(10):
                async with stage.connect(principal, principal.client_id(f"{name}{number}")) as passer:
                    await passer.subscribe([f"instore/ginza/agent/{name}{number}-{at}/sighting" for at in range(5)])

        async with asyncio.TaskGroup() as group:
            for principal, name in ((OBSERVER, "a"), (OBSERVER, "b"), (HUB, "c")):
                group.create_task(come_and_go(principal, name))
            for number in range(count):
                agent.publish(topic, b"%d" % number)
                if number % 50 == 0:
                    await agent.writer.drain()
                    await asyncio.sleep(0)
        await hub.until(lambda: len(hub.messages) == count, timeout_s=30.0)
        assert [payload for _, payload, _ in hub.messages] == [b"%d" % number for number in range(count)]


@both
@pytest.mark.parametrize("keepalive_s", [0, 60])
async def test_messages_before_a_goodbye_arrive(kind: str, keepalive_s: int, tmp_path: Path) -> None:
    async with running(kind, tmp_path) as stage:
        async with stage.connect(AGENT, keepalive_s=keepalive_s) as agent:
            for number in range(100):
                agent.publish("instore/ginza/agent/a1/sighting", b"%d" % number)
            agent.writer.write(b"\xe0\x00")
            await agent.until(lambda: agent.closed)
        async with stage.connect(AGENT) as agent:
            await stage.settled(agent, "agent-a1")
        taken = [payload for topic, payload, _ in stage.accepted if topic.endswith("sighting")]
        assert taken == [b"%d" % number for number in range(100)]


async def test_shared_subscriptions_open_no_back_door(tmp_path: Path) -> None:
    """Mosquitto knows `$share`; under it the same rules hold. amqtt does not, and takes it for a topic of nobody."""
    for kind in ("mosquitto", "embedded"):
        async with running(kind, tmp_path / kind) as stage, stage.connect(AGENT) as agent:
            asked = ["$share/g/#", f"$share/g/{ALERT}", "$share/g/instore/ginza/agent/+/status"]
            assert (await agent.subscribe(asked)) == dict.fromkeys(asked, False)
