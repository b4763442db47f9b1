"""Keys, lines, sentences and the drawn screen."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from contract.payloads import Bilingual, CustomerCard
from handheld import words
from handheld.alert_book import AlertBook
from handheld.inbox import BadNews, Inbox
from handheld.keys import Command, Keys, Lines, NotUnderstood
from handheld.screen import Scene, draw
from tests.handheld.far_end import STORE, alert, encoded, full_alert, lane_alert


def drawn(
    own: AlertBook, language: words.Language = "ja", trouble: Bilingual | None = None, hub: bool | None = True
) -> str:
    console = Console(file=io.StringIO(), width=78, force_terminal=False)
    console.print(draw(Scene("c01", STORE, own.rows(10), "a1", 10, trouble, hub, 2, None, language)))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.row("A7", "A12")
def test_the_screen_names_the_customer_in_both_languages() -> None:
    own = AlertBook("c01")
    own.hear(alert("a1"), "m1", 65, now=10)
    own.hear(alert("a2", kind="special_treatment", role="deputy"), "m2", 5, now=10)
    text = drawn(own)
    for piece in ("佐藤 花子", "ゴールド", "ご来店 42 回", "12,480 ポイント", "紅茶", "1:05", "Hanako Sato has arrived",
                  "接客のお願い", "特別なご対応", "Special treatment", "主担当", "副担当", "▶ 1", "読めない通知 2 件"):  # fmt: skip
        assert piece in text, piece
    assert "42 visits" in drawn(own, "en")


@pytest.mark.row("C6")
def test_the_screen_says_who_took_it() -> None:
    own = AlertBook("c01")
    own.hear(alert("a1", state="accepted", holder="c02"), "m1", 0, now=10)
    assert "Taken by c02" in drawn(own)
    assert "c02 さんが対応中" in drawn(own)


def test_not_connected_stands_on_top() -> None:
    text = drawn(AlertBook("c01"), trouble=words.away("10.0.0.9:1883", "Connection refused"))
    assert "NOT CONNECTED" in text
    assert "10.0.0.9:1883" in text
    assert "Hub away" in drawn(AlertBook("c01"), hub=False)


@pytest.mark.row("A7", "A13", "C6")
def test_the_screen_says_where_she_is_what_she_likes_and_how_it_ended() -> None:
    own = AlertBook("c01")
    own.hear(full_alert("a1", role="group"), "m1", 0, now=10)
    text = drawn(own)
    for part in (
        "応援のお願い",
        "場所: 2階 婦人服",
        "お好み: 紺色、シルク",
        "おすすめください: 婦人服 1,000円引き",
        "03-01 ワンピース",
    ):
        assert part in text
    own.hear(full_alert("a1", revision=2, state="closed", holder="c01", outcome="not_found"), "m2", 0, now=10)
    assert "見つかりませんでした" in drawn(own)
    own.hear(full_alert("a2", kind="coupon", state="accepted", holder="c02", holder_name="鈴木 葵"), "m3", 0, now=10)
    assert "鈴木 葵 さんが対応中" in drawn(own)


@pytest.mark.row("B12", "A12")
def test_a_lane_that_calls_is_about_a_place_and_no_customer() -> None:
    own = AlertBook("c01")
    own.hear(lane_alert("l1"), "m1", 0, now=10)
    text = drawn(own)
    for part in (
        "出口の応援",
        "Lane needs a clerk",
        "出口 レーン1 / Exit, lane 1",
        "A clerk is needed at Exit, lane 1",
    ):
        assert part in text, part
    assert "ポイント" not in text
    assert "0 visits" not in drawn(own, "en")


def test_a_name_cannot_command_the_terminal() -> None:
    own = AlertBook("c01")
    own.hear(
        alert("a1", customer=CustomerCard(customer="x", name="[red]a\x1b[2Jb\n\x07", note="\x9b31m")), "m", 0, now=10
    )
    text = drawn(own)
    assert not set(text) & {"\x1b", "\x07", "\x9b"}
    assert "[red]a" in text


def test_keys() -> None:
    assert [c.act for c in Keys().feed(b"\ndsnbq\x1b[A\x1b[Bl")] == [
        "accept", "decline", "served", "not_found", "bought", "quit", "up", "down", "language"]  # type: ignore[union-attr]  # fmt: skip
    assert Keys().feed(b"3") == [Command("accept", row=3)]
    assert Keys().feed("x!\x1b[Zあ\xff".encode()) == []


def test_lines() -> None:
    lines = Lines(as_json=False)
    assert lines.feed(b"2\n\nd") == [Command("accept", row=2), Command("accept")]
    assert lines.feed(b" 2\ns\n") == [Command("decline", row=2), Command("served")]
    assert isinstance(lines.feed(b"what\n")[0], NotUnderstood)
    assert isinstance(lines.feed(b"x" * 5000)[0], NotUnderstood)


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[1]", b'{"alert": 1, "answer": "accept"}', b'{"alert": "a", "answer": "eat"}', b"[" * 3000]
)
def test_json_lines_that_are_none(line: bytes) -> None:
    lines = Lines(as_json=True)
    assert isinstance(lines.feed(line + b"\n")[0], NotUnderstood)
    assert lines.feed(b'{"alert": "a1", "answer": "served"}\n') == [Command("served", alert="a1")]


@pytest.mark.row("A12")
@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (f"instore/{STORE}/clerk/c01/alert", b"no json", "not_json"),
        (f"instore/{STORE}/clerk/c01/alert", b"\xff\xfe", "not_json"),
        (f"instore/{STORE}/clerk/c01/alert", b"{}", "schema"),
        (f"instore/{STORE}/clerk/c01/alert", b" " * 70_000, "too_large"),
        ("somewhere/else", b"{}", "unknown_topic"),
        (f"instore/{STORE}/clerk/c02/alert", encoded(alert(), clerk="c02")[1], "not_mine"),
    ],
)
def test_what_is_broken_or_for_another_clerk_is_counted_and_not_shown(topic: str, payload: bytes, reason: str) -> None:
    own = AlertBook("c01")
    inbox = Inbox(STORE, "c01", own)
    news = inbox.take(topic, payload, 0, datetime.now(UTC))
    assert isinstance(news, BadNews)
    assert news.reason == reason
    assert inbox.refused == {reason: 1}
    assert len(own) == 0
