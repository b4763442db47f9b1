"""Draws the book with rich: one large panel per alert, the words of the store's choice first, the other language below."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from contract.payloads import Bilingual, CustomerCard
from handheld import words as w
from handheld.alert_book import Entry, Status
from handheld.words import Language

_COLOUR = {"service_request": "cyan", "special_treatment": "magenta", "coupon": "yellow", "lane": "red"}
_HISTORY_SHOWN = 3
_STYLE = {Status.OPEN: "bold", Status.MINE: "", Status.TAKEN: "dim", Status.DECLINED: "dim", Status.OVER: "dim"}


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything on the screen at one moment."""

    clerk: str
    store: str
    entries: tuple[Entry, ...]
    selected: str | None
    now: float
    trouble: Bilingual | None
    """Why there is no connection; None when there is one."""
    hub_ready: bool | None
    refused: int
    note: Bilingual | None
    language: Language


def draw(scene: Scene) -> RenderableType:
    """The whole screen."""
    parts: list[RenderableType] = [_head(scene)]
    if scene.trouble is not None:
        parts.append(_banner(w.NOT_CONNECTED, scene.trouble, scene.language))
    elif scene.hub_ready is False:
        parts.append(_banner(w.HUB_AWAY_TITLE, w.HUB_AWAY, scene.language))
    if not scene.entries:
        parts.append(Panel(_two(w.NONE, scene.language, ""), padding=(1, 2), border_style="dim"))
    parts += [_panel(number, entry, scene) for number, entry in enumerate(scene.entries, 1)]
    if scene.note is not None:
        parts.append(_two(scene.note, scene.language, "yellow"))
    parts.append(Text(_say(w.KEYS, scene.language), style="dim"))
    return Group(*parts)


def _head(scene: Scene) -> Text:
    state = w.CONNECTED if scene.trouble is None else w.NOT_CONNECTED
    text = Text(f" {scene.clerk} @ {scene.store}   ", style="bold")
    text.append(f"● {_say(state, scene.language)}", style="green" if scene.trouble is None else "bold red")
    if scene.refused:
        text.append("   " + _say(w.BAD_MESSAGES, scene.language).format(n=scene.refused), style="yellow")
    return text


def _banner(title: Bilingual, why: Bilingual, language: Language) -> Panel:
    return Panel(_two(why, language, "bold"), title=f"{title.ja} / {title.en}", style="white on red", padding=(1, 2))


def _panel(number: int, entry: Entry, scene: Scene) -> Panel:
    alert, card, language = entry.alert, entry.alert.customer, scene.language
    style = _STYLE[entry.status]
    body: list[RenderableType] = [_two(alert.message, language, style)]
    who = alert.place if card is None else card.name
    body.append(Text(w.plain(who), style=f"{style} reverse" if entry.status is Status.OPEN else style))
    if card is not None:
        facts = [
            card.rank,
            _say(w.VISITS, language).format(n=card.visits),
            _say(w.POINTS, language).format(n=f"{card.points:,}"),
        ]
        body.append(Text(" · ".join(w.plain(fact) for fact in facts if fact), style=style))
        body += [Text(line, style=style) for line in _more(entry, card, language)]
    if card is not None and card.note:
        body.append(Text(w.plain(card.note), style=f"{style} italic"))
    if entry.status is not Status.OVER:
        body.append(Text(f"{_say(w.WAITING, language)} {w.clock(scene.now - entry.since)}", style=f"{style} yellow"))
    body.append(_two(_standing(entry), language, "bold green" if entry.status is Status.MINE else style))
    mark = "▶ " if entry.id == scene.selected else ""
    title = f"{mark}{number}  {w.KIND[alert.kind].ja} / {w.KIND[alert.kind].en}  ({_say(w.ROLE[alert.role], language)})"
    colour = _COLOUR[alert.kind] if entry.status in (Status.OPEN, Status.MINE) else "bright_black"
    wide = entry.status in (Status.OPEN, Status.MINE)
    return Panel(Group(*body), title=title, title_align="left", border_style=colour, padding=(1, 3) if wide else (0, 3))


def _more(entry: Entry, card: CustomerCard, language: Language) -> list[str]:
    """Where she is, what she likes, what to recommend, what she bought last."""
    alert = entry.alert
    lines = []
    if alert.place:
        lines.append(_say(w.PLACE, language).format(place=w.plain(alert.place)))
    if alert.coupon is not None:
        lines.append(_say(w.RECOMMEND, language).format(title=w.plain(_say(alert.coupon.title, language))))
    if card.preferences:
        lines.append(_say(w.PREFERENCES, language).format(what=w.plain(card.preferences)))
    if card.history and entry.status in (Status.OPEN, Status.MINE):
        bought = "; ".join(f"{line.day:%m-%d} {w.plain(line.products)}" for line in card.history[:_HISTORY_SHOWN])
        lines.append(f"{_say(w.BOUGHT, language)}: {bought}")
    return lines


def _standing(entry: Entry) -> Bilingual:
    if entry.pending is not None:
        return w.SENDING[entry.pending.answer]
    if entry.status is Status.OVER and entry.alert.outcome is not None:
        return w.OUTCOME[entry.alert.outcome]
    return w.taken(entry.alert) if entry.status is Status.TAKEN else w.STATUS[entry.status.value]


def _say(text: Bilingual, language: Language) -> str:
    return text.ja if language == "ja" else text.en


def _two(text: Bilingual, language: Language, style: str) -> Text:
    first, second = (text.ja, text.en) if language == "ja" else (text.en, text.ja)
    both = Text(w.plain(first), style=style)
    if second != first:
        both.append("\n" + w.plain(second), style="dim")
    return both
