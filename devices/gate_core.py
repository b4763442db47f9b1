"""From successive images of a gate board to events. No I/O and no clock: images and `now` go in, events come out.

A passage is known by the board's counters, which survive everything, and not by catching the gate in the act: whatever was
missed, because the line was down or because the program was, is told with the next image.
"""

from __future__ import annotations

from typing import Literal

from devices.gate_events import (
    Fault,
    FireAlarm,
    GateClosed,
    GateEvent,
    GateOpened,
    HelpPressed,
    Intrusion,
    MainsLost,
    NotPassed,
    Obstacle,
    Passage,
    Restarted,
)
from devices.gate_map import BoardState, Direction, GateCounters, GateImage, Outcome
from devices.gate_states import GateMachine, GateState

Through = Literal["opening", "free", "closed", "unknown"]

__all__ = ["GateCore"]

WRAP = 1 << 16
#: More than this between two images is no crowd but another board, or one whose memory was wiped.
MOST_MISSED = 5_000

_DIRECTIONS: dict[int, Direction] = {1: "exit", 2: "entry"}
_COUNTERS: tuple[tuple[Direction, str], ...] = (("exit", "exits"), ("entry", "entries"))


class GateCore:
    """`update` per image, `offline` when the line is lost.

    `known` are the counters of the last image that was acted on (keep `counters` on disk): the first image then tells what
    happened since. Without it the first image is where counting starts.
    """

    def __init__(self, known: GateCounters | None = None) -> None:
        self._machine = GateMachine()
        self._known = known
        self._image: GateImage | None = None  # of this connection
        self._last: GateImage | None = None  # also of the connection before, so that the end of an alarm is told
        self._opened_for = known.opening_seq if known and known.outcome != Outcome.WAITING else 0

    @property
    def state(self) -> GateState:
        return self._machine.state

    @property
    def image(self) -> GateImage | None:
        """The last image, None while offline."""
        return self._image

    @property
    def counters(self) -> GateCounters | None:
        """To be given as `known` after a restart."""
        return self._known

    def offline(self) -> None:
        self._image = None
        if self._machine.state is not GateState.OFFLINE:
            self._machine.move(GateState.OFFLINE)

    def update(self, image: GateImage, now: float) -> list[GateEvent]:
        """What happened between the image before and this one."""
        if image == self._image:
            return []  # fifty times a second, for hours
        before, known, first = self._last, self._known, self._image is None
        self._image = self._last = image
        self._known = image.counters
        events = _alarms(before, image, now)
        if known is None:
            return [*events, *self._walk(image, now)]
        through = "unknown" if first or before is None else _through(before, image)
        passages, restarted = _counted(known, image, now, missed=first, through=through)
        went = [event for event in passages if isinstance(event, Passage)]
        return [
            *restarted,
            *events,
            *(self._through_open(image, now) if went and not first else ()),
            *passages,
            *self._walk(image, now),
            *_unused(known, image, went, now, missed=first),
        ]

    def _through_open(self, image: GateImage, now: float) -> list[GateEvent]:
        """Somebody passed: if the gate was not seen open meanwhile, it was open all the same."""
        held_open = (GateState.FIRE_OPEN, GateState.FREE_OPEN, GateState.FAULT)
        if self._machine.state in held_open or _seen_as(image) in held_open:
            return []
        return self._step([*self._machine.route(GateState.PASSED)], image, now)

    def _walk(self, image: GateImage, now: float) -> list[GateEvent]:
        to = _seen_as(image)
        here = self._machine.state
        same_open = here is GateState.PASSED and to is GateState.OPEN and image.outcome is not Outcome.WAITING
        return [] if to is here or same_open else self._step(self._machine.route(to), image, now)

    def _step(self, route: list[GateState], image: GateImage, now: float) -> list[GateEvent]:
        events: list[GateEvent] = []
        for state in route:
            was_open = self._machine.state in (GateState.OPEN, GateState.PASSED)
            self._machine.move(state)
            seq = image.opening_seq or None
            seq = None if seq == self._opened_for else seq
            if state is GateState.CLOSED:
                events.append(GateClosed(t=now))
            elif state is GateState.OPEN and (not was_open or seq is not None):
                self._opened_for = image.opening_seq
                events.append(GateOpened(t=now, command_seq=seq))
            elif state in (GateState.FIRE_OPEN, GateState.FREE_OPEN):
                events.append(GateOpened(t=now, command_seq=None))
        return events


def _seen_as(image: GateImage) -> GateState:
    if image.fire:
        return GateState.FIRE_OPEN
    if image.state is BoardState.FREE:
        return GateState.FREE_OPEN
    return GateState(image.state.name.lower())


def _through(before: GateImage, image: GateImage) -> Through:
    """How the gate stood between two images 20 ms apart, in which somebody passed."""
    both = (before, image)
    if any(each.fire or each.mains_lost or each.state is BoardState.FREE for each in both):
        return "free"
    shut = all(each.state in (BoardState.CLOSED, BoardState.FAULT) for each in both)
    return "closed" if shut and before.pulses == image.pulses else "opening"


def _alarms(before: GateImage | None, image: GateImage, now: float) -> list[GateEvent]:
    """Changes of alarms; on the first image those that are on."""
    events: list[GateEvent] = []
    if image.fire != (before.fire if before else False):
        events.append(FireAlarm(t=now, on=image.fire))
    if image.mains_lost != (before.mains_lost if before else False):
        events.append(MainsLost(t=now, on=image.mains_lost))
    if image.fault != (before.fault if before else 0):
        events.append(Fault(t=now, code=image.fault))
    if image.obstacle != (before.obstacle if before else False):
        events.append(Obstacle(t=now, on=image.obstacle))
    if image.help and not (before.help if before else False):
        events.append(HelpPressed(t=now))
    return events


def _counted(
    known: GateCounters, image: GateImage, now: float, *, missed: bool, through: Through
) -> tuple[list[GateEvent], list[GateEvent]]:
    """(passages and intrusions since `known`, a restart if there was one)."""
    new = {name: (getattr(image, name) - getattr(known, name)) % WRAP for name in ("exits", "entries", "intrusions")}
    restarted = image.boots != known.boots
    if max(new.values()) > MOST_MISSED:  # the counters went backwards
        return [], [Restarted(t=now, counters_lost=True)]
    owners = _owners(known, image, new)
    events: list[GateEvent] = []
    for direction, name in _COUNTERS:
        for left in range(new[name] - 1, -1, -1):
            owned = owners.get(direction, [])
            seq = owned.pop(0) if owned else None
            count = (getattr(image, name) - left) % WRAP
            events.append(
                Passage(t=now, direction=direction, command_seq=seq, count=count, missed=missed, through=through)
            )
    last = image.intrusions
    events += [
        Intrusion(t=now, count=(last - left) % WRAP, free=through == "free")
        for left in range(new["intrusions"] - 1, -1, -1)
    ]
    return events, [Restarted(t=now)] if restarted else []


def _owners(known: GateCounters, image: GateImage, new: dict[str, int]) -> dict[str, list[int]]:
    """Which open commands the new passages belong to, oldest first, by direction.

    The board tells the outcome of its last opening only. If that is a newer one than we knew, and the one we knew was still
    waiting, then that one was used if there are passages to spare: the board takes no open while another waits.
    """
    owners: dict[str, list[int]] = {"exit": [], "entry": []}
    same = image.opening_seq == known.opening_seq
    if image.outcome is Outcome.PASSED and not (same and known.outcome == Outcome.PASSED):
        owners[_DIRECTIONS.get(image.opening_direction, "exit")].append(image.opening_seq)
    if not same and known.outcome == Outcome.WAITING:
        direction = _DIRECTIONS.get(known.opening_direction, "exit")
        if new["exits" if direction == "exit" else "entries"] > len(owners[direction]):
            owners[direction].insert(0, known.opening_seq)
    return owners


def _unused(known: GateCounters, image: GateImage, went: list[Passage], now: float, *, missed: bool) -> list[GateEvent]:
    """Open commands that ended without their passage."""
    events: list[GateEvent] = []
    same = image.opening_seq == known.opening_seq
    used = {passage.command_seq for passage in went}
    if not same and known.outcome == Outcome.WAITING and known.opening_seq not in used:
        events.append(NotPassed(t=now, command_seq=known.opening_seq, why=Outcome.NOBODY, missed=missed))
    over = image.outcome in (Outcome.NOBODY, Outcome.CLOSED_BY_COMMAND, Outcome.CUT_OFF)
    if over and not (same and known.outcome == image.outcome):
        events.append(NotPassed(t=now, command_seq=image.opening_seq, why=image.outcome, missed=missed))
    return events
