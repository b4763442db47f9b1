"""What happened in the demo, in order: one list that the terminal, the page and the JSON lines are made from."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEPT = 2000


@dataclass(frozen=True, slots=True)
class Happening:
    """`t_ms` since the start of the demo; `type` a message type of the contract, or `instore.demo.…`."""

    t_ms: float
    type: str
    message: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    mono: float = 0.0
    """When it was seen, in seconds of the machine's monotonic clock."""

    def line(self) -> str:
        """One JSON object."""
        return json.dumps(
            {"t_ms": self.t_ms, "type": self.type, **self.extra, "message": self.message}, ensure_ascii=False
        )


class Record:
    """Everything that happened. `on_happening` is called for each; `wait` waits for one that has been or will be."""

    def __init__(self, on_happening: Callable[[Happening], None]) -> None:
        self._start = time.monotonic()
        self._on_happening = on_happening
        self.all: deque[Happening] = deque(maxlen=KEPT)
        self._seen: set[tuple[str, str]] = set()
        self._wakers: set[asyncio.Event] = set()

    def add(self, type_: str, message: dict[str, Any], **extra: Any) -> None:
        """One happening; a message of the contract that was seen before (same ID) is left out."""
        message_id = message.get("id")
        if isinstance(message_id, str):
            if (type_, message_id) in self._seen:
                return
            self._seen.add((type_, message_id))
        mono = time.monotonic()
        happening = Happening(round((mono - self._start) * 1000, 1), type_, message, extra, mono)
        self.all.append(happening)
        self._on_happening(happening)
        for waker in self._wakers:
            waker.set()

    def find(self, wanted: Callable[[Happening], bool]) -> Happening | None:
        """The first happening that is wanted, of those that are kept."""
        return next((h for h in self.all if wanted(h)), None)

    async def wait(self, wanted: Callable[[Happening], bool], timeout_s: float) -> Happening | None:
        """The first wanted happening, past or future; None when the time is over."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            async with asyncio.timeout(timeout_s):
                while (found := self.find(wanted)) is None:
                    waker.clear()
                    await waker.wait()
                return found
        except TimeoutError:
            return self.find(wanted)
        finally:
            self._wakers.discard(waker)
