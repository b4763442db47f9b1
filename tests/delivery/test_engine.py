"""Two engines with real files over a hostile network: every critical event once, in order, whatever happens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contract.envelope import Message
from contract.messages import Role
from contract.payloads import AgentHeartbeat, Sighting, SightingKind
from delivery import outgoing
from delivery.clock import Clock
from delivery.engine import Tx
from tests.delivery.hostile import Faults, Program, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(7, tmp_path, Faults())
    made.start(Role.HUB, "main")
    made.start(Role.AGENT, "exit")
    yield made
    for program in made.programs.values():
        program.journal.close()


def scans(count: int) -> list[str]:
    return [f"scan-{n}" for n in range(count)]


@pytest.mark.row("C1")
@pytest.mark.parametrize("seed", range(12))
def test_nothing_lost_nothing_twice_over_a_hostile_network(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    world = World(seed, tmp_path, Faults(lose=0.2, double=0.2, delay_s=0.3))
    world.start(Role.HUB, "main")
    world.start(Role.AGENT, "exit")
    for n, name in enumerate(scans(60)):
        world.programs["exit"].scan(name)
        world.run(world.rng.random() * 0.4)
        match world.rng.randrange(12):
            case 0:
                world.start(Role.HUB, "main")  # killed and started again from its file
            case 1:
                world.start(Role.AGENT, "exit")
            case 2 | 3:
                world.forget()  # the broker restarts with all its memory gone
        if n % 10 == 0:
            world.run(5)
    world.faults.lose = 0.0
    world.run(200)
    hub, agent = world.programs["main"], world.programs["exit"]
    assert hub.applied() == scans(60)
    assert agent.applied() == scans(60)
    assert hub.engine.unacknowledged() == agent.engine.unacknowledged() == 0
    agent.engine.flush()
    assert agent.journal.db.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    for program in world.programs.values():
        program.journal.close()


def test_a_crash_before_the_commit_leaves_no_trace_and_no_receipt(world: World) -> None:
    hub = world.programs["main"]
    world.programs["exit"].scan("a")
    _, _, _, topic, payload = world.wire[0]
    with pytest.raises(ZeroDivisionError), hub.engine.transaction() as tx:
        tx.send("lane_decision", _decision(), agent="exit", lane="1")
        raise ZeroDivisionError
    assert hub.engine.poll() == []
    assert hub.engine.unacknowledged() == 0
    hub.engine.receive([(topic, payload)])
    assert hub.applied() == ["a"]


def _decision() -> object:
    from contract.payloads import Bilingual, LaneDecision

    return LaneDecision(scan="x", outcome="open", show=Bilingual(ja="", en=""))


def test_a_message_that_cannot_be_handled_is_set_aside_and_the_stream_goes_on(world: World) -> None:
    hub = world.programs["main"]
    handle = hub.engine.handle

    def picky(message: Message, tx: Tx) -> None:
        handle(message, tx)
        if getattr(message.data, "code_id", "") == "bad":
            raise ValueError("this one breaks the application")

    hub.engine.handle = picky
    for name in ("a", "bad", "b"):
        world.programs["exit"].scan(name)
    world.run(5)
    assert hub.applied() == ["a", "b"]
    assert world.programs["exit"].applied() == ["a", "b"]
    assert hub.engine.counters["quarantined_handler"] == 1
    rows = hub.journal.db.execute("SELECT reason, detail FROM quarantine").fetchall()
    assert rows == [("handler", "ValueError: this one breaks the application")]
    assert world.programs["exit"].engine.unacknowledged() == 0


def test_a_full_disk_takes_nothing_and_acknowledges_nothing(world: World) -> None:
    hub = world.programs["main"]
    handle = hub.engine.handle

    def full(message: Message, tx: Tx) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    hub.engine.handle = full
    world.programs["exit"].scan("a")
    with pytest.raises(sqlite3.OperationalError):
        world.run(0.5)
    assert world.programs["exit"].engine.unacknowledged() == 1
    hub.engine.handle = handle
    world.run(10)
    assert hub.applied() == ["a"]


@pytest.mark.row("C12")
def test_broken_messages_are_quarantined_with_the_reason(world: World) -> None:
    hub = world.programs["main"]
    topic = "instore/s1/agent/exit/sighting"
    hub.engine.receive(
        [(topic, b"\xff{"), (topic, b"{}"), ("instore/s1/agent/exit/nonsense", b"{}"), (topic, b"x" * 70_000)]
    )
    rows = hub.journal.db.execute("SELECT reason, length(payload) FROM quarantine ORDER BY row").fetchall()
    assert rows == [("not_json", 2), ("schema", 2), ("unknown_topic", 2), ("too_large", 4096)]
    assert hub.engine.counters["quarantined"] == 4


def test_sightings_are_sent_at_once_and_saved_in_groups(world: World) -> None:
    agent = world.programs["exit"]
    world.faults.lose = 1.0
    for n in range(20):
        agent.sight(f"b{n}")
    count = "SELECT count(*) FROM outbox"
    assert agent.journal.db.execute(count).fetchone() == (0,)
    world.run(1.5)
    assert agent.journal.db.execute(count).fetchone() == (20,)
    world.faults.lose = 0.0
    again = world.start(Role.AGENT, "exit")
    world.run(5)
    assert world.programs["main"].applied() == [f"b{n}" for n in range(20)]
    assert again.engine.unacknowledged() == 0


def test_a_sighting_acknowledged_within_a_second_never_touches_the_disk(world: World) -> None:
    agent = world.programs["exit"]
    before = agent.journal.db.total_changes
    for n in range(20):
        agent.sight(f"b{n}")
    world.run(3)
    assert world.programs["main"].applied() == [f"b{n}" for n in range(20)]
    assert agent.journal.db.total_changes == before


def test_the_oldest_sightings_are_dropped_counted_and_declared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "SIGHTINGS_MAX", 50)
    agent, hub = world.programs["exit"], world.programs["main"]
    agent.sight("first")
    world.run(1)
    world.faults.lose = 1.0
    for n in range(80):
        agent.sight(f"b{n}")
    assert agent.engine.counters["dropped_sightings"] == 30
    world.faults.lose = 0.0
    world.run(120)
    assert hub.applied() == ["first", *(f"b{n}" for n in range(30, 80))]
    assert hub.engine.counters["declared_lost"] == 30


def test_a_backlog_of_sightings_does_not_delay_a_scan(world: World) -> None:
    agent, hub = world.programs["exit"], world.programs["main"]
    world.faults.lose = 1.0
    for n in range(3000):
        agent.sight(f"b{n}")
    world.faults.lose = 0.0
    world.faults.delay_s = 0.0
    agent.scan("now")
    world.run(0.01)
    assert "now" in hub.applied()


def test_marks_of_old_starts_are_forgotten(world: World) -> None:
    for n in range(120):
        world.start(Role.AGENT, "exit").scan(f"s{n}")
        world.run(1)
    hub = world.programs["main"]
    assert hub.journal.db.execute("SELECT count(*) FROM inbox_mark").fetchone() == (100,)
    assert hub.applied() == [f"s{n}" for n in range(120)]


def test_state_is_not_queued_while_there_is_no_connection(world: World) -> None:
    from contract.payloads import AgentStatus, ClientState

    agent: Program = world.programs["exit"]
    agent.engine.link_down()
    with agent.engine.transaction() as tx:
        tx.send("agent_status", AgentStatus(state=ClientState.READY))
    agent.engine.link_up()
    assert agent.engine.poll() == []
    assert agent.engine.counters["unsent_state"] == 1


def test_ids_of_messages_never_repeat(world: World) -> None:
    seen: set[str] = set()
    agent = world.programs["exit"]
    for n in range(50):
        with agent.engine.transaction() as tx:
            message_id = tx.send("sighting", Sighting(beacon=f"b{n}", event=SightingKind.MOVED, heard=tx.utc))
        assert message_id not in seen
        seen.add(message_id)


def test_the_time_is_what_the_hub_s_last_receipt_said_whatever_happens_to_our_clock(world: World) -> None:
    """A lane judges codes by the hub's clock, an entrance tells by it who came when (found by a busy hour of wrong clocks)."""
    agent, clock = world.programs["exit"], world.clock
    hours_off = Clock(clock.monotonic, lambda: clock.utc() + timedelta(hours=2))
    agent.engine.clock = hours_off
    assert agent.engine.utc() == hours_off.utc()  # nobody has told better
    agent.scan("scan-0")
    world.run(3600)
    assert abs(agent.engine.utc() - clock.utc()) < timedelta(seconds=1)
    agent.engine.clock = Clock(clock.monotonic, lambda: clock.utc() - timedelta(days=9000))
    assert abs(agent.engine.utc() - clock.utc()) < timedelta(seconds=1)
    agent.engine.clock = Clock(clock.monotonic, lambda: clock.utc() + timedelta(seconds=2))
    assert agent.engine.utc() == agent.engine.clock.utc()  # they agree: ours is the finer one
    assert world.programs["main"].engine.utc() == clock.utc()


def test_a_heartbeat_is_answered_so_that_an_agent_knows_the_time_before_it_says_anything(world: World) -> None:
    agent, clock = world.programs["exit"], world.clock
    agent.engine.clock = Clock(clock.monotonic, lambda: clock.utc() - timedelta(hours=2))
    with agent.engine.transaction() as tx:
        tx.send("agent_heartbeat", AgentHeartbeat(uptime_s=1.0, unacknowledged=0, epoch=agent.engine.epoch))
    agent.push()
    world.run(1)
    assert abs(agent.engine.utc() - clock.utc()) < timedelta(seconds=1)
    assert world.programs["main"].applied() == []
