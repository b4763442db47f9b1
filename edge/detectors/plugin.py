"""A detector that is a package of its own: a face at the entrance camera, say (row A13). Off unless the settings name it.

    [[detector]]
    kind = "face"
    id = "camera"
    plugin = "my_camera:detector"      # module:factory, or the name of an entry point in the group `instore.detectors`
    options = { device = "/dev/video0" }

The factory is called as `factory(options, seen, tell)` and returns an object with `async def run()`, which watches until it is
cancelled and may fail: it is then made and run anew. `seen(template)` says that the person of this template (1 to 64 letters,
digits, `_`, `.`, `-`; an ID, never a picture or a vector) stands before the camera; call it in the loop, as often as she is seen.
`tell(status)` says how the camera is (`devices.status.DeviceStatus`).

Pictures and templates stay inside the plugin. What goes to the hub is `face:` and the ID; only the hub knows whose it is, and
opens a visit only with her consent in force.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

import structlog

from config.edge_settings import FaceDetector as Settings
from contract.payloads import Detector
from edge.detectors.detector import AT_ONCE, Category, Driver, Noticed, Tell
from edge.detectors.dwell import Dwell

log = structlog.get_logger()

GROUP = "instore.detectors"
SEEN_MAX = 1000
"""Templates waiting for a turn of the loop: a camera of 30 pictures a second makes some hundred."""
_TEMPLATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

Factory = Callable[[Mapping[str, Any], Callable[[str], None], Tell], Driver]


class NoPlugin(ValueError):
    """There is no such plugin, or it can't be loaded; the sentence says why."""


class Plugin:
    """A camera with somebody else's matching."""

    category: Category = "camera"

    def __init__(self, settings: Settings, factory: Factory, clock: Callable[[], float]) -> None:
        self.name = settings.id
        self._settings, self._factory, self._clock = settings, factory, clock
        self._dwell = Dwell(Detector.FACE, settings.stay_s)
        self._seen: deque[tuple[str, float]] = deque()
        self._counters = Counter({"matches": 0, "refused_templates": 0, "dropped_matches": 0})
        self._wake: Callable[[], None] = lambda: None

    def driver(self, wake: Callable[[], None], tell: Tell) -> Driver:
        self._wake = wake
        return self._factory(self._settings.options, self.seen, tell)

    def seen(self, template: str) -> None:
        """From the plugin."""
        if not isinstance(template, str) or not _TEMPLATE.fullmatch(template):
            self._counters["refused_templates"] += 1
        elif len(self._seen) >= SEEN_MAX:
            self._counters["dropped_matches"] += 1
        else:
            self._seen.append((template, self._clock()))
            self._wake()

    def step(self, now: float) -> Iterable[Noticed]:
        events = []
        while self._seen:
            template, t = self._seen.popleft()
            self._counters["matches"] += 1
            events += self._dwell.notice(f"face:{template}", t)
        return events + self._dwell.tick(now)

    def due(self) -> float | None:
        return AT_ONCE if self._seen else self._dwell.due()

    def counted(self) -> Mapping[str, int]:
        return dict(self._counters)


def find(name: str) -> Factory:
    """The factory that `module:factory`, or an entry point's name, stands for. Raises NoPlugin."""
    try:
        found = _load(name)
    except Exception as error:  # whatever another's module does when it is imported
        raise NoPlugin(f"{name!r} can't be loaded: {error!r:.200}") from error
    if found is None:
        raise NoPlugin(f"{name!r}: no installed package has an entry point of this name in {GROUP!r}")
    if not callable(found):
        raise NoPlugin(f"{name!r} is no function that makes a detector")
    factory: Factory = found
    return factory


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if attribute:
        return getattr(importlib.import_module(module), attribute)
    return next((point.load() for point in entry_points(group=GROUP, name=name)), None)
