"""The way by e-mail: one letter a coupon, over SMTP (RFC 5321) with TLS as the settings want it.

A letter is given up when the server refuses it for good (5xx to sender, recipient or content). Whatever concerns the
connection (refused, cut, a TLS fault, a password that is wrong) is tried again: the store can mend it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from config.member_settings import MailSettings
from hub.database.consents import Purpose
from hub.giving.letter import Sender, letter
from hub.giving.ways import Later, Never, Parcel, Result, Sent
from hub.mail import NoAddress, deliver

_LETTER = (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
"""What a server says to this letter; anything else is about the connection."""
_SIGN_IN = (530, 534, 535, 538)
"""RFC 4954: the server wants another sign-in; the letter is not at fault."""


class MailWay:
    """`tls`: for tests; without, the machine's certificates."""

    name = "email"
    purpose = Purpose.EMAIL

    def __init__(self, settings: MailSettings, password: str, sender: Sender, clock: Callable[[], datetime],
                 tls: ssl.SSLContext | None = None) -> None:  # fmt: skip
        self._settings, self._password, self._sender, self._clock, self._tls = settings, password, sender, clock, tls

    async def bring(self, parcel: Parcel) -> Result:
        try:
            made = letter(parcel, self._sender, self._clock())
        except NoAddress as error:
            return Never(str(error))
        settings = self._settings
        try:
            await deliver(settings, self._password, made, self._tls)
        except SMTPRecipientsRefused as refused:
            return _said(refused.recipients[0])
        except _LETTER as said:
            return _said(said)
        except SMTPResponseException as said:
            return Later(f"the mail server answered {said.code} before it was asked to take a letter")
        except (SMTPException, OSError, ValueError) as error:  # type only: a sentence may quote an address
            return Later(f"the mail server at {settings.host}:{settings.port}: {type(error).__name__}")
        return Sent("the mail server has taken it")


def _said(said: SMTPResponseException) -> Result:
    """RFC 5321, section 4.2.1: 5 is for good, 4 for now. The server's sentence is left out: it may quote the address."""
    text = f"the mail server answered {said.code} to the letter"
    return Never(text) if said.code >= 500 and said.code not in _SIGN_IN else Later(text)
