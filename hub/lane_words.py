"""What a lane's display says to one customer, in both languages: the words of messages.toml, filled. Pure."""

from __future__ import annotations

from config.rules import MessagesFile
from config.words import Words
from contract.payloads import Bilingual
from hub.database.customers import Customer
from hub.database.lanes import IncentiveRow


def name(messages: MessagesFile, customer: Customer | None, language: str) -> str:
    """How the customer is called; who is not known gets the word for that."""
    anonymous = messages.anonymous
    return (customer.name if customer else "") or (anonymous.en if language == "en" else anonymous.ja)


def show(messages: MessagesFile, customer: Customer | None, row: IncentiveRow | None) -> Bilingual:
    """Thanks in one sentence, with what is given."""
    texts = messages.lane
    if row is None:
        words = texts.thanks
    elif row.paper == "printed":
        words = texts.already_printed
    else:
        words = texts.thanks_coupon if row.give == "print" else texts.thanks_electronic
    return _fill(messages, customer, words, (row.title_ja, row.title_en) if row else ("", ""))


def refused(messages: MessagesFile, customer: Customer | None, reason: str) -> Bilingual:
    """Why the gate stays closed, and what to do."""
    texts = messages.lane
    words = {"already_used": texts.already_used, "unknown_sale": texts.unknown_sale, "expired": texts.expired}
    return _fill(messages, customer, words.get(reason, texts.not_valid), ("", ""))


def _fill(messages: MessagesFile, customer: Customer | None, words: Words, titles: tuple[str, str]) -> Bilingual:
    return Bilingual(
        ja=words.fill(name=name(messages, customer, "ja"), title=titles[0]).ja,
        en=words.fill(name=name(messages, customer, "en"), title=titles[1]).en,
    )
