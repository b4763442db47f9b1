"""One view of a lane's display: what stands there and what sounds, from all that is known now (row B10). Pure.

A view is plain JSON:

    screen      which one, see `Screen`
    tone        its colour: calm, busy, good, stop, alarm
    head        the key words, {"ja": …, "en": …} as all texts
    lines       more of it, the first is the most important: [{"kind": "do" | "thanks" | "gift" | "rank", "text": …}]
    qr          text of the coupon's QR code, or null; `left_s`: whole seconds that it stands
    typed       how many of the digits of a number stand at the keypad, or null; never which
    sound       {"id", "tone", "say": [{"ja": …, "en": …}, …], "volume": 0..100}; the same ID is the same sound

Nothing of a customer stands in it longer than `DisplaySettings.name_s` after the hub's decision, but her coupon.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from config.display_settings import DisplaySettings
from contract.exit_digits import DIGITS
from contract.payloads import Bilingual
from edge.display import words
from edge.display.memory import Memory, forget
from edge.lane_types import Lane

Screen = Literal[
    "starting", "waiting", "typing", "reading", "printing", "coupon", "opening", "pass", "thanks", "refused", "clerk",
    "out_of_order", "fire",
]  # fmt: skip
Tone = Literal["calm", "busy", "good", "stop", "alarm"]
SLOW_S = 3.0
"""What takes longer than a moment is called so."""
FIRE_AGAIN_S = 12.0
"""A fire alarm is said again and again."""


@dataclass(frozen=True, slots=True)
class Devices:
    """How the lane is. `reader`, `gate`: None while nothing is known yet. A lane without a gate has a good one."""

    reader: bool | None = True
    keypad: bool = False
    nfc: bool = False
    """Other ways to bring a code: there, and working."""
    gate: bool | None = True
    fire: bool = False
    disk: bool = True
    """The agent's database takes transactions; without it no code can be accepted."""
    hub: bool = True
    """The hub can be reached, or the lane may let people pass without it."""


@dataclass(frozen=True, slots=True)
class Call:
    """The lane has called a clerk for who stands there. `reason` as in `LaneCall`; `state` is what became of it."""

    reason: str
    state: Literal["called", "coming", "nobody"] = "called"


Lines = tuple[tuple[str, Bilingual | None], ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    screen: Screen
    tone: Tone
    head: Bilingual
    lines: Lines = ()
    sound: str = ""
    say: tuple[Bilingual | None, ...] = ()
    key: str = ""
    """What tells this screen from another of the same name."""
    qr: str | None = None
    left_s: int | None = None
    typed: int | None = None


def view(lane: Lane, memory: Memory, devices: Devices, call: Call | None, settings: DisplaySettings, now: float,
         minute: int = 0, typed: int = 0) -> dict[str, Any]:  # fmt: skip
    """The view of a lane at `now` (monotonic s), at this minute of the day; `typed` digits stand at its keypad."""
    memory = forget(memory, now, settings.name_s)
    shown = _shown(lane, memory, devices, call, now)
    if typed and shown.screen in ("waiting", "refused", "clerk"):
        shown = _Shown("typing", "calm", words.TYPING, (("do", words.ENTER),), typed=min(typed, DIGITS))
    loud = shown.screen == "fire" or not settings.is_quiet(minute)
    said = [text for text in shown.say if text is not None]
    if not settings.say_name:
        said = [words.THANKS if text is memory.thanks else text for text in said]
    return {
        "screen": shown.screen,
        "tone": shown.tone,
        "head": _texts(shown.head, settings.languages),
        "lines": [
            {"kind": kind, "text": _texts(text, settings.languages)} for kind, text in shown.lines if text is not None
        ],
        "qr": shown.qr,
        "left_s": shown.left_s,
        "typed": shown.typed,
        "sound": {
            "id": f"{memory.turn}:{shown.screen}:{shown.key}",
            "tone": shown.sound if settings.sound != "off" else "",
            "say": [_texts(text, settings.languages) for text in said] if settings.sound == "speech" else [],
            "volume": settings.volume if loud else settings.quiet_volume,
        },
    }


def _texts(text: Bilingual, languages: Iterable[str]) -> dict[str, str]:
    return {language: getattr(text, language) for language in languages}


def _shown(lane: Lane, memory: Memory, devices: Devices, call: Call | None, now: float) -> _Shown:
    if devices.fire:
        again = str(int(now // FIRE_AGAIN_S))
        return _Shown("fire", "alarm", words.FIRE, (("do", words.FIRE_GATE),), "alarm", (words.FIRE,), again)
    match lane.phase.value:
        case "deciding":
            slow = now - memory.since >= SLOW_S
            return _Shown(
                "reading", "busy", words.READING, (("do", words.MOMENT if slow else words.WAIT_HERE),), "read"
            )
        case "printing":
            return _Shown("printing", "busy", words.PRINTING, _hers(memory), "good", (memory.thanks,))
        case "showing" if (code := _coupon(lane, memory)) is not None:
            left_s = None if lane.deadline is None else max(0, math.ceil(lane.deadline - now))
            if memory.paper == "not_printed":  # whom nobody knows has no page of ours: a picture of it does as well
                lines: Lines = (("do", words.NOT_PRINTED), ("gift", memory.gift), ("do", words.THEN))
                say = (words.NOT_PRINTED, words.PICTURE)
                return _Shown("coupon", "busy", words.PICTURE, lines, "call", say, "not_printed", code, left_s)
            hers = (memory.thanks, words.SCAN_IT)
            return _Shown("coupon", "busy", words.COUPON, _hers(memory)[:2], "good", hers, qr=code, left_s=left_s)
        case "opening" if call is not None and call.reason in ("gate", "help"):
            return _clerk(call, words.GATE_STUCK)
        case "opening" | "showing":
            slow = now - memory.since >= SLOW_S
            lines = (("do", words.MOMENT if slow else words.OPENING), *_brought(memory))
            return _Shown("opening", "good", memory.thanks or words.THANKS, lines)  # a moment; open, it sounds
        case "open" if devices.gate is False:
            # It may have closed meanwhile: nobody is told to walk into a gate that says nothing.
            lines = (("do", words.CHECKING_GATE), *_brought(memory))
            return _Shown("opening", "busy", memory.thanks or words.THANKS, lines, key="gate")
        case "open":
            lines = (("thanks", memory.thanks or words.THANKS), *_brought(memory))
            return _Shown("pass", "good", words.PASS, lines, "pass", (memory.thanks, _taken(memory), words.PASS))
    return _idle(memory, devices, call)


_STILL_THERE = {"no_decision": words.NO_DECISION, "gate": words.GATE_STUCK}
"""Whom the lane did not let out waits for the clerk. Whom the gate let go (`stuck`) has most likely gone."""


def _idle(memory: Memory, devices: Devices, call: Call | None) -> _Shown:
    if memory.refused:
        why = memory.why or words.refusal(memory.refused)
        return _Shown("refused", "stop", words.REFUSED, (("do", why),), "bad", (why,), memory.refused)
    if call is not None and call.reason == "help":
        return _clerk(call, None)
    match memory.ended:
        case "let_go":
            head = memory.thanks or words.THANKS
            say = (head, _taken(memory))
            return _Shown("thanks", "good", head, (*_brought(memory), ("do", words.AGAIN)), "good", say)
        case "gate_fault" if call is None and devices.gate and devices.reader:
            return _again()  # it works again, and nobody is called any more
        case "no_decision" | "gate_fault":
            why = words.NO_DECISION if memory.ended == "no_decision" else words.GATE_STUCK
            return _clerk(call or Call(memory.ended, "nobody"), why)
    unread = devices.reader is False and not (devices.keypad or devices.nfc)
    if not (devices.disk and devices.hub) or unread or devices.gate is False:
        return _Shown("out_of_order", "stop", words.OUT_OF_ORDER, (("do", words.OTHER_LANE),))
    if call is not None and call.reason in _STILL_THERE:
        return _clerk(call, _STILL_THERE[call.reason])
    if devices.reader is None or devices.gate is None:
        return _Shown("starting", "calm", words.STARTING)
    return _again() if memory.ended == "again" and devices.reader else _waiting(devices)


def _again() -> _Shown:
    """A fault came between: what she has held up opens once more."""
    return _Shown(
        "waiting", "calm", words.HOLD_AGAIN, (("do", words.STILL_GOOD),), "read", (words.HOLD_AGAIN,), "again"
    )


def _waiting(devices: Devices) -> _Shown:
    others = (("do", words.OR_TOUCH if devices.nfc else None), ("do", words.OR_TYPE if devices.keypad else None))
    if devices.reader:
        return _Shown("waiting", "calm", words.WAITING, others)
    if devices.nfc:
        return _Shown("waiting", "calm", words.TOUCH, others[1:], key="nfc")
    return _Shown("waiting", "calm", words.TYPE, key="keypad")


def _coupon(lane: Lane, memory: Memory) -> str | None:
    """The code that she is shown; after a restart of the agent from what the lane has kept."""
    return memory.code or (f"COUPON:{lane.incentive.coupon}" if lane.incentive is not None else None)


def _hers(memory: Memory) -> Lines:
    return ("thanks", memory.thanks), ("gift", memory.gift), ("rank", memory.rank)


def _brought(memory: Memory) -> Lines:
    """What she has got, and how far it is to more."""
    gift = None if memory.paper == "printed" else memory.gift  # it stands on the paper
    return ("do", _taken(memory)), ("gift", gift), ("rank", memory.rank)


def _taken(memory: Memory) -> Bilingual | None:
    return {"printed": words.TAKE, "not_printed": words.SENT, "unread": words.ASK}.get(memory.paper)


def _clerk(call: Call, why: Bilingual | None) -> _Shown:
    if call.state == "nobody":
        return _Shown(
            "clerk", "stop", words.CLERK, (("do", why), ("do", words.SORRY)), "call", (words.CLERK,), "nobody"
        )
    head = words.COMING if call.state == "coming" else words.CALLED
    return _Shown("clerk", "stop", head, (("do", words.WAIT_HERE), ("do", why)), "call", (why, head), call.state)
