"""What MQTT brings: the engine of the hub with its real handlers and tables, and a clerk's handheld."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from config.hub_settings import load_hub
from contract import topics
from contract.access import Principal
from contract.envelope import Message, Numbering, encode, source_of
from contract.messages import CHANNELS, Channel, Role
from contract.payloads import Receipt
from delivery.clock import Clock
from delivery.engine import Engine
from delivery.journal import MARKS_PER_STREAM, QUARANTINE_ROWS, Journal
from handheld.alert_book import AlertBook
from handheld.inbox import BadNews, Inbox
from hub.core import Hub
from hub.database.schema import MIGRATIONS
from hub.exit_keys import read_keys
from hub.importing import import_file
from hub.rules.reload import RunningPolicy
from tests.contract.strategies import messages
from tests.fuzz.limits import TIMES, damaged, often, soon

NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


class Far:
    """A hub on a real file, and what its engine holds."""

    def __init__(self, folder: Path) -> None:
        for file in Path(config.__file__).parent.joinpath("shipped").iterdir():
            shutil.copy(file, folder)
        settings = load_hub(folder / "hub.toml")
        policy = RunningPolicy(settings)
        keys = read_keys(folder / "hub.toml", settings.exit_code.key_files)
        self.journal = Journal(":memory:", MIGRATIONS)
        import_file(self.journal.db, folder / "customers.csv", settings)
        self.hub = Hub(settings, keys, lambda: policy.current)
        self.now = 0.0
        self.engine = Engine(self.journal, Principal(Role.HUB, "main"), "ginza", self.hub.handle,
                             clock=Clock(lambda: self.now, lambda: NOW), rng=Random(1))  # fmt: skip
        self.engine.link_up()

    def hear(self, batch: list[tuple[str, bytes]]) -> None:
        self.now += 0.1
        with soon(2.0):
            self.engine.receive(batch)
            self.engine.poll()
        assert not self.journal.db.in_transaction
        (kept,) = self.journal.db.execute("SELECT count(*) FROM quarantine").fetchone()
        assert kept <= QUARANTINE_ROWS


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    made = Far(tmp_path)
    yield made
    made.journal.close()


CHANNEL = st.sampled_from(CHANNELS)
SPOKEN = CHANNEL.flatmap(messages)
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("0001-01-01T00:00:00+14:00") | st.just(
    "9999-12-31T23:59:59-12:00") | st.just("2026-03-01T01:00:00") | st.just("C0001") | st.just(2**31 - 1)  # fmt: skip


def topic_of(message: Message) -> str:
    return topics.topic(message.channel, "ginza", **message.ids)


@st.composite
def spoken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A message of the contract; half of them with a field or two replaced, or with damaged bytes."""
    message = draw(SPOKEN)
    raw = encode(message)
    if draw(st.booleans()):
        document = json.loads(raw)
        for target in (document, document["data"]):
            if target and draw(st.booleans()):
                target[draw(st.sampled_from(sorted(target)))] = draw(ODD)
        raw = json.dumps(document).encode()
    elif draw(st.booleans()):
        raw = draw(damaged(st.just(raw)))
    topic = topic_of(message)
    return (draw(st.text(max_size=60)) if draw(st.integers(0, 20)) == 0 else topic), raw


@pytest.mark.row("C1")
def test_a_hub_takes_whatever_its_topics_bring(far: Far) -> None:
    """Never raises, and what fails is set aside with its reason: not one transaction is left open."""

    @often(120)
    @given(st.lists(spoken(), min_size=1, max_size=6))
    def run(batch: list[tuple[str, bytes]]) -> None:
        far.hear(batch)

    run()
    kinds = {kind for (kind,) in far.journal.db.execute("SELECT DISTINCT reason FROM quarantine")}
    assert {"schema", "not_json"} <= kinds
    failures = far.journal.db.execute("SELECT topic, detail FROM quarantine WHERE reason = 'handler'").fetchall()
    assert failures == [], "a handler met a valid message that it could not handle"


@pytest.mark.row("C1")
def test_a_sender_of_a_million_epochs_leaves_a_hundred(far: Far) -> None:
    channel = next(c for c in CHANNELS if c.name == "sighting")
    ids = {"agent": "door-1"}
    data = {"beacon": "ibeacon:x", "event": "left", "heard": NOW}
    payload = channel.payload.model_validate(data)
    for n in range(400):
        message = Message(channel, ids, payload, f"m{n}", source_of(channel, ids), NOW, numbering=Numbering(f"e{n}", 1))
        far.hear([(topic_of(message), encode(message))])
    assert len(far.engine._marks) <= MARKS_PER_STREAM
    assert far.engine.counters["received"] == 400


@pytest.mark.row("C1")
def test_receipts_of_what_was_never_sent_take_nothing_away(far: Far) -> None:
    decision: dict[str, Any] = {"scan": "s", "outcome": "open", "show": {"ja": "", "en": ""}}
    lane = next(c for c in CHANNELS if c.name == "lane_decision")
    receipt = next(c for c in CHANNELS if c.name == "receipt_down")
    with far.engine.transaction() as tx:
        for _ in range(5):
            tx.send("lane_decision", lane.payload.model_validate(decision), agent="exit", lane="1")

    @often(150)
    @given(st.sampled_from(["exit", "door-1"]), st.sampled_from(["critical", "sighting"]),
           st.one_of(st.just("other"), st.text(min_size=1, max_size=9)), st.integers(0, 2**31 - 1), st.booleans())  # fmt: skip
    def run(agent: str, stream: Any, epoch: str, taken: int, again: bool) -> None:
        ids = {"agent": agent}
        message = Message(receipt, ids, Receipt(stream=stream, epoch=epoch, taken=taken, again=again), "m",
                          source_of(receipt, ids))  # fmt: skip
        far.hear([(topic_of(message), encode(message))])
        assert far.engine.unacknowledged() == 5

    run()


@often(150)
@given(st.lists(spoken(), min_size=1, max_size=5), st.lists(damaged(st.binary(max_size=30)), max_size=2))
def test_a_handheld_takes_whatever_its_topics_bring(batch: list[tuple[str, bytes]], noise: list[bytes]) -> None:
    book = AlertBook("c1")
    inbox = Inbox("ginza", "c1", book)
    with soon():
        for n, (topic, payload) in enumerate(batch + [("instore/ginza/clerk/c1/alert", raw) for raw in noise]):
            news = inbox.take(
                topic.replace("/clerk/", "/clerk/c1/", 1) if n % 3 == 0 else topic, payload, float(n), NOW
            )
            assert not isinstance(news, BadNews) or len(news.topic) <= 200
            book.due(float(n), connected=n % 2 == 0)
    assert len(inbox.refused) < 20


def alerts() -> st.SearchStrategy[Message]:
    channel: Channel = next(c for c in CHANNELS if c.name == "alert")
    return messages(channel)


@often(60)
@given(st.lists(alerts(), max_size=8), ODD)
def test_any_alert_in_any_order(said: list[Message], odd: Any) -> None:
    book = AlertBook("c1")
    inbox = Inbox("ginza", "c1", book)
    for n, message in enumerate(said):
        document = json.loads(encode(message))
        document["data"]["raised"] = odd if n % 2 else document["data"]["raised"]
        inbox.take(topics.topic(message.channel, "ginza", clerk="c1"), json.dumps(document).encode(), float(n), NOW)
        book.due(float(n), connected=n % 2 == 0)


def test_a_thousand_alerts_are_not_kept(far: Far) -> None:
    book = AlertBook("c1")
    inbox = Inbox("ginza", "c1", book)
    channel = next(c for c in CHANNELS if c.name == "alert")
    words = {"ja": "a", "en": "a"}
    for n in range(1000 * min(TIMES, 10)):
        data = {"alert": f"a{n}", "kind": "service_request", "state": "offered", "role": "main", "message": words,
                "customer": {"customer": "C1", "name": "n"}, "raised": NOW}  # fmt: skip
        ids = {"clerk": "c1"}
        message = Message(channel, ids, channel.payload.model_validate(data), f"m{n}", "hub", NOW)
        inbox.take(topic_of(message), encode(message), float(n), NOW)
    assert len(book._entries) <= book.rules.keep
