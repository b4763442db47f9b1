"""What waits for its acknowledgement: in which order backlogs go out, and how they leave the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.payloads import Receipt
from delivery.clock import Clock
from delivery.journal import Journal
from delivery.outgoing import FORGET_AGAIN_S, FORGET_MOST, Outgoing
from delivery.streams import DEEP, DEEP_WINDOW, PORTION, Entry

CRITICAL, SIGHTING = ("hub", "critical"), ("hub", "sighting")


class Time:
    now = 100.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "a.db")
    yield made
    made.close()


def outgoing(journal: Journal) -> Outgoing:
    return Outgoing(journal, Clock(monotonic=lambda: Time.now), Counter(), lambda: 0.0)


def backlog(journal: Journal, key: tuple[str, str], count: int) -> None:
    for seq in range(1, count + 1):
        journal.put(*key, Entry("e1", seq, key[1], b'{"floor":%d,}' % seq))


def sent(out: Outgoing, now: float) -> Counter[str]:
    return Counter(publication.topic for publication in out.due(now))


def receipt(stream: str, taken: int) -> Receipt:
    return Receipt.model_validate({"stream": stream, "epoch": "e1", "taken": taken})


@pytest.mark.row("C1")
def test_a_backlog_of_sightings_waits_for_a_backlog_of_exits(journal: Journal) -> None:
    backlog(journal, CRITICAL, 2 * PORTION)
    backlog(journal, SIGHTING, DEEP + 100)
    out = outgoing(journal)
    assert sent(out, 100.0) == {"critical": 2 * PORTION}
    assert out.next_deadline() == pytest.approx(101.0)  # and nobody asks in vain before
    out.on_receipt("hub", receipt("critical", PORTION), 100.1)
    assert sent(out, 100.1) == {"sighting": PORTION}  # the last of the exits hold nothing up


def test_sightings_of_now_wait_for_nothing(journal: Journal) -> None:
    backlog(journal, CRITICAL, 2 * PORTION)
    backlog(journal, SIGHTING, 10)
    assert sent(outgoing(journal), 100.0) == {"critical": 2 * PORTION, "sighting": 10}


def test_what_is_acknowledged_leaves_the_disk_in_portions(journal: Journal) -> None:
    backlog(journal, SIGHTING, 3 * FORGET_MOST)
    out = outgoing(journal)
    out.on_receipt("hub", receipt("sighting", 2 * FORGET_MOST), 100.0)
    left = []
    Time.now = 101.0
    while out.flush_at is not None:
        assert Time.now >= out.flush_at
        out.flush()
        left.append(journal.db.execute("SELECT count(*) FROM outbox").fetchone()[0])
        Time.now += FORGET_AGAIN_S
    assert left == [2 * FORGET_MOST, FORGET_MOST]
    Time.now = 100.0


def test_a_backlog_keeps_few_on_the_way(journal: Journal) -> None:
    backlog(journal, SIGHTING, DEEP + 1000)
    out, now, taken = outgoing(journal), 100.0, 0
    for _ in range(40):
        taken += sum(sent(out, now).values())
        now += 0.01
        if taken < 300:
            out.on_receipt("hub", receipt("sighting", taken), now)
    assert taken <= 300 + DEEP_WINDOW


@pytest.mark.row("C3")
def test_a_peer_is_behind_when_critical_messages_wait_long_or_in_numbers(journal: Journal) -> None:
    out = outgoing(journal)
    out.add([(SIGHTING, Entry("e2", seq, "sighting", b"", queued=1.0)) for seq in range(1, 500)], 100.0)
    assert not out.is_behind(2.0)  # for sightings nobody stands and waits
    out.add(
        [(CRITICAL, Entry("e2", seq, "critical", b"", row=seq, queued=98.5)) for seq in range(1, PORTION + 1)], 98.5
    )
    assert not out.is_behind(2.0)
    assert out.is_behind(1.4)
    out.add([(CRITICAL, Entry("e2", PORTION + 1, "critical", b"", row=PORTION + 1, queued=100.0))], 100.0)
    assert out.is_behind(2.0)  # so many come after an absence only
    out.on_receipt("hub", receipt("critical", 0).model_copy(update={"epoch": "e2", "taken": PORTION}), 100.0)
    assert not out.is_behind(1.4)
    out.on_receipt("hub", receipt("critical", 0).model_copy(update={"epoch": "e2", "taken": PORTION + 1}), 100.0)
    assert not out.is_behind(0.0)


def test_how_long_a_message_of_a_former_life_has_waited_counts_from_the_start(journal: Journal) -> None:
    backlog(journal, CRITICAL, 1)
    out = outgoing(journal)
    assert not out.is_behind(2.0)
    try:
        Time.now = 102.1
        assert out.is_behind(2.0)
    finally:
        Time.now = 100.0
