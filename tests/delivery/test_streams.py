"""The rules of a numbered stream, case by case."""

from __future__ import annotations

import pytest

from delivery.streams import (
    CATCH_UP_S,
    DEEP,
    DEEP_WINDOW,
    EPOCHS_KEPT,
    PATIENT_WINDOW,
    PORTION,
    PORTION_S,
    QUICK_S,
    RESEND_FIRST_S,
    WINDOW,
    WINDOW_FIRST,
    Entry,
    OutStream,
    Verdict,
    declared_lost,
    judge,
)


def stream(count: int, window: int = 500, epoch: str = "e1") -> OutStream:
    out = OutStream(jitter=lambda: 0.0, window=window)
    for seq in range(1, count + 1):
        out.add(Entry(epoch, seq, "t", b"x"))
    return out


def numbers(out: OutStream, now: float) -> list[int]:
    return [entry.seq for entry, _ in out.due(now)]


@pytest.mark.row("C1")
@pytest.mark.parametrize(
    ("taken", "seq", "floor", "verdict"),
    [
        (0, 1, 1, Verdict.TAKE),
        (4, 5, 1, Verdict.TAKE),
        (4, 4, 1, Verdict.DUPLICATE),
        (4, 1, 1, Verdict.DUPLICATE),
        (4, 6, 1, Verdict.GAP),
        (4, 6, 6, Verdict.TAKE),  # 5 was dropped on purpose
        (4, 9, 8, Verdict.GAP),  # 8 is still to come
        (0, 500, 500, Verdict.TAKE),  # the receiver lost its database
        (9, 3, 12, Verdict.DUPLICATE),
    ],
)
def test_judge(taken: int, seq: int, floor: int, verdict: Verdict) -> None:
    assert judge(taken, seq, floor) is verdict


def test_a_declared_gap_is_counted() -> None:
    assert declared_lost(4, 5) == 0
    assert declared_lost(4, 9) == 4


def test_each_number_goes_out_once_until_time_runs_out() -> None:
    out = stream(3)
    assert numbers(out, 0.0) == [1, 2, 3]
    assert numbers(out, 0.1) == []
    assert out.next_deadline() == RESEND_FIRST_S
    assert numbers(out, RESEND_FIRST_S) == [1, 2, 3]


def test_silence_doubles_the_wait_up_to_a_cap() -> None:
    out = stream(1)
    now, gaps = 0.0, []
    for _ in range(8):
        assert numbers(out, now) == [1]
        deadline = out.next_deadline()
        assert deadline is not None
        gaps.append(deadline - now)
        now = deadline
    assert gaps == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_peer_heard_again_ends_the_wait() -> None:
    out = stream(1)
    numbers(out, 0.0)
    numbers(out, 1.0)
    numbers(out, 3.0)
    out.nudge(3.5)
    assert numbers(out, 3.5) == [1]


def test_a_receipt_frees_the_window() -> None:
    out = stream(10, window=4)
    assert numbers(out, 0.0) == [1, 2, 3, 4]
    done = out.acknowledged("e1", 2, False, 0.1)
    assert [entry.seq for entry in done] == [1, 2]
    assert all(entry.done for entry in done)
    assert numbers(out, 0.1) == [5, 6]


def test_a_gap_is_sent_again_once_however_often_it_is_reported() -> None:
    out = stream(5)
    numbers(out, 0.0)
    for _ in range(5):
        out.acknowledged("e1", 1, True, 0.01)
    assert numbers(out, 0.01) == [2, 3, 4, 5]
    out.acknowledged("e1", 1, True, 0.02)
    assert numbers(out, 0.02) == []


def test_a_receipt_of_another_epoch_changes_nothing() -> None:
    out = stream(3)
    numbers(out, 0.0)
    assert out.acknowledged("e0", 99, False, 0.1) == []
    assert len(out) == 3


def test_an_older_epoch_is_finished_first() -> None:
    out = stream(2, epoch="old")
    out.add(Entry("new", 1, "t", b"x"))
    assert [(e.epoch, e.seq) for e, _ in out.due(0.0)] == [("old", 1), ("old", 2)]
    out.acknowledged("old", 2, False, 0.1)
    assert [(e.epoch, e.seq) for e, _ in out.due(0.1)] == [("new", 1)]


def test_what_is_dropped_is_declared_by_the_floor() -> None:
    out = stream(5)
    out.drop_oldest()
    out.drop_oldest()
    assert [(entry.seq, floor) for entry, floor in out.due(0.0)] == [(3, 3), (4, 3), (5, 3)]


def acked(out: OutStream, taken: int, now: float) -> None:
    out.acknowledged("e1", taken, False, now)


def test_a_new_path_is_tried_with_little_and_grows_by_what_arrives() -> None:
    out = stream(2000)
    sizes, now, taken = [], 0.0, 0
    for _ in range(5):
        sent = numbers(out, now)
        sizes.append(len(sent))
        now += 0.01
        taken += len(sent)
        acked(out, taken, now)
    assert sizes == [64, 128, 256, 500, 500]


def test_time_running_out_and_gaps_shrink_the_window() -> None:
    out = stream(2000)
    numbers(out, 0.0)
    assert len(numbers(out, 1.0)) == 16
    out.acknowledged("e1", 1, True, 1.1)
    assert numbers(out, 1.1) == list(range(2, 10))


def test_the_wait_follows_a_slow_path_and_is_not_misled_by_resends() -> None:
    """Karn's rule: without it a path of two seconds is resent to for ever."""
    out = stream(500)
    numbers(out, 0.0)
    numbers(out, 1.0)  # too early, as it turns out
    acked(out, 1, 2.0)
    assert out.next_deadline() == 4.0  # a receipt after a resend leaves the longer wait
    out.acknowledged("e1", 64, False, 2.1)
    numbers(out, 2.1)
    acked(out, 90, 4.1)  # sent once, two seconds under way
    assert out.next_deadline() == pytest.approx(4.1 + 3 * 2.0, abs=0.3)


def test_a_peer_that_is_heard_all_the_time_does_not_hurry_the_resends() -> None:
    out = stream(1)
    out.nudge(0.0)
    numbers(out, 0.0)
    numbers(out, 1.0)
    out.nudge(1.5)
    assert out.next_deadline() == 3.0


@pytest.mark.row("C1")
def test_a_peer_that_is_slow_and_says_something_else_meanwhile_is_sent_nothing_twice() -> None:
    """A hub that hears of a hundred absences answers after seconds, and tells of itself every five."""
    out = stream(500)
    out.nudge(0.0)
    numbers(out, 0.0)
    acked(out, 64, 0.9)
    numbers(out, 0.9)
    acked(out, 120, 3.4)  # it takes longer and longer
    numbers(out, 3.4)
    deadline = out.next_deadline()
    out.nudge(4.9)  # a receipt was heard 1.5 s ago
    assert out.next_deadline() == deadline
    assert deadline is not None
    assert deadline > 6.6
    out = stream(100)
    numbers(out, 0.0)
    acked(out, 64, 0.9)
    numbers(out, 0.9)
    deadline = out.next_deadline()
    out.nudge(4.5)  # it was silent, but is not yet waited for longer than it usually takes
    assert out.next_deadline() == deadline


def simulate_slow_broker(out: OutStream, per_s: float, seconds: float) -> tuple[int, int]:
    """A broker that passes on so many a second, in order, and forgets nothing: (sent, taken)."""
    queue: list[int] = []
    sent = taken = 0
    now, step = 0.0, 1.0 / per_s
    while now < seconds and len(out):
        arrived = numbers(out, now)
        sent += len(arrived)
        queue += arrived
        if queue:
            taken = max(taken, queue.pop(0))
            acked(out, taken, now + step)
        now += step
    return sent, taken


@pytest.mark.row("C1")
def test_a_slow_broker_is_not_buried_under_resends() -> None:
    sent, taken = simulate_slow_broker(stream(2000), per_s=100, seconds=60)
    assert taken == 2000
    assert sent < 1.2 * taken


def epochs(*counts: int) -> OutStream:
    out = OutStream(jitter=lambda: 0.0)
    for life, count in enumerate(counts):
        for seq in range(1, count + 1):
            out.add(Entry(f"e{life}", seq, "t", b"x"))
    return out


def test_what_a_former_life_dropped_is_declared_by_its_last_message() -> None:
    out = epochs(3, 3, 5)
    dropped = [entry for entry in (out.drop_oldest() for _ in range(7)) if entry]
    assert [(entry.epoch, entry.seq) for entry in dropped] == [
        ("e0", 1), ("e0", 2), ("e1", 1), ("e1", 2), ("e2", 1), ("e2", 2), ("e2", 3)
    ]  # fmt: skip
    taken: dict[str, int] = {}
    lost = 0
    while out.pending:
        for entry, floor in out.due(0.0):
            assert judge(taken.get(entry.epoch, 0), entry.seq, floor) is Verdict.TAKE
            lost += declared_lost(taken.get(entry.epoch, 0), entry.seq)
            taken[entry.epoch] = entry.seq
            out.acknowledged(entry.epoch, entry.seq, False, 0.0)
    assert lost == len(dropped)
    assert taken == {"e0": 3, "e1": 3, "e2": 5}


def test_the_last_of_a_former_life_is_kept_also_while_it_is_on_the_way() -> None:
    out = epochs(2, 4)
    assert numbers(out, 0.0) == [1, 2]
    assert [out.drop_oldest() for _ in range(3)]
    assert numbers(out, 0.1) == []
    assert [entry.seq for entry in out.acknowledged("e0", 2, False, 0.2)] == [2]
    assert [(entry.seq, floor) for entry, floor in out.due(0.2)] == [(3, 3), (4, 3)]


def test_a_sender_that_starts_for_ever_stays_bounded() -> None:
    out = epochs(*[1] * (3 * EPOCHS_KEPT))
    while len(out) > 5:
        out.drop_oldest()
    assert [entry.epoch for entry in out.pending] == [f"e{n}" for n in range(3 * EPOCHS_KEPT - 5, 3 * EPOCHS_KEPT)]


def deep(count: int) -> OutStream:
    out = OutStream(jitter=lambda: 0.0, patient=True)
    for seq in range(1, count + 1):
        out.add(Entry("e1", seq, "t", b"x"))
    return out


def test_a_backlog_goes_out_in_portions() -> None:
    out = deep(DEEP + 2000)
    now, seen = 100.0, []
    while len(out) > DEEP:
        found = numbers(out, now)
        assert len(found) <= PORTION
        seen += found
        if found:
            out.acknowledged("e1", found[-1], False, now)
        now = max(now, out.next_deadline() or now) + 0.001
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) / (now - 100.0) == pytest.approx(PORTION / PORTION_S, rel=0.1)
    found = numbers(out, now)
    assert PORTION < len(found) <= DEEP_WINDOW + PORTION  # the rest as ever


def test_a_backlog_has_few_on_the_way_and_does_not_ask_for_a_turn_in_vain() -> None:
    out = deep(DEEP + 2000)
    now, sent = 100.0, 0
    while found := numbers(out, now):
        sent += len(found)
        now += PORTION_S
    assert sent == WINDOW_FIRST
    assert out.next_deadline() == pytest.approx(100.0 + RESEND_FIRST_S)
    out.acknowledged("e1", sent, False, now)
    while found := numbers(out, now):
        sent += len(found)
        now += PORTION_S
    assert sent == WINDOW_FIRST + DEEP_WINDOW


def test_a_backlog_that_was_held_up_does_not_come_as_a_flood() -> None:
    out = deep(DEEP + 2000)
    for seq in (30, 60, 90):
        assert numbers(out, 100.0)[-1] == seq
        out.acknowledged("e1", seq, False, 100.0)
    total = 0
    while found := numbers(out, 105.0):
        total += len(found)
        out.acknowledged("e1", found[-1], False, 105.0)
    assert total <= PORTION * (CATCH_UP_S / PORTION_S + 1)


def test_a_backlog_of_two_lives_waits_for_the_older_one() -> None:
    out = OutStream(jitter=lambda: 0.0, patient=True)
    out.add(Entry("e0", 7, "t", b"x"))
    for seq in range(1, DEEP + 100):
        out.add(Entry("e1", seq, "t", b"x"))
    assert numbers(out, 100.0) == [7]
    assert numbers(out, 100.0 + PORTION_S) == []
    assert out.next_deadline() == pytest.approx(100.0 + RESEND_FIRST_S)


def hurried(out: OutStream, took_s: float, rounds: int, waiting: int, now: float = 0.0) -> int:
    """Keep `waiting` messages in the stream, answer what goes out after `took_s`; returns how many were on the way in the end."""
    seq, sent = out.pending[-1].seq if out.pending else 0, 0
    for _ in range(rounds):
        while len(out) < waiting:
            seq += 1
            out.add(Entry("e1", seq, "t", b"x"))
        found = numbers(out, now)
        sent = len(found)
        now += took_s
        out.acknowledged("e1", found[-1], False, now)
    return sent


@pytest.mark.row("C9")
def test_many_are_on_the_way_to_a_hub_that_answers_quickly_and_fewer_to_a_slow_one() -> None:
    out = OutStream(jitter=lambda: 0.0, patient=True)
    assert hurried(out, QUICK_S / 2, 20, waiting=600) == WINDOW
    assert hurried(out, 2 * QUICK_S, 20, waiting=600, now=100.0) == PATIENT_WINDOW
    assert hurried(out, QUICK_S / 2, 20, waiting=600, now=200.0) == WINDOW
    out.rewind()
    assert len(numbers(out, 300.0)) == WINDOW_FIRST  # a new path is tried with little


def test_who_says_little_does_not_earn_the_right_to_a_flood() -> None:
    out = OutStream(jitter=lambda: 0.0, patient=True)
    hurried(out, QUICK_S / 2, 200, waiting=20)
    for seq in range(10_001, 10_601):
        out.add(Entry("e1", seq, "t", b"x"))
    assert len(numbers(out, 100.0)) == PATIENT_WINDOW


def test_what_was_sent_twice_does_not_show_that_a_path_is_quick() -> None:
    out = OutStream(jitter=lambda: 0.0, patient=True)
    hurried(out, QUICK_S / 2, 20, waiting=600)
    for seq in range(10_001, 10_601):
        out.add(Entry("e1", seq, "t", b"x"))
    assert len(numbers(out, 100.0)) == WINDOW
    out.rewind()  # a new connection, and the same again
    for many in (WINDOW_FIRST, 2 * WINDOW_FIRST, PATIENT_WINDOW):
        found = numbers(out, 101.0)
        assert len(found) == many
        out.acknowledged("e1", found[-1], False, 101.0)
