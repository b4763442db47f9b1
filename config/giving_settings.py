"""The `[giving]` and `[push]` sections of the hub's settings: how coupons reach customers who are not at a printer (row B9)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from config.load import Section

GivingWay = Literal["app", "push", "email"]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=253)]


class GivingSettings(Section):
    """Ways, in the order in which they are tried, where an incentive names none."""

    ways: Annotated[tuple[GivingWay, ...], Field(min_length=1, max_length=3)] = ("app", "push", "email")
    """E-mail needs [members.mail], push needs [push]; without them they are left out."""
    app_wait_s: Annotated[float, Field(ge=5, le=86_400)] = 60.0
    """So long a terminal may take to keep a coupon before the next way is tried too."""
    give_up_hours: Annotated[float, Field(ge=0.1, le=720)] = 24.0
    """A letter or a notification that could not be sent for so long is given up."""
    kept_days: Annotated[int, Field(ge=30, le=3660)] = 90
    """How a coupon was brought is forgotten after so long; the link in a letter works as long (RFC 8058 wants 30 days)."""
    public_url: str | None = None
    """Where members reach the hub, such as https://shop.example. None: letters have no links."""

    @field_validator("ways")
    @classmethod
    def _once(cls, ways: tuple[GivingWay, ...]) -> tuple[GivingWay, ...]:
        if len(set(ways)) != len(ways):
            raise ValueError("a way stands here twice")
        return ways

    @field_validator("public_url")
    @classmethod
    def _https(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https://[^/\s?#@]+(?:/[^\s?#]*)?", url):
            raise ValueError("is no https address of the hub, such as https://shop.example")
        return url.rstrip("/") if url is not None else None


class PushSettings(Section):
    """Web push (RFC 8030, 8291, 8292)."""

    key_file: Path = Path("push-key.pem")
    """The store's own key (VAPID), a P-256 private key in PEM; made if it is not there. A new one ends all subscriptions."""
    contact: Annotated[str, StringConstraints(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://\S+)$", max_length=200)]
    """Whom a push service asks when something is wrong: mailto:… or https://…"""
    services: Annotated[tuple[Host, ...], Field(min_length=1, max_length=50)] = (
        "fcm.googleapis.com",
        "*.push.services.mozilla.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    )
    """Hosts of push services that browsers may name; `*.` stands for any part before. To others nothing is sent."""
    ttl_hours: Annotated[float, Field(ge=0.1, le=672)] = 24.0
    """So long a push service keeps a notification for a terminal that is off."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 15.0
