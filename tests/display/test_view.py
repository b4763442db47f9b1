"""What a lane's display shows and says, for every state of lane, devices, call and link (row B10)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.payloads import LaneDecision, LaneRefused
from edge.display import words
from edge.display.memory import Memory, remember
from edge.display.view import Call, Devices, Screen, Tone, view
from edge.lane_refusals import Refused
from edge.lane_types import Lane, Phase
from tests.display.customers import CODE_TEXT, GIFT, PERSONAL, RANK, THANKS, WAYS, Play
from tests.display.seen import CALLS, DEVICES, ENDS, SETTINGS, kinds, seen, texts
from tests.edge.lane_ways import incentive

pytestmark = pytest.mark.row("B10")


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("way", ENDS)
def test_no_state_is_blank_and_none_invites_into_a_gate_that_may_be_closed(way: str, call: Call | None) -> None:
    play: Play = WAYS[way](Play())
    for devices in DEVICES:
        shown = seen(play, devices, call)
        assert shown["screen"] in get_args(Screen)
        assert shown["tone"] in get_args(Tone)
        assert all(text[language].strip() for text in texts(shown) for language in ("ja", "en"))
        assert 1 <= len(texts(shown)) <= 5
        assert json.loads(json.dumps(shown)) == shown
        if shown["screen"] == "pass":
            assert play.lane.phase is Phase.OPEN
            assert devices.gate is not False
        assert (shown["screen"] == "fire") == devices.fire
        assert (shown["qr"] is not None) == (shown["screen"] == "coupon")


@pytest.mark.parametrize(("way", "screen"), ENDS.items())
def test_the_screen_of_each_step(way: str, screen: str) -> None:
    shown = seen(WAYS[way](Play()))
    assert shown["screen"] == screen


def test_every_screen_can_be_reached() -> None:
    reached = {
        seen(WAYS[way](Play()), devices, call)["screen"] for way in WAYS for devices in DEVICES for call in CALLS
    }
    reached.add(seen(Play(), typed=1)["screen"])
    reached.add(seen(Play(gate=False).scanned().decided(give=None).opened())["screen"])
    assert reached == set(get_args(Screen))


def test_waiting_says_what_the_seed_says() -> None:
    shown = seen(Play())
    assert shown["head"]["en"] == "Please hold your exit code over the reader"
    assert (shown["lines"], shown["sound"]["tone"], shown["sound"]["say"]) == ([], "", [])


@pytest.mark.parametrize(
    ("devices", "head", "lines"),
    [
        (Devices(nfc=True, keypad=True), words.WAITING, [words.OR_TOUCH, words.OR_TYPE]),
        (Devices(keypad=True), words.WAITING, [words.OR_TYPE]),
        (Devices(reader=False, nfc=True, keypad=True), words.TOUCH, [words.OR_TYPE]),
        (Devices(reader=False, keypad=True), words.TYPE, []),
    ],
    ids=str,
)
def test_other_ways_to_bring_a_code_also_when_the_reader_is_lost(devices: Devices, head: Any, lines: list[Any]) -> None:
    shown = seen(Play(), devices)
    assert (shown["screen"], shown["head"]) == ("waiting", head.model_dump())
    assert texts(shown)[1:] == [line.model_dump() for line in lines]


@pytest.mark.parametrize("typed", [1, 5, 12, 40])
def test_how_many_digits_stand_at_the_keypad(typed: int) -> None:
    shown = seen(Play(), typed=typed)
    assert (shown["screen"], shown["typed"], shown["head"]) == ("typing", min(typed, 12), words.TYPING.model_dump())
    assert seen(Play().scanned(), typed=typed)["screen"] == "reading"
    assert seen(Play(), Devices(fire=True), typed=typed)["screen"] == "fire"
    assert seen(Play(), Devices(gate=False), typed=typed)["screen"] == "out_of_order"
    assert seen(WAYS["refused"](Play()), typed=typed)["screen"] == "typing"
    assert seen(Play(), typed=0)["typed"] is None


def test_thanks_with_the_name_and_the_way_to_the_next_rank() -> None:
    shown = seen(WAYS["opening, printed"](Play()))
    assert shown["head"] == THANKS.model_dump()
    assert kinds(shown) == ["do", "do", "rank"]
    assert shown["lines"][2]["text"] == RANK.model_dump()
    assert shown["lines"][1]["text"] == words.TAKE.model_dump()


def test_while_it_is_printed_and_then_take_it() -> None:
    assert seen(WAYS["printing"](Play()))["head"] == words.PRINTING.model_dump()
    shown = seen(WAYS["open, printed"](Play()))
    assert kinds(shown) == ["thanks", "do", "rank"]
    assert [each["en"] for each in shown["sound"]["say"]] == [THANKS.en, words.TAKE.en, words.PASS.en]


@pytest.mark.row("B9")
@pytest.mark.row("C4")
def test_whom_nobody_knows_gets_the_code_of_a_coupon_that_could_not_be_printed() -> None:
    hers = incentive("print").model_copy(update={"no_paper": "display"})
    play = Play().scanned().decided(incentive=hers)
    play.after(play.policy.print_patience_s).printed("unknown")
    shown = seen(play)
    assert (shown["screen"], shown["qr"], shown["head"]) == ("coupon", CODE_TEXT, words.PICTURE.model_dump())
    assert shown["lines"][0]["text"] == words.NOT_PRINTED.model_dump()
    unread = seen(play.timed_out().opened())
    assert words.ASK.model_dump() in texts(unread)
    read = seen(Play().scanned().decided(incentive=hers).after(12).printed("unknown").read().opened())
    assert words.ASK.model_dump() not in texts(read)


def test_paper_that_did_not_come_out_is_never_to_be_taken() -> None:
    play = Play().scanned().decided()
    play.after(play.policy.print_patience_s).printed("unknown")
    said = json.dumps(seen(play.opened()), ensure_ascii=False)
    assert words.TAKE.ja not in said
    assert words.SENT.ja in said
    assert GIFT.ja in said


@pytest.mark.parametrize(("at", "left"), [(0.0, 20), (0.4, 20), (1.0, 19), (19.5, 1), (20.0, 0), (25.0, 0)])
def test_the_coupons_code_with_the_seconds_that_it_stands(at: float, left: int) -> None:
    play: Play = WAYS["showing"](Play())
    play.at = at
    shown = seen(play)
    assert (shown["qr"], shown["left_s"]) == (CODE_TEXT, left)
    assert seen(play.after(60))["qr"] == CODE_TEXT  # as long as the lane shows it, also without the name


def test_after_a_restart_of_the_agent_she_still_gets_her_coupon_without_her_name() -> None:
    play: Play = WAYS["showing"](Play())
    play.memory = Memory()
    shown = seen(play)
    assert (shown["screen"], shown["qr"], shown["lines"]) == ("coupon", CODE_TEXT, [])


@pytest.mark.parametrize("name_s", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("way", [*ENDS])
def test_nothing_personal_after_name_s(way: str, name_s: float) -> None:
    play: Play = WAYS[way](Play())
    shown = json.dumps(seen(play.after(name_s), name_s=name_s), ensure_ascii=False)
    assert not any(word in shown for word in PERSONAL)


def test_who_passed_is_not_seen_by_who_comes_next() -> None:
    shown = json.dumps(seen(WAYS["passed"](Play())), ensure_ascii=False)
    assert not any(word in shown for word in PERSONAL)


@pytest.mark.parametrize("field", [LaneRefused, LaneDecision])
def test_every_reason_of_a_refusal_has_words(field: Any) -> None:
    reasons = set(get_args(field.model_fields["reason"].annotation)) - {"ok", "unknown_sale"}
    assert reasons <= set(words.REFUSALS)


@pytest.mark.parametrize("reason", [*words.REFUSALS, "of_tomorrow"])
def test_a_refused_code_says_why_and_what_to_do_and_then_the_lane_waits_again(reason: str) -> None:
    play = Play()
    play.memory = remember(play.memory, Refused(reason), play.lane, 0.0)
    shown = seen(play)
    assert (shown["screen"], shown["tone"], shown["sound"]["tone"]) == ("refused", "stop", "bad")
    assert shown["lines"][0]["text"] == words.refusal(reason).model_dump()
    assert seen(play.after(8))["screen"] == "waiting"


def test_the_hubs_own_words_for_a_refusal() -> None:
    play: Play = WAYS["refused"](Play())
    assert seen(play)["lines"][0]["text"] == THANKS.model_dump()  # whatever the store wrote
    assert seen(play.after(5), name_s=5)["lines"][0]["text"] == words.refusal("already_used").model_dump()


def test_a_gate_that_falls_silent_while_it_is_open() -> None:
    shown = seen(WAYS["open"](Play()), Devices(gate=False))
    assert (shown["screen"], shown["lines"][0]["text"]) == ("opening", words.CHECKING_GATE.model_dump())


@pytest.mark.parametrize("way", ["deciding", "opening"])
def test_what_takes_longer_is_called_so(way: str) -> None:
    play: Play = WAYS[way](Play())
    before = seen(play)["lines"][0]["text"]
    after = seen(play.after(3))["lines"][0]["text"]
    assert before != after == words.MOMENT.model_dump()


@pytest.mark.parametrize(
    ("devices", "screen"),
    [
        (Devices(), "waiting"),
        (Devices(reader=None), "starting"),
        (Devices(gate=None), "starting"),
        (Devices(reader=False), "out_of_order"),
        (Devices(gate=False), "out_of_order"),
        (Devices(disk=False), "out_of_order"),
        (Devices(hub=False), "out_of_order"),
        (Devices(reader=None, gate=False), "out_of_order"),
    ],
    ids=str,
)
def test_a_lane_that_can_serve_nobody_says_so(devices: Devices, screen: str) -> None:
    assert seen(Play(), devices)["screen"] == screen


@pytest.mark.parametrize("way", ["deciding", "printing", "showing", "opening"])
def test_who_is_being_served_is_not_disturbed_by_a_device_that_is_lost(way: str) -> None:
    assert seen(WAYS[way](Play()), Devices(reader=False))["screen"] == ENDS[way]


@pytest.mark.parametrize("way", ENDS)
def test_a_fire_alarm_before_everything_else_and_aloud_at_night(way: str) -> None:
    play: Play = WAYS[way](Play())
    shown = seen(play, Devices(fire=True), quiet=("00:00-23:59",))
    assert (shown["screen"], shown["tone"], shown["sound"]["volume"]) == ("fire", "alarm", 80)
    again = seen(play.after(12), Devices(fire=True))
    assert again["sound"]["id"] != shown["sound"]["id"]


@pytest.mark.parametrize(
    ("call", "head"),
    [
        (Call("help"), words.CALLED),
        (Call("help", "coming"), words.COMING),
        (Call("help", "nobody"), words.CLERK),
        (Call("gate", "coming"), words.COMING),
        (Call("no_decision"), words.CALLED),
    ],
    ids=str,
)
def test_a_clerk_is_called_and_comes_or_nobody_does(call: Call, head: Any) -> None:
    shown = seen(Play(), Devices(), call)
    assert (shown["screen"], shown["head"]) == ("clerk", head.model_dump())
    assert seen(Play().scanned(), Devices(), call)["screen"] == "reading"


def test_whom_the_gate_let_go_is_not_waited_for() -> None:
    assert seen(Play(), Devices(), Call("stuck"))["screen"] == "waiting"


def test_a_gate_that_does_not_open_calls_a_clerk_and_says_so_to_who_stands_there() -> None:
    play: Play = WAYS["gate fault"](Play())
    assert seen(play, Devices(gate=False))["head"] == words.CLERK.model_dump()
    assert seen(play, Devices(gate=False), Call("gate"))["head"] == words.CALLED.model_dump()
    assert seen(play.after(20), Devices(gate=False), Call("gate"))["screen"] == "out_of_order"


@pytest.mark.row("B12")
@pytest.mark.parametrize("way", ["gate fault", "cut off"])
def test_when_the_gate_works_again_her_code_is_asked_for_again(way: str) -> None:
    play: Play = WAYS[way](Play())
    shown = seen(play)
    assert (shown["screen"], shown["head"], shown["lines"][0]["text"]) == (
        "waiting", words.HOLD_AGAIN.model_dump(), words.STILL_GOOD.model_dump())  # fmt: skip
    assert seen(play, Devices(gate=False))["screen"] in ("clerk", "out_of_order")
    assert seen(play, call=Call("gate", "coming"))["head"] == words.COMING.model_dump()
    assert seen(play.after(20.0))["head"] == words.WAITING.model_dump()


def test_thanks_where_nothing_opens() -> None:
    play = Play(gate=False).scanned().decided().printed().opened()
    shown = seen(play)
    assert (shown["screen"], shown["head"]) == ("thanks", THANKS.model_dump())
    assert seen(play.after(6))["screen"] == "waiting"


# --- at random


@given(st.lists(st.sampled_from(["scanned", "decided", "display", "printed", "read", "opened", "passed", "nobody", "alarm",
                                 "refuse", "late", "wait"]), max_size=25),
       st.sampled_from(DEVICES), st.sampled_from(CALLS), st.booleans())  # fmt: skip
def test_whatever_happens_there_is_a_true_screen_and_no_old_name(
    steps: list[str], devices: Devices, call: Call | None, gate: bool
) -> None:
    play = Play(gate=gate)
    number, decided_at = 0, -100.0
    for each in steps:
        phase = play.lane.phase
        match each:
            case "scanned" if phase is Phase.IDLE:
                number += 1
                play.scanned(f"agent-x.e.{number}")
            case "decided" | "display" if phase is Phase.DECIDING:
                decided_at = play.at
                play.decided(give="print" if each == "decided" else "display")
            case "printed" if phase is Phase.PRINTING:
                play.printed()
            case "read" if phase is Phase.SHOWING:
                play.read()
            case "opened":
                play.opened()
            case "passed":
                play.passed()
            case "nobody":
                play.nobody()
            case "alarm":
                play.alarm()
            case "refuse" if phase is Phase.IDLE:
                play.memory = remember(play.memory, Refused("expired"), play.lane, play.at)
            case "late" if play.lane.deadline is not None:
                play.timed_out()
            case "wait":
                play.after(4)
        shown = seen(play, devices, call)
        assert texts(shown)[0]["ja"]
        assert shown["screen"] != "pass" or play.lane.phase is Phase.OPEN
        if any(word in json.dumps(shown, ensure_ascii=False) for word in PERSONAL):
            assert play.at - decided_at < SETTINGS.name_s
            assert play.lane.phase is not Phase.IDLE or not gate


def test_a_view_of_a_lane_needs_no_memory() -> None:
    for phase in Phase:
        assert view(replace(Lane(), phase=phase), Memory(), Devices(), None, SETTINGS, 0.0)["head"]["ja"]
