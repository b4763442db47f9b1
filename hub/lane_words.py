"""What a lane's display says to one customer, in both languages: the words of messages.toml, filled. Pure."""

from __future__ import annotations

from config.rules import MessagesFile
from config.words import Words
from contract.payloads import Bilingual, LaneScreen
from hub.database.customers import Customer
from hub.database.lanes import IncentiveRow
from hub.money import money
from hub.rules.next_rank import NextRank


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


def screen(messages: MessagesFile, customer: Customer | None, row: IncentiveRow | None, up: NextRank | None,
           currency: str) -> LaneScreen:  # fmt: skip
    """Everything that the display says to a customer who may leave: thanks, the way to the next rank, what is given (row B10)."""
    titles = (row.title_ja, row.title_en) if row else ("", "")
    gift = messages.lane.gift_points if row is not None and row.kind == "points" else messages.lane.gift
    already = row is not None and row.paper == "printed"  # it is in her hand
    return LaneScreen(
        thanks=_fill(messages, customer, messages.lane.thanks, titles),
        rank=_rank(messages, customer, up, currency) if up is not None and customer is not None else None,
        gift=_fill(messages, customer, gift, titles) if row is not None and not already else None,
        coupon_code=f"COUPON:{row.coupon}" if row is not None and row.give == "display" else None,
    )


def _rank(messages: MessagesFile, customer: Customer, up: NextRank, currency: str) -> Bilingual:
    texts, period = (
        messages.lane,
        {"this_month": messages.lane.period.this_month, "this_year": messages.lane.period.this_year},
    )
    words = (
        texts.rank_by_money
        if up.more_minor
        else texts.rank_by_visits
        if up.more_visits > 1
        else texts.rank_by_one_visit
    )
    amount, until = money(up.more_minor, currency), period.get(up.period)
    said = {
        language: words.fill(
            name=name(messages, customer, language),
            rank=getattr(up.rank.label, language),
            amount=getattr(amount, language),
            visits=up.more_visits,
            period=getattr(until, language) if until is not None else "",
        )
        for language in ("ja", "en")
    }
    return Bilingual(ja=said["ja"].ja, en=" ".join(said["en"].en.split()))  # without a period there are two spaces


def refused(messages: MessagesFile, customer: Customer | None, reason: str) -> Bilingual:
    """Why the gate stays closed, and what to do."""
    texts = messages.lane
    words = {"already_used": texts.already_used, "in_use": texts.in_use, "unknown_sale": texts.unknown_sale,
             "expired": texts.expired}  # fmt: skip
    return _fill(messages, customer, words.get(reason, texts.not_valid), ("", ""))


def _fill(messages: MessagesFile, customer: Customer | None, words: Words, titles: tuple[str, str]) -> Bilingual:
    return Bilingual(
        ja=words.fill(name=name(messages, customer, "ja"), title=titles[0]).ja,
        en=words.fill(name=name(messages, customer, "en"), title=titles[1]).en,
    )
