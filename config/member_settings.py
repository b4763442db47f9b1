"""The `[members]` section of the hub's settings, and the texts that members agree to (a TOML file of the store's own)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from config.load import Section, SettingsError, read_toml, resolve
from config.load import parse as parse_toml
from config.words import Words

Long = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class CircleSettings(Section):
    """The store as a circle (WGS 84). A terminal compares its own position with it and tells only whether it is inside."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    radius_m: Annotated[float, Field(ge=20, le=5000)]


class MailSettings(Section):
    """The SMTP server that takes our e-mails. Without it a person gets back to her record at the counter only."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    sender: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 15.0

    @model_validator(mode="after")
    def _both_or_none(self) -> MailSettings:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together")
        if self.username is not None and self.security == "none":
            raise ValueError('a password is not sent in the clear: choose security = "starttls" or "tls"')
        return self

    def secret(self, settings_file: Path) -> str:
        """The password; "" without one. Raises SettingsError when its file can't be read."""
        if self.password_file is None:
            return ""
        path = resolve(settings_file, self.password_file)
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(settings_file, [f"members.mail.password_file: {path}: {error.strerror}"]) from None


class MembersSettings(Section):
    """Members who register by themselves (row A2)."""

    consents: Path | None = None
    """The texts that members agree to; None: the shipped ones."""
    circle: CircleSettings | None = None
    """None: no terminal is asked whether it is in the store."""
    mail: MailSettings | None = None
    registrations_per_minute: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    """From one address; all the phones in a store's wireless network may have the same."""
    claim_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """How long a number at the counter, or a code from an e-mail, holds."""


class Wording(Section):
    """What a member agrees to for one purpose. A change of the text needs a new `id`: consents keep the one they were given to."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: Words
    text: LongWords


class LongWords(Section):
    ja: Long
    en: Long


class Consents(Section):
    """One text for each purpose (`hub.database.consents.Purpose`)."""

    service: Wording
    sensing: Wording
    position: Wording
    face: Wording
    coupons: Wording
    email: Wording
    push: Wording


Wording.model_rebuild()
Consents.model_rebuild()
SHIPPED = Path(__file__).parent / "shipped" / "consents.toml"


def load_consents(path: Path | None) -> Consents:
    """The texts of `path`, or the shipped ones. Raises SettingsError."""
    shipped = read_toml(SHIPPED)
    if path is None:
        return parse_toml(shipped, Consents, SHIPPED)
    own = read_toml(path)
    since = {name: shipped[name] for name in ("email", "push") if name not in own}  # an older file doesn't have these
    return parse_toml({**own, **since}, Consents, path)
