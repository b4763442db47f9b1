"""Members' terminals: what is for them never reaches the broker, and what they say leaves nothing on disk (rows A8, C11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from contract import topics
from contract.access import Principal
from contract.envelope import Message, decode, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import HubStatus, Readings, SensingAnswer, SensingRequest
from delivery.engine import Engine, Publication, Tx
from delivery.journal import Journal

CANARY = 77.3125
TOPIC = topics.topic(BY_NAME["sensing_answer"], "s1", customer="C1")
REQUEST = SensingRequest(request="r1", customer="C1", readings=["heart_rate"], deadline="2026-03-01T00:00:00Z")


class Program:
    """A hub that only remembers, and a shelf of what went to terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "hub.sqlite")
        self.engine = Engine(self.journal, Principal(Role.HUB, "main"), "s1", self.handle)
        self.engine.outlet = lambda customer, publication: self.told.append((customer, publication))
        self.told: list[tuple[str, Publication]] = []
        self.heard: list[Message] = []
        self.breaks = False

    def handle(self, message: Message, tx: Tx) -> None:
        if self.breaks:
            raise ValueError(f"can't take {message.data}")
        self.heard.append(message)
        tx.send("sensing_request", REQUEST, customer="C2")

    def quarantined(self) -> list[tuple[str, str, str, bytes]]:
        return self.journal.db.execute("SELECT topic, reason, detail, payload FROM quarantine ORDER BY row").fetchall()

    def everything_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.folder.iterdir()))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    program.journal.close()


def answer(customer: str = "C1", *, speaks_for: str | None = None) -> bytes:
    data = SensingAnswer(request="r1", customer=speaks_for or customer, readings=Readings(heart_rate_per_min=CANARY))
    ids = {"customer": customer}
    return encode(Message(BY_NAME["sensing_answer"], ids, data, "m1", source_of(BY_NAME["sensing_answer"], ids)))


def bent(**data: object) -> bytes:
    message = json.loads(answer())
    message["data"] |= data
    return json.dumps(message).encode()


@pytest.mark.parametrize("connected", [True, False], ids=["broker there", "broker away"])
def test_what_is_for_a_terminal_goes_to_the_outlet_after_the_commit(hub: Program, connected: bool) -> None:
    if connected:
        hub.engine.link_up()
    with hub.engine.transaction() as tx:
        tx.send("sensing_request", REQUEST, customer="C1", visit="v1", cause="m0")
        assert hub.told == []
    [(customer, publication)] = hub.told
    message = decode(publication.topic, publication.payload)
    assert (customer, message.data, message.visit, message.cause) == ("C1", REQUEST, "v1", "m0")
    assert hub.engine.poll() == []
    assert hub.engine.counters["unsent_state"] == 0


def test_nothing_of_a_transaction_that_failed_is_said(hub: Program) -> None:
    with pytest.raises(ZeroDivisionError), hub.engine.transaction() as tx:
        tx.send("sensing_request", REQUEST, customer="C1")
        raise ZeroDivisionError
    assert hub.told == []


def test_without_an_outlet_and_with_a_broken_one_the_transaction_holds(hub: Program) -> None:
    hub.engine.outlet = None
    with hub.engine.transaction() as tx:
        tx.send("sensing_request", REQUEST, customer="C1")
    assert hub.engine.counters["unsent_to_terminals"] == 1
    hub.engine.outlet = lambda customer, publication: 1 / 0
    with hub.engine.transaction() as tx:
        tx.send("sensing_request", REQUEST, customer="C1")
        tx.send("hub_status", HubStatus(state="ready"))
    assert hub.engine.counters["outlet_errors"] == 1


def test_a_terminal_is_heard_and_answered_in_one_transaction(hub: Program) -> None:
    assert hub.engine.from_terminal("C1", TOPIC, answer()) == ""
    assert [message.data.readings.heart_rate_per_min for message in hub.heard] == [CANARY]
    assert [customer for customer, _ in hub.told] == ["C2"]
    assert hub.engine.counters["received"] == 1


@pytest.mark.row("C11")
def test_readings_that_do_not_fit_leave_only_a_reason(hub: Program, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [
        ("schema", "C1", TOPIC, bent(readings={"heart_rate_per_min": str(CANARY)})),
        ("schema", "C1", TOPIC, bent(readings={"air_pressure_hpa": CANARY})),
        ("schema", "C1", TOPIC, bent(measured=f"at {CANARY}")),
        ("not_json", "C1", TOPIC, answer()[:-1]),
        ("too_large", "C1", TOPIC, answer() + b" " * 70_000),
        ("wrong_source", "C1", TOPIC, answer("C2")),
        ("not_mine", "C1", TOPIC, answer(speaks_for="C2")),
        ("not_mine", "C1", TOPIC.replace("C1", "C2"), answer("C2")),
        ("not_mine", "C1", TOPIC.replace("s1", "s2"), answer()),
        ("unknown_topic", "C1", f"instore/s1/customer/C1/{CANARY}", answer()),
        ("handler", "C1", TOPIC, answer()),
    ]
    with structlog.testing.capture_logs() as logs:
        for reason, customer, topic, payload in cases:
            hub.breaks = reason == "handler"
            assert hub.engine.from_terminal(customer, topic, payload) == reason
    assert [row[1] for row in hub.quarantined()] == [reason for reason, *_ in cases]
    assert hub.engine.counters["quarantined"] == len(cases)
    assert {row[3] for row in hub.quarantined()} == {b""}
    assert hub.quarantined()[1][2].startswith("data.readings.air_pressure_hpa: Input should be greater than")
    assert hub.quarantined()[-1][2].startswith("ValueError in test_terminals.py:")
    assert logs
    for where in (hub.everything_on_disk(), str(logs).encode(), str(hub.quarantined()).encode()):
        assert b"77.3125" not in where
    assert hub.told == []


@pytest.mark.row("C11")
def test_a_client_of_the_broker_speaks_for_no_terminal(hub: Program) -> None:
    with structlog.testing.capture_logs() as logs:
        hub.engine.receive([(TOPIC, answer()), (TOPIC, bent(readings={"heart_rate_per_min": str(CANARY)}))])
    assert hub.heard == []
    assert [(row[0], row[1], row[3]) for row in hub.quarantined()] == [(TOPIC, "not_mine", b""), (TOPIC, "schema", b"")]
    assert hub.quarantined()[0][2] == "came by the broker"
    assert b"77.3125" not in hub.everything_on_disk() + str(logs).encode()


def test_a_terminal_says_nothing_that_is_for_the_broker(hub: Program) -> None:
    topic = topics.topic(BY_NAME["clerk_status"], "s1", clerk="c01")
    body = (
        b'{"specversion":"1.0","id":"m","source":"clerk/c01","type":"instore.clerk.status.v1","data":{"state":"ready"}}'
    )
    assert hub.engine.from_terminal("C1", topic, body) == "not_mine"
    assert hub.heard == []
