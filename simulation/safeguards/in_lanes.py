"""Safeguards of a lane, taken out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import edge.lane
import edge.lane_ends
import edge.lane_work
from contract.payloads import LanePassage
from edge.lane_runner import LaneRunner
from edge.lane_types import MAX_COMMAND, Lane, LanePolicy, NobodyPassed, Open, Phase, Say
from edge.store import EdgeStore

FOR_EVER_S = 1e6


def blind_reprint() -> AbstractContextManager[Any]:
    ended = edge.lane_work._ended
    return patch("edge.lane_work._ended", lambda result: replace(found, outcome="not_printed")
                 if (found := ended(result)).outcome == "unknown" else found)  # fmt: skip


def each_try_a_new_command() -> AbstractContextManager[Any]:
    refused = edge.lane._gate_refused

    def again(lane: Lane, event: Any) -> Any:
        if lane.phase is Phase.OPENING and event.command == lane.command:
            lane = replace(lane, command=lane.command % MAX_COMMAND + 1)
            return lane, (Open(lane.command, lane.open_s),)
        return refused(lane, event)

    return patch("edge.lane._gate_refused", again)


def no_list_of_used_codes() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "is_used", lambda self, code: False)  # noqa: ARG005


def lane_state_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "save_lane", lambda self, lane, state, utc: None)  # noqa: ARG005


def gate_counters_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "save_gate", lambda self, lane, counters: None)  # noqa: ARG005


def opening_taken_for_passing() -> AbstractContextManager[Any]:
    nobody = edge.lane._nobody

    def passed(lane: Lane, event: NobodyPassed, now: float, policy: LanePolicy) -> Any:
        after, actions = nobody(lane, event, now, policy)
        return after, tuple(
            Say(a.name, a.data.model_copy(update={"outcome": "passed"}))
            if isinstance(a, Say) and isinstance(a.data, LanePassage)
            else a
            for a in actions
        )

    return patch("edge.lane._nobody", passed)


def only_the_last_silent_transaction() -> AbstractContextManager[Any]:
    return patch("edge.lane_ends.ENDED_MAX", 1)


def no_patience_with_paper() -> AbstractContextManager[Any]:
    decided = edge.lane._decided

    def patient(lane: Lane, event: Any, now: float, policy: LanePolicy) -> Any:
        after, actions = decided(lane, event, now, policy)
        return (replace(after, print_deadline=now + FOR_EVER_S) if after.phase is Phase.PRINTING else after), actions

    return patch("edge.lane._decided", patient)


def no_offline_policy() -> AbstractContextManager[Any]:
    code = edge.lane._code

    def patient(lane: Lane, event: Any, now: float, policy: LanePolicy) -> Any:
        after, actions = code(lane, event, now, policy)
        return replace(after, deadline=now + FOR_EVER_S), actions

    return patch("edge.lane._code", patient)


def paper_not_noted_before_it_is_begun() -> AbstractContextManager[Any]:
    return patch.object(LaneRunner, "_print_sent", lambda self, event: True)  # noqa: ARG005


def interrupted_paper_not_told() -> AbstractContextManager[Any]:
    return patch("edge.lane.interrupted", lambda lane, why: ())  # noqa: ARG005


def nothing_goes_on_after_a_restart() -> AbstractContextManager[Any]:
    return patch("edge.lane_runner.resume", lambda lane, now, policy, away_s: (edge.lane_ends.idle(lane), ()))  # noqa: ARG005
