"""Gate register map, table of states, and the core that turns images into events."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import BadFrame, IllegalMove
from devices.gate_core import GateCore
from devices.gate_events import (
    Fault,
    FireAlarm,
    GateClosed,
    GateOpened,
    Intrusion,
    MainsLost,
    NotPassed,
    Obstacle,
    Passage,
    Restarted,
)
from devices.gate_map import (
    BoardState,
    Command,
    GateImage,
    Outcome,
    Verdict,
    command_block,
    is_newer,
)
from devices.gate_states import MOVES, GateMachine, GateState

REST = GateImage(
    state=BoardState.CLOSED,
    seq=0,
    verdict=Verdict.NONE,
    opening_seq=0,
    opening_direction=0,
    outcome=Outcome.NONE,
    exits=0,
    entries=0,
    intrusions=0,
    obstacle=False,
    fire=False,
    mains_lost=False,
    fault=0,
    boots=1,
    firmware=0x0102,
    pulses=0,
)
WORD = st.integers(0, 0xFFFF)
IMAGES = st.builds(
    GateImage,
    state=st.sampled_from(BoardState),
    seq=st.integers(0, 0xFFFF_FFFF),
    verdict=st.sampled_from(Verdict),
    opening_seq=st.integers(0, 0xFFFF_FFFF),
    opening_direction=st.integers(0, 2),
    outcome=st.sampled_from(Outcome),
    exits=WORD,
    entries=WORD,
    intrusions=WORD,
    obstacle=st.booleans(),
    fire=st.booleans(),
    mains_lost=st.booleans(),
    fault=WORD,
    boots=WORD,
    firmware=WORD,
    pulses=WORD,
)


def opening(seq: int, state: BoardState = BoardState.OPEN, **more: object) -> GateImage:
    """An image with command `seq` accepted and waiting for its exit."""
    fields = {"opening_seq": seq, "opening_direction": 1, "outcome": Outcome.WAITING, **more}
    return replace(REST, state=state, seq=seq, verdict=Verdict.ACCEPTED, **fields)


def passed(seq: int, state: BoardState = BoardState.OPEN, exits: int = 1, **more: object) -> GateImage:
    return opening(seq, state, outcome=Outcome.PASSED, exits=exits, **more)


def play(images: list[GateImage], core: GateCore | None = None) -> list[object]:
    core = core or GateCore()
    return [event for t, image in enumerate(images) for event in core.update(image, float(t))]


def kinds(events: list[object]) -> list[str]:
    return [type(event).__name__ for event in events]


# --- map ---------------------------------------------------------------------------------------------------------


@given(IMAGES)
def test_an_image_survives_its_registers(image):
    assert GateImage.decode(image.encode()) == image
    assert all(0 <= word <= 0xFFFF for word in image.encode())


@pytest.mark.parametrize("bad", [[], [0] * 17, REST.encode()[:-1], [0x6A7E, 9, *REST.encode()[2:]]])
def test_other_registers_are_refused(bad):
    with pytest.raises(BadFrame):
        GateImage.decode(bad)


def test_a_command_is_four_registers_in_range():
    assert command_block(0x12345, Command.OPEN_EXIT, 8.0) == [1, 0x2345, 1, 80]
    for seq, ttl_s in ((0, 1.0), (1 << 32, 1.0), (1, 0.0), (1, 601.0)):
        with pytest.raises(ValueError, match="not"):
            command_block(seq, Command.OPEN_EXIT, ttl_s)


def test_command_numbers_may_wrap():
    assert is_newer(2, 1)
    assert not is_newer(1, 2)
    assert not is_newer(5, 5)
    assert is_newer(1, 0xFFFF_FFFF)
    assert is_newer(0xFFFF_FFFF, 0)


# --- table -------------------------------------------------------------------------------------------------------


def test_every_move_is_in_the_table_or_raises():
    for here, to in itertools.product(GateState, GateState):
        machine = GateMachine()
        machine.state = here
        if to in MOVES[here]:
            machine.move(to)
            assert machine.state is to
        else:
            with pytest.raises(IllegalMove):
                machine.move(to)


def test_from_everywhere_there_is_a_legal_way_to_everywhere_else():
    for here, to in itertools.product(GateState, GateState):
        machine = GateMachine()
        machine.state = here
        if here is not to:
            for step in machine.route(to):
                machine.move(step)
            assert machine.state is to


@pytest.mark.parametrize(
    ("here", "to"),
    [
        ("closed", "passed"),
        ("opening", "passed"),
        ("closed", "closing"),
        ("offline", "passed"),
        ("fire_open", "passed"),
    ],
)
def test_nobody_passes_a_gate_that_is_not_open(here, to):
    assert GateState(to) not in MOVES[GateState(here)]


# --- core --------------------------------------------------------------------------------------------------------


def test_one_exit_from_command_to_closed():
    events = play(
        [
            REST,
            opening(7, BoardState.OPENING),
            opening(7),
            opening(7),
            passed(7),
            passed(7, BoardState.CLOSING),
            passed(7, BoardState.CLOSED),
        ]
    )
    assert events == [
        GateClosed(t=0.0),
        GateOpened(t=2.0, command_seq=7),
        Passage(t=4.0, direction="exit", command_seq=7, count=1),
        GateClosed(t=6.0),
    ]


def test_a_whole_passage_between_two_images_is_told_in_order():
    events = play([REST, passed(7, BoardState.CLOSED)])
    assert kinds(events) == ["GateClosed", "GateOpened", "Passage", "GateClosed"]
    assert events[2] == Passage(t=1.0, direction="exit", command_seq=7, count=1)


def test_nobody_came():
    over = opening(7, BoardState.CLOSING, outcome=Outcome.NOBODY)
    events = play([REST, opening(7), over, replace(over, state=BoardState.CLOSED)])
    assert NotPassed(t=2.0, command_seq=7, why=Outcome.NOBODY) in events
    assert kinds(events).count("NotPassed") == 1
    assert "Passage" not in kinds(events)


def test_the_wrong_direction_belongs_to_no_command():
    events = play([REST, opening(7), opening(7, entries=1), passed(7, entries=1)])
    assert events[2:] == [
        Passage(t=2.0, direction="entry", command_seq=None, count=1),
        Passage(t=3.0, direction="exit", command_seq=7, count=1),
    ]


def test_the_next_person_while_the_flaps_are_still_open():
    events = play(
        [REST, opening(7), passed(7), opening(8, exits=1), passed(8, exits=2), passed(8, BoardState.CLOSED, 2)]
    )
    assert kinds(events) == ["GateClosed", "GateOpened", "Passage", "GateOpened", "Passage", "GateClosed"]
    assert [e.command_seq for e in events if isinstance(e, (Passage, GateOpened))] == [7, 7, 8, 8]


def test_a_passage_seen_together_with_the_next_command_keeps_its_owner():
    events = play([REST, opening(7), opening(8, exits=1)])
    assert Passage(t=2.0, direction="exit", command_seq=7, count=1) in events
    assert "NotPassed" not in kinds(events)
    assert play([REST, opening(7), opening(8)])[-1] == NotPassed(t=2.0, command_seq=7, why=Outcome.NOBODY)
    both = play([REST, opening(7), passed(8, exits=2)])
    assert [e.command_seq for e in both if isinstance(e, Passage)] == [7, 8]


def test_counters_wrap():
    start = replace(REST, exits=65_535)
    events = play([start, replace(start, state=BoardState.FREE, mains_lost=True, exits=1)])
    assert [e.count for e in events if isinstance(e, Passage)] == [0, 1]


def test_a_reader_that_restarts_is_told_what_it_missed():
    core = GateCore()
    play([REST, opening(7)], core)
    missed = play([passed(7, BoardState.CLOSED, exits=3, entries=1, intrusions=1)], GateCore(core.counters))
    assert [e for e in missed if isinstance(e, Passage)] == [
        Passage(t=0.0, direction="exit", command_seq=7, count=1, missed=True),
        Passage(t=0.0, direction="exit", command_seq=None, count=2, missed=True),
        Passage(t=0.0, direction="exit", command_seq=None, count=3, missed=True),
        Passage(t=0.0, direction="entry", command_seq=None, count=1, missed=True),
    ]
    assert Intrusion(t=0.0, count=1) in missed
    gone = play([opening(7, BoardState.CLOSED, outcome=Outcome.NOBODY)], GateCore(core.counters))
    assert NotPassed(t=0.0, command_seq=7, why=Outcome.NOBODY) in gone


def test_without_known_counters_the_first_image_is_the_baseline():
    assert kinds(play([replace(REST, exits=500)])) == ["GateClosed"]


def test_the_line_lost_in_between_loses_no_passage():
    core = GateCore()
    play([REST, opening(7)], core)
    core.offline()
    assert core.state is GateState.OFFLINE
    assert core.image is None
    events = core.update(passed(7, BoardState.CLOSED), 9.0)
    assert Passage(t=9.0, direction="exit", command_seq=7, count=1, missed=True) in events
    assert core.update(passed(7, BoardState.CLOSED), 9.1) == []


def test_a_board_that_restarts_says_so_and_its_opening_is_cut_off():
    events = play([REST, opening(7), opening(7, BoardState.CLOSED, outcome=Outcome.CUT_OFF, boots=2)])
    assert Restarted(t=2.0) in events
    assert NotPassed(t=2.0, command_seq=7, why=Outcome.CUT_OFF) in events


def test_an_end_while_nobody_was_reading_says_so():
    core = GateCore()
    play([REST, opening(7)], core)
    core.offline()
    dark = core.update(opening(7, BoardState.CLOSED, outcome=Outcome.CUT_OFF, boots=2), 9.0)
    assert [event.missed for event in dark if isinstance(event, NotPassed)] == [True]
    seen = play([REST, opening(7), opening(7, BoardState.FAULT, outcome=Outcome.CUT_OFF, fault=3)])
    assert [event.missed for event in seen if isinstance(event, NotPassed)] == [False]


def test_another_board_starts_counting_anew():
    core = GateCore()
    play([replace(REST, exits=4_000)], core)
    assert kinds(play([replace(REST, exits=10, boots=1)], core)) == ["Restarted"]
    assert Restarted(t=0.0, counters_lost=True) in play([REST], GateCore(replace(REST, exits=9).counters))


def test_alarms_come_and_go_once():
    fire = replace(REST, state=BoardState.FREE, fire=True)
    assert kinds(play([REST, fire, fire, replace(REST, state=BoardState.CLOSING), REST])) == [
        "GateClosed",
        "FireAlarm",
        "GateOpened",
        "FireAlarm",
        "GateClosed",
    ]
    dark = replace(REST, state=BoardState.FREE, mains_lost=True)
    assert MainsLost(t=1.0, on=True) in play([REST, dark])
    broken = replace(REST, state=BoardState.FAULT, fault=7)
    assert play([REST, broken, REST])[1:3] == [Fault(t=1.0, code=7), Fault(t=2.0, code=0)]
    blocked = opening(7, obstacle=True)
    assert [e.on for e in play([opening(7), blocked, opening(7)]) if isinstance(e, Obstacle)] == [True, False]


def test_an_alarm_that_ended_while_offline_is_told_as_ended():
    core = GateCore()
    play([replace(REST, state=BoardState.FREE, fire=True)], core)
    core.offline()
    assert FireAlarm(t=0.0, on=False) in play([REST], core)


def test_people_who_leave_in_a_fire_are_counted():
    fire = replace(REST, state=BoardState.FREE, fire=True)
    events = play([REST, fire, replace(fire, exits=3)])
    assert [e.count for e in events if isinstance(e, Passage)] == [1, 2, 3]


@given(st.lists(st.one_of(IMAGES, st.none()), max_size=20))
def test_no_images_in_any_order_break_the_core(images):
    core = GateCore()
    for t, image in enumerate(images):
        if image is None:
            core.offline()
        else:
            core.update(image, float(t))
            assert core.counters == image.counters
