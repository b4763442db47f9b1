"""The views of all lanes of one agent, and who watches them.

The board is told after the lane's commit and only makes a note; views are made in a task of its own, when something has
happened and twice a second. A watcher always gets the newest view: one that is slow misses those between.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import segno
import structlog

from config.display_settings import DisplaySettings
from devices.pulse import Pulse
from edge.display.memory import Memory, forget, remember
from edge.display.view import Call, Devices, view
from edge.lane_refusals import Refused
from edge.lane_types import Event, Lane, LanePolicy

log = structlog.get_logger()

TICK_S = 0.5
"""How exactly words vanish and seconds count."""
WATCHERS_MAX = 16
"""Of all lanes together: a page, one that is being loaded anew, and an installer who looks."""


class Watchable(Protocol):
    """A lane, as `edge.lane_runner.LaneRunner` is one."""

    lane: Lane
    policy: LanePolicy
    watch: Callable[[Event | Refused], None]


def minute_of_day() -> int:
    """By this machine's clock and time zone."""
    now = datetime.now().astimezone()
    return now.hour * 60 + now.minute


class Watcher:
    """Somebody who watches one lane: `await newest()`."""

    def __init__(self, lane: str, text: str) -> None:
        self.lane = lane
        self._text: str | None = text
        self._there = asyncio.Event()
        self._there.set()

    def put(self, text: str) -> None:
        self._text = text
        self._there.set()

    async def newest(self, timeout_s: float) -> str | None:
        """The newest view as JSON, once; None when nothing changed for so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._there.wait()
        except TimeoutError:
            return None
        self._there.clear()
        return self._text


class Board:
    """`look` and `called` tell how a lane's devices are and whether a clerk is called; `now` is monotonic."""

    def __init__(self, settings: DisplaySettings, lanes: Mapping[str, Watchable], look: Callable[[str], Devices],
                 called: Callable[[str], Call | None], now: Callable[[], float],
                 minute: Callable[[], int] = minute_of_day) -> None:  # fmt: skip
        self.settings, self.lanes = settings, lanes
        self._look, self._called, self._now, self._minute = look, called, now, minute
        self._memories = dict.fromkeys(lanes, Memory())
        self._typed = dict.fromkeys(lanes, 0)
        self._texts = dict.fromkeys(lanes, "")
        self._watchers: set[Watcher] = set()
        self._wake = asyncio.Event()
        self.pulse = Pulse()
        self.counters: Counter[str] = Counter()
        for name, lane in lanes.items():
            lane.watch = lambda happened, name=name: self._happened(name, happened)  # type: ignore[misc]
            self._tell(name)

    def _happened(self, lane: str, happened: Event | Refused) -> None:
        # Called by the lane: whatever is wrong here must cost it nothing.
        try:
            self._memories[lane] = remember(self._memories[lane], happened, self.lanes[lane].lane, self._now())
        except Exception as error:
            self.counters["display_errors"] += 1
            log.error("a lane's display could not follow", lane=lane, error=repr(error), exc_info=True)
        self._wake.set()

    def typed(self, lane: str, digits: int) -> None:
        """So many digits stand at the lane's keypad now."""
        self._typed[lane] = digits
        self._wake.set()

    def poke(self) -> None:
        """Something may have changed: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.pulse.beat("display")
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            self._look_round()

    def _look_round(self) -> None:
        watched = {watcher.lane for watcher in self._watchers}
        for lane in self.lanes:
            self._memories[lane] = forget(self._memories[lane], self._now(), self.settings.name_s)
            if lane not in watched:
                continue  # who comes gets a view of that moment
            text = self._text(lane)
            if text != self._texts[lane]:
                self._texts[lane] = text
                for watcher in self._watchers:
                    if watcher.lane == lane:
                        watcher.put(text)

    def _text(self, lane: str) -> str:
        shown = view(self.lanes[lane].lane, self._memories[lane], self._look(lane), self._called(lane), self.settings,
                     self._now(), self._minute(), self._typed[lane])  # fmt: skip
        shown["qr"] = qr_image(shown["qr"]) if shown["qr"] else None
        fixed = {"languages": self.settings.languages, "arrow": self.settings.arrow}
        return json.dumps({**fixed, **shown}, ensure_ascii=False)

    @contextmanager
    def watching(self, lane: str) -> Iterator[Watcher]:
        """Raises TooMany; KeyError when there is no such lane."""
        if len(self._watchers) >= WATCHERS_MAX:
            self.counters["watchers_refused"] += 1
            raise TooMany
        self._texts[lane] = self._text(lane)
        watcher = Watcher(lane, self._texts[lane])
        self._watchers.add(watcher)
        self._tell(lane)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._tell(lane)
            if not self.watched(lane):
                self._texts[lane] = ""  # nobody needs it, and a name may stand in it

    def _tell(self, lane: str) -> None:
        """A lane without a living display shows no coupons: she gets hers at once, electronically."""
        runner = self.lanes[lane]
        runner.policy = replace(runner.policy, display=self.watched(lane) > 0)

    def watched(self, lane: str) -> int:
        """How many pages show this lane now."""
        return sum(watcher.lane == lane for watcher in self._watchers)


class TooMany(RuntimeError):
    """More watchers than a store has displays."""


@lru_cache(maxsize=16)
def qr_image(text: str) -> str:
    """The code as an SVG picture, in a `data:` address; black on white with the quiet zone that the standard asks for."""
    image = io.BytesIO()
    segno.make_qr(text, error="m").save(
        image, kind="svg", border=4, xmldecl=False, svgns=True, dark="#000", light="#fff"
    )
    return "data:image/svg+xml;utf8," + _quoted(image.getvalue().decode())


def _quoted(svg: str) -> str:
    return svg.strip().replace("%", "%25").replace("#", "%23").replace('"', "'")
