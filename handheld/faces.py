"""Two faces of the handheld: a screen for a clerk, JSON lines for a machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.live import Live

from contract.payloads import Bilingual
from handheld.alert_book import Entry, Pending
from handheld.inbox import BadNews
from handheld.screen import Scene, draw


class Face(Protocol):
    """Where a handheld shows what happens."""

    def __enter__(self) -> Face: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def refresh(self, scene: Scene) -> None:
        """The newest state of everything; called on every change and twice a second."""

    def buzz(self, entry: Entry) -> None:
        """Makes the clerk look."""

    def connection(self, state: str, why: Bilingual | None) -> None:
        """`state` is `connected`, `away`, `refused`, `forbidden` or `disconnected` (on purpose)."""

    def sent(self, pending: Pending) -> None:
        """An answer went out, for the `attempts`th time."""

    def bad(self, news: BadNews, count: int) -> None:
        """A message was not used; `count` is how many of its reason so far."""

    def note(self, why: Bilingual) -> None:
        """Input that did nothing, and why."""


class ScreenFace:
    """The whole terminal, drawn by rich, with its bell."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, screen=self._console.is_terminal, auto_refresh=False)
        self._last_words: str | None = None

    def __enter__(self) -> ScreenFace:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        # The alternate screen is gone now: what ended the program has to stand below it.
        if self._last_words:
            self._console.print(self._last_words, markup=False)

    def refresh(self, scene: Scene) -> None:
        self._live.update(draw(scene), refresh=True)

    def buzz(self, entry: Entry) -> None:
        # Two bells for a special treatment: the ear can tell the two requests apart (row A12).
        for _ in range(2 if entry.alert.kind == "special_treatment" else 1):
            self._console.bell()

    def connection(self, state: str, why: Bilingual | None) -> None:
        self._last_words = f"{why.ja}\n{why.en}" if why is not None and state != "away" else None

    def sent(self, pending: Pending) -> None:
        """The panel says it."""

    def bad(self, news: BadNews, count: int) -> None:
        """The head line counts it."""

    def note(self, why: Bilingual) -> None:
        """The scene carries it."""


class JsonFace:
    """One JSON object a line: `handheld.alert` for each new state, `.buzz`, `.connection`, `.answer`, `.bad_message`, `.note`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> JsonFace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.flush()

    def refresh(self, scene: Scene) -> None:
        shown: dict[str, tuple[int, str]] = {}
        for entry in scene.entries:
            shown[entry.id] = (entry.alert.revision, entry.status.value)
            if shown[entry.id] != self._shown.get(entry.id):
                waited_s = round(scene.now - entry.since, 3)
                self._line("alert", status=entry.status.value, waited_s=waited_s, cause=entry.message_id,
                           alert=entry.alert.model_dump(mode="json"))  # fmt: skip
        self._shown = shown

    def buzz(self, entry: Entry) -> None:
        self._line("buzz", alert=entry.id, time_no=entry.buzzes)

    def connection(self, state: str, why: Bilingual | None) -> None:
        self._line("connection", state=state, detail=why.en if why else "")

    def sent(self, pending: Pending) -> None:
        self._line("answer", alert=pending.alert, answer=pending.answer, id=pending.id, attempt=pending.attempts)

    def bad(self, news: BadNews, count: int) -> None:
        self._line("bad_message", topic=news.topic, reason=news.reason, detail=news.detail, count=count)

    def note(self, why: Bilingual) -> None:
        self._line("note", detail=why.en)

    def _line(self, kind: str, **fields: Any) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._out.write(json.dumps({"type": f"handheld.{kind}", "time": time, **fields}, ensure_ascii=False) + "\n")
        self._out.flush()
