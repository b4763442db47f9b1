"""A batch is one transaction; one message that spoils it is found and put aside alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from gmqtt.client import Message as LibraryMessage
from gmqtt.mqtt.package import PublishPacket
from gmqtt.mqtt.utils import IdGenerator

from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from delivery import routes as routes_module
from delivery.engine import Tx
from delivery.link import _packet
from delivery.routes import Routes
from tests.delivery.hostile import Faults, Program, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(7, tmp_path, Faults())
    made.start(Role.HUB, "main")
    made.start(Role.AGENT, "exit")
    yield made
    for program in made.programs.values():
        program.journal.close()


def _batch(world: World, *names: str) -> list[tuple[str, bytes]]:
    for name in names:
        world.programs["exit"].scan(name)
    return [(topic, payload) for _, _, _, topic, payload in world.wire]


def _spoiled_by(hub: Program, name: str, told: list[str]) -> None:
    handle = hub.engine.handle

    def picky(message: Message, tx: Tx) -> None:
        code = getattr(message.data, "code_id", "")
        tx.on_rollback(lambda: told.append(f"undo {code}"))
        tx.after_commit(lambda: told.append(f"done {code}"))
        handle(message, tx)
        if code == name:
            raise ValueError("this one breaks the application")

    hub.engine.handle = picky


def test_what_stands_before_and_after_a_broken_message_happens_once(world: World) -> None:
    hub, told = world.programs["main"], list[str]()
    batch = _batch(world, "a", "bad", "b")
    _spoiled_by(hub, "bad", told)
    hub.engine.receive(batch)
    assert hub.applied() == ["a", "b"]
    # First without savepoints: all undone, newest first. Then with them: the broken one alone.
    assert told == ["undo bad", "undo a", "undo bad", "done a", "done b"]
    assert hub.engine.counters["received"] == 3
    assert hub.engine.counters["quarantined_handler"] == 1
    assert hub.journal.db.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)
    world.run(5)
    assert world.programs["exit"].engine.unacknowledged() == 0
    assert world.programs["exit"].applied() == ["a", "b"], "each was answered once, with numbers that have no gap"


def test_without_a_broken_message_no_savepoint_is_made(world: World) -> None:
    hub, statements = world.programs["main"], list[str]()
    batch = _batch(world, "a", "b")
    hub.journal.db.set_trace_callback(statements.append)
    hub.engine.receive(batch)
    hub.journal.db.set_trace_callback(None)
    assert hub.applied() == ["a", "b"]
    assert not [statement for statement in statements if "SAVEPOINT" in statement]
    assert statements.count("COMMIT") == 1


@pytest.mark.parametrize("size", [0, 1, 50, 90, 91, 92, 127, 128, 16_000, 16_383, 70_000])
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1])
def test_our_own_packet_is_the_library_s(size: int, retain: bool, qos: int) -> None:
    class Protocol:
        proto_ver = 4
        id_generator = IdGenerator()

    topic, payload = "instore/s1/agent/exit/sighting", bytes(size)
    message = LibraryMessage(topic, payload, qos=qos, retain=retain)
    mid, packet = PublishPacket.build_package(message, Protocol)
    assert _packet(topic, payload, retain, mid or 0) == bytes(packet)
    assert struct.pack("!H", len(topic)) in _packet(topic, payload, retain)


def test_routes_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "ROUTES_MAX", 2)
    routes = Routes(Principal(Role.HUB, "main"), "s1")
    first = routes.find("alert", {"clerk": "c01"})
    assert routes.find("alert", {"clerk": "c01"}) is first
    assert (first.topic, first.source, first.key) == ("instore/s1/clerk/c01/alert", "hub", None)
    decision = routes.find("lane_decision", {"agent": "exit", "lane": "1"})
    assert decision.key == ("agent/exit", "critical")
    assert routes.find("alert", {"clerk": "c02"}).topic.endswith("c02/alert")
    assert routes.find("alert", {"clerk": "c01"}) == first
    with pytest.raises(ValueError, match="beginning with a letter"):
        routes.find("alert", {"clerk": "#"})
