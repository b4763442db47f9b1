"""Letters: addresses and lines as headers take them, and the one way to the store's mail server (SMTP, RFC 5321).

What people have written (names, titles) goes into headers as one line without control characters.
"""

from __future__ import annotations

import re
import ssl
import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib
from aiosmtplib import SMTPException

from config.member_settings import MailSettings

POLICY = SMTP.clone(cte_type="7bit")
"""Every server takes it (RFC 5321 without 8BITMIME, RFC 6532)."""
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


class NoAddress(ValueError):
    """There is no address that a letter can go to; the sentence doesn't hold it."""

    def __init__(self) -> None:
        super().__init__("there is no e-mail address that a letter can go to")


def mailbox(name: str, address: str) -> Address:
    """A name (one line) and an address for `From` or `To`. Raises NoAddress."""
    local, at, _ = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or ".." in local or local.strip(".") != local:
        raise NoAddress
    return Address(display_name=name, username=local, domain=domain_of(address))


def domain_of(address: str) -> str:
    """The domain of an address as it stands in DNS. Raises NoAddress."""
    try:
        plain = address.rpartition("@")[2].encode("idna").decode()
    except UnicodeError:
        plain = ""
    if not _DOMAIN.fullmatch(plain) or len(plain) > 253:
        raise NoAddress
    return plain


def one_line(text: str) -> str:
    """What people have written, for a header: no control characters, no line ends, at most 100 characters. And no encoded words
    (RFC 2047): `email` reads them when a header is set, line ends in them and all."""
    plain = "".join(" " if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") else sign for sign in text)
    return " ".join(plain.split())[:100].replace("=?", "= ?")


async def deliver(settings: MailSettings, password: str, made: EmailMessage, tls: ssl.SSLContext | None = None) -> None:
    """Hand a letter to the store's mail server; `tls` for tests, without it the machine's certificates.

    Raises SMTPException, OSError, ValueError; then the server has not taken it.
    """
    taken = False
    try:
        client = aiosmtplib.SMTP(
            hostname=settings.host, port=settings.port, timeout=settings.timeout_s, username=settings.username,
            password=password or None, use_tls=settings.security == "tls", start_tls=settings.security == "starttls",
            tls_context=tls, local_hostname=settings.sender.rpartition("@")[2],
        )  # fmt: skip
        async with client:
            await client.sendmail(settings.sender, [made["To"].addresses[0].addr_spec], made.as_bytes())
            taken = True
    except (SMTPException, OSError, ValueError):
        if not taken:  # else the server went away before it said good-bye
            raise
