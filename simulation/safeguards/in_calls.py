"""Safeguards of lanes that call a clerk, taken out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import edge.lane_calls
from edge.lane_calls import CallPolicy, Calls, DeviceTold
from edge.store import EdgeStore
from hub.lane_calls import LaneCalls
from hub.lost_agents import LostAgents


def devices_call_nobody() -> AbstractContextManager[Any]:
    told = edge.lane_calls._told

    def silent(calls: Calls, event: DeviceTold, now: float, policy: CallPolicy) -> Any:
        after, said = told(calls, event, now, policy)
        return replace(after, troubles=tuple(replace(each, due=None) for each in after.troubles)), said

    return patch("edge.lane_calls._told", silent)


def calls_never_end() -> AbstractContextManager[Any]:
    return patch("edge.lane_calls._over", lambda calls, reasons, why: (calls, ()))  # noqa: ARG005


def calls_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(EdgeStore, "save_calls", lambda self, lane, calls: None)  # noqa: ARG005


def lanes_are_not_told() -> AbstractContextManager[Any]:
    return patch.object(LaneCalls, "_tell_lane", lambda *_: None)


def lost_agents_have_no_call() -> AbstractContextManager[Any]:
    return patch.object(LostAgents, "due", lambda self, now: [])  # noqa: ARG005


def ends_stay_at_the_hub() -> AbstractContextManager[Any]:
    return patch.object(LaneCalls, "_over", lambda *_: None)
