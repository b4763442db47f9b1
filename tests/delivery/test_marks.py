"""What a journal keeps: marks of epochs, bounded, never the one forgotten that is in use; and its own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.access import Principal
from contract.envelope import Message, Numbering, decode, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import Sighting, SightingKind
from delivery.engine import Engine
from delivery.journal import MARKS_PER_STREAM, Journal, JournalError
from tests.delivery.hostile import START

STREAM = ("agent/exit", "critical")


@pytest.fixture
def journal() -> Iterator[Journal]:
    made = Journal(":memory:")
    yield made
    made.close()


def epochs(journal: Journal, count: int, at: str) -> None:
    for n in range(count):
        journal.mark((*STREAM, f"{at}-{n}"), 1, f"{at}T00:00:{n:05}")
        journal.prune_marks(*STREAM, f"{at}-{n}")


@pytest.mark.row("C1")
def test_a_clock_set_back_does_not_make_the_newest_epoch_the_oldest(journal: Journal) -> None:
    """A hub whose clock is not set after a power cut begins in 1970: its new marks must outlive those of 2026."""
    epochs(journal, 2 * MARKS_PER_STREAM, "2026-03-01")
    epochs(journal, 3, "1970-01-01")
    marks = journal.marks()
    assert len(marks) == MARKS_PER_STREAM
    assert {(*STREAM, f"1970-01-01-{n}") for n in range(3)} <= marks.keys()


@pytest.mark.row("C12")
@pytest.mark.parametrize(("role", "name", "ids"), [
    (Role.HUB, "lane_decision", {"agent": "exit", "lane": "1"}),
    (Role.AGENT, "lane_decision", {"agent": "other", "lane": "1"}),
    (Role.AGENT, "sighting", {"agent": "exit"}),
])  # fmt: skip
def test_what_is_for_somebody_else_is_set_aside_and_not_acknowledged(
    journal: Journal, role: Role, name: str, ids: dict[str, str]
) -> None:
    """A broker that lets everybody read everything (fuzzing found that it ended the hub)."""
    handed: list[Message] = []
    engine = Engine(
        journal, Principal(role, "main" if role is Role.HUB else "exit"), "s1", lambda m, tx: handed.append(m)
    )
    engine.link_up()
    channel = BY_NAME[name]
    data = (
        channel.payload.model_validate({"scan": "s", "outcome": "open", "show": {"ja": "", "en": ""}})
        if name == "lane_decision"
        else Sighting(beacon="b", event=SightingKind.LEFT, heard=START)
    )
    message = Message(channel, ids, data, "m1", source_of(channel, ids), START, numbering=Numbering("e", 1))
    topic = channel.topic.format(**ids)
    engine.receive([(f"instore/s1/{topic}", encode(message)), (f"instore/other/{topic}", encode(message))])
    assert handed == []
    assert [decode(p.topic, p.payload) for p in engine.poll()] == []
    assert journal.db.execute("SELECT DISTINCT reason FROM quarantine").fetchall() == [("not_mine",)]
    assert engine.counters["quarantined_not_mine"] == 2


@pytest.mark.row("C1")
def test_a_new_folder_is_on_disk_before_anything_is_acknowledged_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd))[1])
    path = tmp_path / "new" / "newer" / "agent.db"
    Journal(path).close()
    assert {str(tmp_path), str(tmp_path / "new")} <= set(synced)
    synced.clear()
    Journal(path).close()
    assert synced == []


def test_a_path_that_cannot_be_is_a_sentence() -> None:
    with pytest.raises(JournalError, match="null byte"):
        Journal(Path("a\0b/agent.db"))
