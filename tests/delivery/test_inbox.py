"""The inbox: a client that floods sheds its own messages, everybody else's are taken as if it were not there."""

from __future__ import annotations

import pytest

from contract.envelope import MAX_BYTES
from delivery import inbox as module
from delivery.inbox import Inbox


def scan(n: int, agent: str = "exit") -> tuple[str, bytes]:
    return f"instore/s1/agent/{agent}/lane/1/scan", b"%d" % n


def answer(n: int, clerk: str = "c01") -> tuple[str, bytes]:
    return f"instore/s1/clerk/{clerk}/answer", b"%d" % n


def sighting(n: int, agent: str = "exit") -> tuple[str, bytes]:
    return f"instore/s1/agent/{agent}/sighting", b"%d" % n


def test_one_that_floods_loses_its_own_and_delays_nobody() -> None:
    inbox = Inbox()
    taken = [inbox.append(answer(n)) for n in range(10_000)]
    assert sum(taken) == module.QUEUE_MESSAGES
    assert all(inbox.append(scan(n)) for n in range(3))
    assert inbox.dropped == 10_000 - module.QUEUE_MESSAGES
    first = inbox.batch(500)
    assert first == [answer(n) for n in range(module.SHARE_URGENT)] + [scan(n) for n in range(3)]
    assert inbox.append(answer(10_001))  # there is room again


def test_a_backlog_of_sightings_comes_after_everything_else_and_still_comes() -> None:
    inbox = Inbox()
    for n in range(1000):
        inbox.append(sighting(n))
    for n in range(300):
        inbox.append(scan(n))
    first = inbox.batch(500)
    assert first == [scan(n) for n in range(module.SHARE_URGENT)] + [sighting(n) for n in range(module.SHARE)]
    assert inbox.popleft() == scan(module.SHARE_URGENT)
    while inbox.batch(500):
        pass
    assert len(inbox) == 0
    with pytest.raises(IndexError):
        inbox.popleft()


def test_order_within_a_queue_is_that_of_arrival_and_queues_take_turns() -> None:
    inbox = Inbox()
    for n in range(300):
        inbox.append(answer(n, "c01"))
        inbox.append(answer(n, "c02"))
    seen: dict[str, list[int]] = {}
    turns = []
    while batch := inbox.batch(module.SHARE_URGENT):
        for topic, payload in batch:
            seen.setdefault(topic, []).append(int(payload))
        turns.append(batch[0][0])
    assert all(numbers == list(range(300)) for numbers in seen.values())
    assert len(set(turns)) == 2


def test_memory_is_bounded_by_bytes_and_over_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox()
    big = b"x" * MAX_BYTES
    while inbox.append(("instore/s1/clerk/c01/answer", big)):
        pass
    assert inbox._bytes <= module.QUEUE_BYTES
    for client in range(100):
        for n in range(1000):
            inbox.append(answer(n, f"d{client}"))
    assert len(inbox) < module.ALL_MESSAGES + 100 * module.SHARE
    assert inbox.append(scan(1))  # nobody is shut out by the others
    while inbox.batch(500):
        pass
    assert (inbox._bytes, inbox._count, inbox._queues, inbox._sizes, inbox._shedding) == (0, 0, {}, {}, set())


def test_of_a_message_that_nobody_reads_only_enough_is_kept_to_say_so() -> None:
    inbox = Inbox()
    inbox.append(("instore/s1/clerk/c01/answer", b"x" * 10_000_000))
    ((_, payload),) = inbox.batch(1)
    assert len(payload) == MAX_BYTES + 1


def test_made_up_topics_do_not_fill_the_memory() -> None:
    inbox = Inbox()
    for n in range(10_000):
        inbox.append((f"instore/s1/clerk/c01/{n}" * 10, b""))
        inbox.append((f"x{n}", b""))
    assert len(inbox._known) <= module.KNOWN_MAX
    assert len(inbox._queues) <= 2


def test_what_shares_a_numbered_stream_shares_a_queue() -> None:
    inbox = Inbox()
    visitors = [("instore/s1/agent/exit/device/door/visitors", b"%d" % n) for n in range(3)]
    mixed = [item for n in range(3) for item in (sighting(n), visitors[n])]
    for item in mixed:
        inbox.append(item)
    inbox.append(scan(1))
    assert inbox.batch(500) == [scan(1), *mixed]
