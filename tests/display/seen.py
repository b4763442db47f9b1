"""The display's view of a lane in short words, with the devices, calls and ends that there are."""

from __future__ import annotations

import itertools
from typing import Any

from config.display_settings import DisplaySettings
from edge.display.view import Call, Devices, view
from tests.display.customers import Play

SETTINGS, WELL = DisplaySettings(port=0), Devices()
CALLS = [None, *(Call(reason, state) for reason in ("help", "gate", "no_decision", "stuck")
                 for state in ("called", "coming", "nobody"))]  # fmt: skip
DEVICES = [
    Devices(reader, gate, fire, disk, hub)
    for reader, gate in itertools.product((True, False, None), repeat=2)
    for fire, disk, hub in itertools.product((True, False), repeat=3)
]
ENDS = {"idle": "waiting", "deciding": "reading", "printing": "printing", "showing": "coupon", "opening": "opening",
        "opening, printed": "opening", "open": "pass", "open, printed": "pass", "open, read": "pass", "passed": "waiting",
        "nobody passed": "waiting", "cut off": "waiting", "refused": "refused", "gate fault": "waiting"}  # fmt: skip


def seen(
    play: Play, devices: Devices = WELL, call: Call | None = None, minute: int = 0, typed: int = 0, **settings: Any
) -> Any:
    wanted = SETTINGS.model_copy(update=settings)
    return view(play.lane, play.memory, devices, call, wanted, play.at, minute, typed)


def kinds(shown: dict[str, Any]) -> list[str]:
    return [line["kind"] for line in shown["lines"]]


def texts(shown: dict[str, Any]) -> list[dict[str, str]]:
    return [shown["head"], *(line["text"] for line in shown["lines"])]
