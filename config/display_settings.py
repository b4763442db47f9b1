"""Settings of the lanes' displays, section [display] of an edge agent's file (row B10). docs/display.md"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from config.load import Section

Language = Literal["ja", "en"]
Hours = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
"""From one minute of the day to another, of this machine's clock; over midnight too: 21:00-09:30."""


class DisplaySettings(Section):
    """The page of each lane, at http://127.0.0.1:{port}/lane/{lane}. This machine alone can open it."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    """0: any free port (tests)."""
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=2)] = ("ja", "en")
    """What is shown; the first is larger and is spoken first."""
    arrow: Literal["up", "left", "right"] = "up"
    """Where the gate is, seen by who looks at the display: up is straight on."""
    name_s: Annotated[float, Field(ge=0, le=60)] = 10.0
    """So long after the hub's decision a customer's name and her way to the next rank may be read at most. 0: never."""
    sound: Literal["speech", "tones", "off"] = "speech"
    """`speech`: tones, and words where the machine has a voice for the language."""
    say_name: bool = True
    """Speak the customer's name, as the display shows it."""
    volume: Annotated[int, Field(ge=0, le=100)] = 80
    quiet: Annotated[tuple[Hours, ...], Field(max_length=10)] = ()
    """Hours in which `quiet_volume` holds. A fire alarm sounds at all hours."""
    quiet_volume: Annotated[int, Field(ge=0, le=100)] = 0

    @field_validator("languages")
    @classmethod
    def _once(cls, value: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a language stands here twice")
        return value

    def is_quiet(self, minute: int) -> bool:
        """Whether quiet hours hold at this minute of the day (0 to 1439)."""
        for hours in self.quiet:
            begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
            within = begin <= minute < end if begin <= end else minute >= begin or minute < end
            if within:
                return True
        return False
