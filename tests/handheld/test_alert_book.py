"""The book of alerts: what is shown, when it buzzes, what is still to be said (rows A12, C6)."""

from __future__ import annotations

import random

import pytest

from handheld.alert_book import AlertBook, Heard, Rules, Status
from tests.handheld.far_end import alert

RULES = Rules(
    remind_after_s=20, remind_every_s=10, reminders=2, repeat_after_s=2, repeat_at_most_s=15, confirm_s=8, keep=5
)


def book() -> AlertBook:
    return AlertBook("c01", RULES)


def shown(own: AlertBook, now: float) -> list[tuple[str, str]]:
    return [(entry.id, entry.status.value) for entry in own.rows(now)]


@pytest.mark.row("A12")
def test_buzzes_once_for_a_new_alert_then_by_the_rules() -> None:
    own = book()
    assert own.hear(alert("a1"), "m1", 0, now=100) is Heard.NEW
    buzzed = [now for now in range(100, 200) if own.due(now, connected=True).buzz]
    assert buzzed == [100, 120, 130]


def test_a_copy_is_a_duplicate_and_buzzes_nobody() -> None:
    own = book()
    own.hear(alert("a1"), "m1", 0, now=0)
    own.due(0, True)
    assert own.hear(alert("a1"), "m2", 0, now=1) is Heard.DUPLICATE
    assert own.due(1, True).buzz == ()
    assert own.counts["duplicates"] == 1


@pytest.mark.row("C6")
def test_the_newest_revision_wins_and_a_late_copy_changes_nothing() -> None:
    own = book()
    own.hear(alert("a1", revision=3, state="accepted", holder="c02"), "m3", 0, now=0)
    assert own.hear(alert("a1", revision=2), "m2", 0, now=1) is Heard.LATE
    assert shown(own, 1) == [("a1", "taken")]
    assert own.due(1, True).buzz == ()


@pytest.mark.row("C6")
def test_held_by_somebody_else_is_taken_and_stops_the_reminders() -> None:
    own = book()
    own.hear(alert("a1"), "m1", 0, now=0)
    own.due(0, True)
    own.hear(alert("a1", revision=2, state="accepted", holder="c02"), "m2", 0, now=5)
    assert shown(own, 5) == [("a1", "taken")]
    assert not any(own.due(now, True).buzz for now in range(5, 100))


@pytest.mark.row("C6")
def test_offered_again_buzzes_again() -> None:
    own = book()
    own.hear(alert("a1", state="accepted", holder="c02"), "m1", 0, now=0)
    assert own.hear(alert("a1", revision=2), "m2", 0, now=9) is Heard.CHANGED
    assert own.due(9, True).buzz == ("a1",)


def test_open_first_the_longest_waiting_on_top_then_mine_taken_over() -> None:
    own = book()
    own.hear(alert("over", state="closed"), "m", 50, now=10)
    own.hear(alert("taken", state="accepted", holder="c02"), "m", 40, now=10)
    own.hear(alert("mine", state="accepted", holder="c01"), "m", 30, now=10)
    own.hear(alert("young"), "m", 1, now=10)
    own.hear(alert("old"), "m", 9, now=11)
    assert shown(own, 11) == [
        ("old", "open"),
        ("young", "open"),
        ("mine", "mine"),
        ("taken", "taken"),
        ("over", "over"),
    ]
    assert [entry.id for entry in own.rows(500)] == ["old", "young", "mine", "taken"]


@pytest.mark.row("C6")
def test_an_answer_is_repeated_under_one_id_until_the_state_changes() -> None:
    own = book()
    own.hear(alert("a1"), "m1", 0, now=0)
    own.due(0, True)
    assert own.answer("a1", "accept", "x1", now=1)
    sent = [(now, p.id, p.attempts) for now in range(1, 60) for p in own.due(now, True).send]
    assert [now for now, _, _ in sent] == [1, 3, 7, 15, 30, 45]
    assert {answer_id for _, answer_id, _ in sent} == {"x1"}
    assert [attempt for _, _, attempt in sent] == [1, 2, 3, 4, 5, 6]
    own.hear(alert("a1", revision=2), "m2", 0, now=60)  # a change that is not the one asked for
    assert own.get("a1").pending is not None  # type: ignore[union-attr]
    own.hear(alert("a1", revision=3, state="accepted", holder="c01"), "m3", 0, now=61)
    assert own.due(99, True).send == ()
    assert shown(own, 61) == [("a1", "mine")]


@pytest.mark.parametrize(
    ("state", "holder", "answer"),
    [
        ("accepted", "c02", "accept"),
        ("accepted", "c01", "accept"),
        ("offered", None, "served"),
        ("expired", None, "accept"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_taken(state: str, holder: str | None, answer: str) -> None:
    own = book()
    own.hear(alert("a1", state=state, holder=holder), "m1", 0, now=0)
    assert own.answer("a1", answer, "x1", now=1) is None  # type: ignore[arg-type]
    assert own.answer("unknown", "accept", "x1", now=1) is None


@pytest.mark.row("C6")
def test_declined_may_still_be_accepted_and_what_is_mine_given_back() -> None:
    own = book()
    own.hear(alert("a1", state="declined"), "m1", 0, now=0)
    assert shown(own, 900) == [("a1", "declined")]
    assert own.answer("a1", "accept", "x1", now=1)
    own.hear(alert("a1", revision=2, state="accepted", holder="c01"), "m2", 0, now=2)
    assert own.answer("a1", "decline", "x2", now=3)


def test_an_answer_that_nobody_heeds_ends_and_is_counted() -> None:
    own = AlertBook("c01", Rules(repeat_after_s=1, repeat_at_most_s=1, repeat_times=3))
    own.hear(alert("a1"), "m1", 0, now=0)
    own.due(0, True)
    own.answer("a1", "accept", "x1", now=1)
    assert sum(len(own.due(now, True).send) for now in range(1, 60)) == 3
    assert own.counts["unheeded"] == 1
    assert own.answer("a1", "accept", "x2", now=60)


def test_a_second_answer_waits_for_the_first() -> None:
    own = book()
    own.hear(alert("a1"), "m1", 0, now=0)
    assert own.answer("a1", "accept", "x1", now=1)
    assert own.answer("a1", "decline", "x2", now=2) is None


def test_without_a_connection_nothing_is_said_and_nobody_reminded() -> None:
    own = book()
    own.hear(alert("a1"), "m1", 0, now=0)
    own.due(0, True)
    own.answer("a1", "accept", "x1", now=1)
    assert own.due(50, connected=False).send == ()
    own.connected(60)
    assert [p.attempts for p in own.due(60, True).send] == [1]


@pytest.mark.row("C6")
def test_after_a_reconnect_what_the_hub_does_not_say_again_has_lapsed() -> None:
    own = book()
    own.hear(alert("gone"), "m", 2, now=0)
    own.hear(alert("still"), "m", 1, now=0)
    own.hear(alert("mine", state="accepted", holder="c01"), "m", 0, now=0)
    own.due(0, True)
    own.connected(100)
    assert own.due(100, True).buzz == ()  # not sure yet: nobody is reminded
    own.hear(alert("still"), "m", 1, now=101)
    own.due(109, True)
    assert shown(own, 109) == [("still", "open"), ("mine", "mine"), ("gone", "over")]
    own.hear(alert("gone"), "m", 2, now=126)  # late, but still offered
    assert own.get("gone").status is Status.OPEN  # type: ignore[union-attr]


def test_while_the_hub_is_away_nothing_lapses() -> None:
    own = book()
    own.hear(alert("a1"), "m", 0, now=0)
    own.connected(10)
    own.hub_away()
    own.due(1000, True)
    assert shown(own, 1000) == [("a1", "open")]


def test_bounded_and_what_goes_is_counted() -> None:
    own = book()
    for number in range(4):
        own.hear(alert(f"over{number}", state="closed"), "m", 0, now=number)
    for number in range(4):
        own.hear(alert(f"open{number}"), "m", 0, now=10 + number)
    assert len(own) == RULES.keep
    assert [entry.id for entry in own.rows(14)] == ["open0", "open1", "open2", "open3", "over3"]
    assert own.counts["dropped"] == 3


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_any_copies_end_in_the_newest_state(seed: int) -> None:
    chance = random.Random(seed)
    states = [alert("a1", revision=1), alert("a1", revision=2, state="accepted", holder="c02"),
              alert("a1", revision=3), alert("a1", revision=4, state="accepted", holder="c01")]  # fmt: skip
    heard = [*states, *chance.choices(states, k=8)]
    chance.shuffle(heard)
    own = book()
    for now, copy in enumerate(heard):
        own.hear(copy, f"m{now}", 0, now)
        own.due(now, True)
    assert shown(own, 99) == [("a1", "mine")], f"seed {seed}"
