"""How the display sounds, when it is quiet, and in which languages it speaks (row B10)."""

from __future__ import annotations

from typing import Any

import pytest

from config.display_settings import DisplaySettings
from edge.display import words
from tests.display.customers import THANKS, WAYS, Play
from tests.display.seen import seen, texts

pytestmark = pytest.mark.row("B10")


# --- sound


def sounds(shown: dict[str, Any]) -> tuple[str, int]:
    return shown["sound"]["id"], len(shown["sound"]["say"])


def test_the_same_screen_of_the_same_customer_is_the_same_sound() -> None:
    play = Play().scanned()
    first = seen(play)["sound"]["id"]
    assert seen(play.after(1))["sound"]["id"] == first
    play.decided(give="display")
    showing = seen(play)["sound"]["id"]
    assert showing != first
    assert seen(play.after(5))["sound"]["id"] == showing  # while seconds count down
    play.read().opened().passed().scanned("agent-x.e.2")
    assert seen(play)["sound"]["id"] not in (first, showing)


@pytest.mark.parametrize(("sound", "tone", "said"), [("speech", "pass", 2), ("tones", "pass", 0), ("off", "", 0)])
def test_as_much_sound_as_is_set(sound: str, tone: str, said: int) -> None:
    shown = seen(WAYS["open"](Play()), sound=sound)
    assert (shown["sound"]["tone"], len(shown["sound"]["say"])) == (tone, said)


def test_the_name_is_shown_but_not_spoken_if_so_set() -> None:
    shown = seen(WAYS["open"](Play()), say_name=False)
    assert shown["lines"][0]["text"] == THANKS.model_dump()
    assert shown["sound"]["say"][0] == words.THANKS.model_dump()


@pytest.mark.parametrize(
    ("hours", "minute", "volume"),
    [
        ("21:00-09:30", 20 * 60 + 59, 80),
        ("21:00-09:30", 21 * 60, 10),
        ("21:00-09:30", 0, 10),
        ("21:00-09:30", 9 * 60 + 29, 10),
        ("21:00-09:30", 9 * 60 + 30, 80),
        ("12:00-13:00", 12 * 60, 10),
        ("12:00-13:00", 13 * 60, 80),
        ("12:00-12:00", 12 * 60, 80),
    ],
)
def test_quiet_hours(hours: str, minute: int, volume: int) -> None:
    shown = seen(WAYS["open"](Play()), minute=minute, quiet=(hours,), quiet_volume=10)
    assert shown["sound"]["volume"] == volume


@pytest.mark.parametrize("languages", [("ja",), ("en",), ("en", "ja")])
def test_languages_as_set_in_their_order(languages: tuple[str, ...]) -> None:
    shown = seen(WAYS["open"](Play()), languages=languages)
    assert all(tuple(text) == languages for text in [*texts(shown), *shown["sound"]["say"]])


@pytest.mark.parametrize("bad", ["25:00-26:00", "9:00-10:00", "09:00", "09:60-10:00"])
def test_hours_that_are_none(bad: str) -> None:
    with pytest.raises(ValueError, match="quiet"):
        DisplaySettings(quiet=(bad,))
    with pytest.raises(ValueError, match="twice"):
        DisplaySettings(languages=("ja", "ja"))
