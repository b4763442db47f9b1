"""What all payloads are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""An identifier that is safe as one level of a topic: 1 to 64 letters, digits, `_`, `.`, `-`."""
MessageId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=500)]
Count = Annotated[int, Field(ge=0, le=2**53)]
"""2^53 is the largest whole number that every JSON reader keeps exactly."""
Counters = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Count], Field(max_length=64)]


class Payload(BaseModel):
    """Base of all payloads: immutable; extra fields from a newer sender are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Bilingual(Payload):
    """A text for customers and clerks in both languages of the store."""

    ja: Text
    en: Text
