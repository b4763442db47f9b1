"""What the hub has a lane's display say: thanks, the way to the next rank, the gift, the coupon's code (row B10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.load import SettingsError, load
from config.rules import MessagesFile, Rank
from config.words import Words
from hub import lane_words
from hub.rules.next_rank import NextRank

pytestmark = pytest.mark.row("B10")

SHIPPED = Path(__file__).parents[2] / "config" / "shipped" / "messages.toml"
GOLD = Rank(name="gold", when="spent >= 1", label=Words(ja="ゴールド", en="Gold"))


@pytest.fixture(scope="module")
def messages() -> MessagesFile:
    return load(SHIPPED, MessagesFile)


def screen_of(store: Any, **sale: Any) -> Any:
    (decision,) = store.scan(store.sell(**sale).exit_code)
    return decision.data.screen


def test_thanks_by_name_gift_and_the_way_up(store: Any) -> None:
    screen = screen_of(store, amount=970_000)
    assert screen.thanks.ja == "山田 花子様、ありがとうございました。"
    assert screen.gift.ja.startswith("次回のお買い物に「")
    assert screen.gift.en.startswith("For your next purchase: ")
    assert screen.rank.ja == "あと30,000円のご購入で、プラチナ会員になられます。"
    assert screen.rank.en == "30,000 yen more and you reach Platinum."
    assert screen.coupon_code is None


def test_the_purchase_just_paid_counts_for_the_way_up(store: Any) -> None:
    amounts = []
    for sale, amount in (("S-1", 980_000), ("S-2", 2000)):
        (decision,) = store.scan(store.sell(sale, amount).exit_code, sale=sale, id=f"scan-{sale}")
        amounts.append(int(decision.data.screen.rank.en.split(" yen")[0].replace(",", "")))
        store.passage(scan=f"scan-{sale}")
    assert amounts[0] - amounts[1] == 2000


def test_a_rank_that_is_far_away_is_not_spoken_of(store: Any) -> None:
    assert screen_of(store, amount=5000).rank is None


def test_who_is_not_known_is_thanked_and_told_nothing_of_ranks(store: Any) -> None:
    screen = screen_of(store, customer=None)
    assert (screen.thanks.ja, screen.rank) == ("お客様、ありがとうございました。", None)


def test_a_refusal_has_no_screen(store: Any) -> None:
    code = store.sell().exit_code
    store.scan(code)
    store.passage()
    (decision,) = store.scan(code, id="scan-2")
    assert (decision.data.outcome, decision.data.screen) == ("refuse", None)


def made(messages: MessagesFile, up: NextRank | None, currency: str = "JPY", customer: Any = None) -> Any:
    class Known:
        name, language = "佐藤", "ja"

    return lane_words.screen(messages, customer or Known(), None, up, currency)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("up", "ja", "en"),
    [
        (NextRank(GOLD, 2000, 0, "this_month"), "今月あと2,000円のご購入で、ゴールド会員になられます。",
         "2,000 yen more this month and you reach Gold."),
        (NextRank(GOLD, 2000, 0, "this_year"), "今年あと2,000円のご購入で、ゴールド会員になられます。",
         "2,000 yen more this year and you reach Gold."),
        (NextRank(GOLD, 12), "あと12円のご購入で、ゴールド会員になられます。", "12 yen more and you reach Gold."),
        (NextRank(GOLD, 0, 3), "あと3回のご購入で、ゴールド会員になられます。", "3 more purchases and you reach Gold."),
        (NextRank(GOLD, 0, 1, "this_month"), "今月あと1回のご購入で、ゴールド会員になられます。",
         "One more purchase this month and you reach Gold."),
    ],
)  # fmt: skip
def test_the_way_up_in_words(messages: MessagesFile, up: NextRank, ja: str, en: str) -> None:
    assert made(messages, up).rank.model_dump() == {"ja": ja, "en": en}


def test_other_money_and_the_highest_rank(messages: MessagesFile) -> None:
    assert made(messages, NextRank(GOLD, 250), "EUR").rank.en == "2.50 EUR more and you reach Gold."
    assert made(messages, None).rank is None


@pytest.mark.parametrize(("kind", "gift"), [("discount", "次回のお買い物に「品」"), ("points", "「品」を差し上げます")])
@pytest.mark.parametrize(("give", "code"), [("print", None), ("display", "COUPON:K1"), ("electronic", None)])
def test_the_gift_and_the_code_of_a_coupon_for_the_display(
    messages: MessagesFile, kind: str, gift: str, give: str, code: str | None
) -> None:
    class Row:
        coupon, title_ja, title_en, paper = "K1", "品", "Thing", ""

    Row.kind, Row.give = kind, give  # type: ignore[attr-defined]
    screen = lane_words.screen(messages, None, Row(), None, "JPY")  # type: ignore[arg-type]
    assert (screen.gift.ja, screen.coupon_code) == (gift, code)  # type: ignore[union-attr]
    Row.paper = "printed"
    assert lane_words.screen(messages, None, Row(), None, "JPY").gift is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{amount} more {period}", "{amont} more {period}", "nothing can fill {amont}"),
        ('this_month = { ja = "今月", en = "this month" }', 'this_month = { ja = "今月" }', "period.this_month.en"),
        ('"You receive: {title}"', '"You receive: {rank}"', "nothing can fill {rank}"),
    ],
)
def test_a_mistake_in_the_words_is_found_at_load(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "messages.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=problem.replace("{", r"\{")):
        load(path, MessagesFile)


def test_a_file_of_before_has_words_for_all_of_it(tmp_path: Path) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    old = [line for line in lines if not line.startswith(("rank_", "gift", "this_", "[lane.period]"))]
    path = tmp_path / "messages.toml"
    path.write_text("\n".join(old), encoding="utf-8")
    assert load(path, MessagesFile).lane == load(SHIPPED, MessagesFile).lane
