"""The letter that brings a coupon: text and HTML in the customer's language, the code for the till as a picture in it. Pure.

What people have written (names, titles) goes into headers as one line without control characters, and into HTML escaped.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from io import BytesIO
from zoneinfo import ZoneInfo

import segno

from config.words import Words
from hub.giving.ways import Parcel
from hub.mail import POLICY, domain_of, mailbox, one_line

_SUBJECT = {"ja": "{store}:クーポン「{title}」", "en": "{store}: your coupon, {title}"}
_TEXT = {
    "ja": """{name}様

{store}をご利用いただき、ありがとうございます。クーポンをお届けします。

    {title}
    {text}
    クーポン番号 {code}
    有効期限 {until}

お会計のときに、この番号かQRコードをお見せください。ご利用は1回限りです。
紙や画面で同じ番号のクーポンをお持ちの場合も、あわせて1回です。
{link}
――
{store}。このメールは、クーポンのメール配信に同意された方にお送りしています。
{stop}""",
    "en": """Dear {name},

thank you for shopping at {store}. Here is a coupon for you:

    {title}
    {text}
    Coupon number {code}
    Valid until {until}

Show the number or the QR code when you pay. It can be used once, also if you have the same number on paper or on a screen.
{link}
--
{store}. You get this letter because you agreed to coupons by e-mail.
{stop}""",
}
_LINK = {"ja": "お手持ちのクーポン: {url}\n", "en": "All your coupons: {url}\n"}
_STOP = {"ja": "配信の停止: {url}\n", "en": "No more such letters: {url}\n"}
_HTML = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family:sans-serif;color:#222;max-width:32em;margin:0 auto;padding:1em;overflow-wrap:anywhere">
{before}
<div style="border:1px solid #999;border-radius:8px;padding:1em;text-align:center">
<p style="font-size:1.4em;margin:.2em"><strong>{title}</strong></p>
<p style="margin:.2em">{text}</p>
<p><img src="cid:{picture}" alt="{code}" width="232" height="232" style="image-rendering:pixelated"></p>
<p style="font-family:monospace;font-size:1.2em;margin:.2em">{code}</p>
<p style="margin:.2em">{valid}</p>
</div>
{after}
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the store, its address, and where members reach the hub, if letters may have links."""

    store: Words
    address: str
    zone: ZoneInfo
    public_url: str | None = None


def letter(parcel: Parcel, sender: Sender, now: datetime) -> EmailMessage:
    """The letter of a coupon. Its Message-ID is the same at each try. Raises NoAddress."""
    language = parcel.language
    store, title = one_line(getattr(sender.store, language)), one_line(getattr(parcel.title, language))
    until = parcel.valid_until.astimezone(sender.zone).strftime("%Y-%m-%d")
    name = one_line(parcel.name) or ("お客" if language == "ja" else "customer")
    stop = f"{sender.public_url}/member/unsubscribe/{parcel.secret}" if sender.public_url else None
    words = {
        "name": name, "store": store, "title": title, "text": one_line(getattr(parcel.text, language)), "code": parcel.coupon, "until": until,
        "link": _LINK[language].format(url=f"{sender.public_url}/member/") if sender.public_url else "",
        "stop": _STOP[language].format(url=stop) if stop else "",
    }  # fmt: skip
    made = EmailMessage(policy=POLICY)
    made["From"] = mailbox(store, sender.address)
    made["To"] = mailbox(one_line(parcel.name), parcel.email)
    made["Subject"] = _SUBJECT[language].format(**words)
    made["Date"] = format_datetime(now)
    made["Message-ID"] = message_id(parcel.secret, sender.address)
    made["Auto-Submitted"] = "auto-generated"
    mailto = f"<mailto:{sender.address}?subject=unsubscribe>"
    made["List-Unsubscribe"] = f"<{stop}>, {mailto}" if stop else mailto
    if stop:
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    text = _TEXT[language].format(**words)
    made.set_content(text)
    picture = f"code-{parcel.secret[:16]}"
    made.add_alternative(_html(text, words, language, picture), subtype="html")
    _, html = made.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(
        png(parcel.coupon), "image", "png", cid=f"<{picture}>", filename="coupon.png", disposition="inline"
    )
    made["Content-Language"] = language  # last: what is content so far would move into its first part
    return made


def message_id(secret: str, address: str) -> str:
    """Fixed for a coupon's letter, and tells nothing of what the link in it holds."""
    return f"<coupon.{hashlib.sha256(secret.encode()).hexdigest()[:32]}@{domain_of(address)}>"


def _html(text: str, words: dict[str, str], language: str, picture: str) -> str:
    before, _, rest = text.partition("    " + words["title"])
    number, _, after = rest.partition(words["until"])
    valid = number.splitlines()[-1].strip()
    return _HTML.format(language=language, title=escape(words["title"]), text=escape(words["text"]), code=escape(words["code"]), picture=picture,
                        valid=escape(f"{valid} {words['until']}"), before=_paragraphs(before), after=_paragraphs(after))  # fmt: skip


def _paragraphs(text: str) -> str:
    parts = [part.strip() for part in text.split("\n\n")]
    return "\n".join(f"<p>{_linked(escape(part)).replace(chr(10), '<br>')}</p>" for part in parts if part)


def _linked(text: str) -> str:
    return re.sub(r"https://[^\s<]+", lambda found: f'<a href="{found[0]}">{found[0]}</a>', text)


def png(text: str) -> bytes:
    """A QR code with its quiet zone, as the printed slip has it: level M, upper-case codes in alphanumeric mode."""
    picture = BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="png", scale=8, border=4)
    return picture.getvalue()
