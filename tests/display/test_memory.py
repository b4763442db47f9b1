"""What a display remembers of a customer, and when it has forgotten it (row B10)."""

from __future__ import annotations

import pytest

from contract.payloads import LaneDecision
from edge.display.memory import CLERK_S, REFUSED_S, THANKS_S, Memory, forget, remember
from edge.lane_refusals import Refused
from edge.lane_types import Decided, Lane, PrintEnded
from tests.display.customers import CODE_TEXT, GIFT, PERSONAL, RANK, THANKS, WAYS, Play, words_for

pytestmark = pytest.mark.row("B10")


def test_the_hubs_words_are_kept_from_the_decision_on() -> None:
    play = Play().scanned()
    assert (play.memory.turn, play.memory.thanks) == (1, None)
    play.after(1).decided(give="display")
    memory = play.memory
    assert (memory.decided, memory.thanks, memory.rank, memory.gift, memory.code) == (1, THANKS, RANK, GIFT, CODE_TEXT)


def test_a_hub_of_before_has_one_sentence() -> None:
    memory = Play().scanned().decided(screen=None).memory
    assert (memory.thanks, memory.rank, memory.code) == (THANKS, None, None)


@pytest.mark.parametrize("name_s", [0.0, 0.5, 5.0, 60.0])
@pytest.mark.parametrize("way", ["printing", "showing", "opening", "open", "open, printed"])
def test_what_is_personal_is_forgotten_after_name_s_in_every_phase(way: str, name_s: float) -> None:
    play: Play = WAYS[way](Play())
    if name_s:
        assert forget(play.memory, play.at + name_s - 0.01, name_s).thanks == THANKS
    kept = forget(play.memory, play.at + name_s, name_s)
    assert not any(word in repr(kept) for word in PERSONAL)
    assert (kept.gift, kept.code) == (play.memory.gift, play.memory.code)
    assert kept.turn == play.memory.turn
    assert forget(kept, play.at + name_s + 100, name_s) == kept


@pytest.mark.parametrize("way", ["passed", "nobody passed", "cut off", "refused", "gate fault"])
def test_of_a_customer_who_has_gone_nothing_is_left(way: str) -> None:
    play: Play = WAYS[way](Play())
    assert forget(play.memory, play.at + max(THANKS_S, REFUSED_S, CLERK_S), 60.0) == Memory(turn=1)
    if way in ("passed", "nobody passed"):
        assert forget(play.memory, play.at, 60.0) == Memory(turn=1)


def test_where_nothing_opens_thanks_stand_a_while() -> None:
    play = Play(gate=False).scanned().decided(give=None).opened()
    assert play.memory.ended == "let_go"
    assert forget(play.memory, play.at + THANKS_S - 0.1, 60.0).thanks == THANKS
    assert forget(play.memory, play.at + THANKS_S, 60.0) == Memory(turn=1)


@pytest.mark.parametrize(("outcome", "paper"), [("printed", "printed"), ("unknown", "not_printed")])
def test_paper_counts_when_the_printer_has_confirmed_it(outcome: str, paper: str) -> None:
    play = Play().scanned().decided()
    if outcome == "printed":
        play.printed()
    else:
        play.after(play.policy.print_patience_s).printed(outcome)
    assert play.memory.paper == paper
    assert play.opened().memory.paper == paper


def test_an_attempt_that_failed_is_not_yet_the_end_of_the_paper() -> None:
    play = Play().scanned().decided()
    play.does(PrintEnded(play.lane.job, "not_printed"))
    assert (play.lane.attempt, play.memory.paper) == (2, "")


@pytest.mark.parametrize(
    ("way", "ended"),
    [("passed", "passed"), ("nobody passed", "nobody"), ("cut off", "again"), ("gate fault", "gate_fault")],
)
def test_how_it_ended(way: str, ended: str) -> None:
    assert WAYS[way](Play()).memory.ended == ended


def test_a_hub_that_says_nothing_where_the_lane_may_not_open() -> None:
    play = Play()
    play.policy = type(play.policy)(offline="refuse")
    assert play.scanned().timed_out().memory.ended == "no_decision"


def test_an_alarm_ends_it_for_the_display_too() -> None:
    assert Play().scanned().decided().alarm().memory.ended == "fire"


def test_a_refused_code_is_a_turn_of_its_own_and_brings_nothing_of_the_last_one() -> None:
    play: Play = WAYS["passed"](Play())
    memory = remember(play.memory, Refused("expired"), play.lane, 9.0)
    assert memory == Memory(turn=2, refused="expired", at=9.0)
    again = remember(memory, Refused("expired"), play.lane, 9.5)
    assert again.turn == 3


def test_the_hubs_refusal_with_its_words() -> None:
    memory = WAYS["refused"](Play()).memory
    assert (memory.refused, memory.why, memory.thanks) == ("already_used", THANKS, None)
    assert not any(word in repr(forget(memory, 3.0, 3.0)) for word in PERSONAL)


def test_a_decision_that_comes_too_late_says_nothing() -> None:
    play = Play().scanned().timed_out()  # the lane opens by itself
    late = Decided(words_for(play.lane.scan), "m2")
    assert remember(play.memory, late, play.lane, 3.0).thanks is None
    other = Decided(LaneDecision(scan="another", outcome="open", show=THANKS), "m3")
    assert remember(Play().scanned().memory, other, Lane(), 3.0).thanks is None


def test_the_next_customer_begins_with_nothing_of_the_one_before() -> None:
    play: Play = WAYS["passed"](Play())
    memory = play.scanned("agent-x.e.2").memory
    assert (memory.turn, memory.scan, memory.thanks, memory.paper, memory.ended) == (2, "agent-x.e.2", None, "", "")
