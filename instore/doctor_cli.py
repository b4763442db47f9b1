"""`instore doctor`: does every part of an agent work, and the loop of its lanes (row C10)?"""

from __future__ import annotations

import asyncio
import json as jsons
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from doctor.finding import Finding, Level, Prompt, Said, exit_code, worst
from doctor.words import LEVELS, Language, advice, say
from instore.errors import told

_MARKS = {
    Level.OK: "[green]✓[/]",
    Level.SKIPPED: "[dim]–[/]",
    Level.WARNING: "[yellow]![/]",
    Level.ERROR: "[red bold]✗[/]",
}
_ALL = {
    Level.ERROR: ("not ready: what is marked ✗ has to be mended", "要修理: ✗ の項目を直してください"),
    Level.WARNING: ("ready; look at what is marked !", "使用できます。! の項目を確認してください"),
    Level.OK: ("ready", "使用できます"),
}


class Tongue(StrEnum):
    """Of what is said."""

    JA = "ja"
    EN = "en"


def doctor(
    config: Annotated[Path, typer.Option("--config", help="the agent's settings file (TOML)")],
    lane: Annotated[list[str] | None, typer.Option(help="only this lane; several times for several")] = None,
    hands: Annotated[
        bool, typer.Option("--hands/--no-hands", help="somebody stands at the lane, holds codes up and walks through")
    ] = True,
    patience: Annotated[float, typer.Option(min=1, max=600, help="seconds for each thing to be done by hand")] = 60.0,
    language: Annotated[Tongue, typer.Option(help="of what is said")] = Tongue.JA,
    sheet: Annotated[Path | None, typer.Option(metavar="FILE", help="write an acceptance sheet (HTML) to sign")] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines: one object a line")] = False,
) -> None:
    """Examine an agent: clock, disk, broker, hub, radio, each device, and per lane print, read back, open, pass.

    Stop the agent first: it holds its serial ports. Exit code 0: ready; 1: something is broken; 2: the settings are.
    """
    from config.edge_settings import load_edge
    from doctor.examine import Options, examine
    from edge.agent import VERSION
    from instore.logs import quiet

    quiet()
    with told():
        settings = load_edge(config)
        now = datetime.now().astimezone()
        tongue: Language = "en" if language is Tongue.EN else "ja"
        voice = _Json() if json else _Terminal(tongue)
        options = Options(tuple(lane or ()), hands, patience)
        try:
            findings = asyncio.run(examine(settings, config, options, voice.said, now))
        finally:
            voice.close()
        voice.ended(findings)
        if sheet is not None:
            from doctor.sheet import sheet as page

            sheet.write_text(
                page(findings, store=settings.store, agent=settings.agent, now=now, version=VERSION), "utf-8"
            )
    raise SystemExit(exit_code(findings))


class _Terminal:
    """Lines for a person; while one is waited for, what she has to do stays below them."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._console = Console(highlight=False, soft_wrap=True)
        self._status = self._console.status("")

    def said(self, said: Said) -> None:
        self._status.stop()
        text = escape(say(said.key, said.values, self._language))
        if isinstance(said, Prompt):
            if said.show:
                self._show(said.show)
            self._console.print(f"[bold cyan]→[/] {escape(said.about):<12} [bold]{text}[/] ({said.seconds:g} s)")
            if self._console.is_terminal:
                self._status.update(text)
                self._status.start()
            return
        self._console.print(f"{_MARKS[said.level]} {escape(said.about):<12} {text}")
        todo = advice(said.key, said.values, self._language)
        if todo and said.level in (Level.WARNING, Level.ERROR):
            self._console.print(f"  {'':<12} [dim]{escape(todo)}[/]")

    def ended(self, findings: list[Finding]) -> None:
        level = worst(findings)
        english, japanese = _ALL[Level.OK if level is Level.SKIPPED else level]
        counts = ", ".join(
            f"{LEVELS[each][self._language == 'ja']} {n}"
            for each in Level
            if (n := sum(f.level is each for f in findings))
        )
        self._console.print(f"\n[bold]{japanese if self._language == 'ja' else english}[/] ({counts})")

    def _show(self, code: str) -> None:
        import segno

        segno.make(code, error="m").terminal(sys.stdout, compact=True)
        sys.stdout.flush()

    def close(self) -> None:
        self._status.stop()


class _Json:
    def said(self, said: Said) -> None:
        head: dict[str, Any] = {"about": said.about, "key": said.key}
        if isinstance(said, Prompt):
            head |= {"type": "instore.doctor.prompt", "seconds": said.seconds, "show": said.show}
        else:
            head |= {"type": "instore.doctor.finding", "level": said.level.value}
        values = {key: round(value, 3) if isinstance(value, float) else value for key, value in said.values.items()}
        print(jsons.dumps(head | values | {"says": say(said.key, said.values, "en")}, ensure_ascii=False), flush=True)

    def ended(self, findings: list[Finding]) -> None:
        counts = {level.value: sum(finding.level is level for finding in findings) for level in Level}
        print(jsons.dumps({"type": "instore.doctor.summary", "worst": worst(findings).value, **counts}), flush=True)

    def close(self) -> None:
        pass
