"""For whoever sets up giving: a letter that is a trial, and what waits or has failed. Beside a running hub, changes nothing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from config.hub_settings import load_hub
from config.load import SettingsError
from config.words import Words
from delivery.journal import Journal
from hub.database import givings
from hub.database.schema import MIGRATIONS
from hub.giving.mail import MailWay
from hub.giving.service import sender_of
from hub.giving.ways import Parcel, Result

TEXT = Words(ja="設定確認のためのメールです。", en="This letter shows that letters arrive.")
TITLE = Words(ja="お試しのクーポン(ご利用いただけません)", en="A trial coupon, worth nothing")


async def try_letter(settings_file: Path, to: str, language: Literal["ja", "en"]) -> Result:
    """Send a letter as a customer would get it, with a code that no till takes. Raises SettingsError."""
    settings = load_hub(settings_file)
    mail = settings.members.mail
    if mail is None:
        raise SettingsError(settings_file, ["members.mail: is not set; coupons don't go by e-mail"])
    now = datetime.now(UTC)
    parcel = Parcel(
        "K0000TEST0000", "test", "", language, to, TITLE, TEXT, now, now + timedelta(days=1), secrets.token_hex(16), 1
    )
    way = MailWay(mail, mail.secret(settings_file), sender_of(settings), lambda: datetime.now(UTC))
    return await way.bring(parcel)


@dataclass(frozen=True, slots=True)
class Open:
    """A way that waits or has failed. Names nobody."""

    coupon: str
    way: str
    state: str
    tries: int
    changed: str
    detail: str


def open_ways(settings_file: Path, most: int = 200) -> list[Open]:
    """The newest first. Raises SettingsError, JournalError."""
    journal = Journal(load_hub(settings_file).database, MIGRATIONS)
    try:
        return [Open(*row) for row in givings.open_ways(journal.db, most)]
    finally:
        journal.close()
