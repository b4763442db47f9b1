"""Who passes without having been let through: the simulated board, the driver's core and the lane's eyes together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devices.gate_core import GateCore
from devices.gate_events import GateEvent, HelpPressed, Intrusion, Obstacle, Passage
from devices.gate_map import Command, GateImage, command_block
from edge.lane_incidents import OBSTACLE_S, ObstacleWatch, Seen, seen
from firmware_sim.gate_board import Board, Memory


class Lane:
    """A board that is read every 20 ms."""

    def __init__(self) -> None:
        self.board = Board(Memory(), tell=lambda _: None, save=lambda _: None)
        self.core = GateCore()
        self.now = 0.0
        self.poll()

    def poll(self) -> list[GateEvent]:
        self.now += 0.02
        self.board.step(self.now)
        return self.core.update(GateImage.decode(self.board.inputs()), self.now)

    def later(self, seconds: float) -> list[GateEvent]:
        return [event for _ in range(int(seconds / 0.02)) for event in self.poll()]

    def open(self, seq: int) -> None:
        self.board.write(0, command_block(seq, Command.OPEN_EXIT, 5.0))
        self.later(0.5)

    def does(self, act: Callable[[], str]) -> list[Seen]:
        assert act() == ""
        return seen([*self.poll(), *self.later(2.0)])


@pytest.mark.row("B12")
def test_one_person_with_a_code_is_no_incident() -> None:
    lane = Lane()
    lane.open(7)
    assert lane.does(lambda: lane.board.walk("exit")) == []


@pytest.mark.row("B12")
def test_who_follows_is_seen_however_the_board_counts_him() -> None:
    lane = Lane()
    lane.open(7)
    lane.board.walk("exit")
    assert lane.does(lane.board.tailgate) == [Seen("tailgating", "exit", 1)]
    lane.open(8)
    lane.board.walk("exit")
    assert lane.does(lambda: lane.board.walk("exit")) == [Seen("tailgating", "exit", 1)]


@pytest.mark.row("B12")
def test_the_wrong_way_and_both_ways_and_through_the_closed_gate() -> None:
    lane = Lane()
    lane.open(7)
    assert lane.does(lambda: lane.board.walk("entry")) == [Seen("wrong_way", "entry", 1)]
    lane.later(10)
    lane.open(8)
    (both,) = lane.does(lane.board.both_ways)
    assert (both.kind, both.count) == ("both_ways", 1)
    lane.later(10)
    (forced,) = lane.does(lambda: lane.board.force("exit"))
    assert (forced.kind, forced.direction) == ("forced", "exit")
    (climbed,) = lane.does(lambda: lane.board.force("entry"))
    assert climbed.kind == "wrong_way"


@pytest.mark.parametrize("free", [lambda board: board.set_fire(True), lambda board: board.set_mains_lost(True)])
def test_while_the_gate_is_open_for_everybody_nothing_is_an_incident(free: Callable[[Board], None]) -> None:
    lane = Lane()
    free(lane.board)
    lane.later(1)
    for act in (lambda: lane.board.walk("exit"), lambda: lane.board.walk("entry"), lane.board.tailgate):
        assert lane.does(act) == []


def test_what_happened_while_nobody_read_is_no_incident() -> None:
    assert seen([Passage(t=1.0, direction="exit", command_seq=None, count=3, missed=True)]) == []


def test_readings_are_judged_one_by_one() -> None:
    one = Passage(t=1.0, direction="exit", command_seq=7, count=3, through="opening")
    other = Passage(t=2.0, direction="entry", command_seq=None, count=1, through="opening")
    assert [each.kind for each in seen([one, other])] == ["wrong_way"]
    assert [(each.kind, each.count) for each in seen([one, *[Intrusion(t=1.0, count=n) for n in (1, 2)]])] == [
        ("tailgating", 2)
    ]


@pytest.mark.row("B12")
def test_an_obstacle_is_told_when_it_stays() -> None:
    watch = ObstacleWatch()
    watch.heard(Obstacle(t=1.0, on=True), 1.0)
    watch.heard(Obstacle(t=2.0, on=False), 2.0)
    assert (watch.due, watch.told(99.0)) == (None, None)
    watch.heard(Obstacle(t=3.0, on=True), 3.0)
    assert watch.told(3.0 + OBSTACLE_S - 0.1) is None
    found = watch.told(3.0 + OBSTACLE_S)
    assert found is not None
    assert found.kind == "obstacle"
    assert watch.told(999.0) is None, "once"


@pytest.mark.row("B12")
def test_the_button_on_the_gates_board_is_one_press_however_long_it_is_held() -> None:
    lane = Lane()
    lane.board.help = True
    assert [type(event) for event in lane.later(3)] == [HelpPressed]
    lane.board.help = False
    lane.later(1)
    lane.board.help = True
    assert [type(event) for event in lane.later(1)] == [HelpPressed]
