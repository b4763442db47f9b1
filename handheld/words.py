"""Everything the terminal says to a clerk, in both languages, in one place."""

from __future__ import annotations

from typing import Literal

from contract.payloads import Alert, Bilingual

Language = Literal["ja", "en"]


def _both(ja: str, en: str) -> Bilingual:
    return Bilingual(ja=ja, en=en)


KIND = {
    "service_request": _both("接客のお願い", "Service request"),
    "special_treatment": _both("特別なご対応", "Special treatment"),
    "coupon": _both("クーポンのご案内", "Coupon to offer"),
    "lane": _both("出口の応援", "Lane needs a clerk"),
}
ROLE = {
    "main": _both("主担当", "main clerk"),
    "deputy": _both("副担当", "deputy"),
    "group": _both("応援のお願い", "help wanted"),
}
STATUS = {
    "open": _both("対応してください", "Please attend"),
    "mine": _both("あなたが対応中", "You are attending"),
    "declined": _both("辞退しました(対応に変更できます)", "Declined (you may still accept)"),
    "over": _both("終了しました", "Over"),
}
SENDING = {
    "accept": _both("「対応する」を送信中…", "Sending: accept …"),
    "decline": _both("「辞退」を送信中…", "Sending: decline …"),
    "served": _both("「対応完了」を送信中…", "Sending: served …"),
    "not_found": _both("「見つからない」を送信中…", "Sending: not found …"),
    "bought": _both("「お買い上げ」を送信中…", "Sending: bought …"),
}
OUTCOME = {
    "served": _both("対応完了しました", "Served"),
    "not_found": _both("見つかりませんでした", "Customer not found"),
    "bought": _both("お買い上げになりました", "Served, and bought"),
}
PLACE = _both("場所: {place}", "Where: {place}")
PREFERENCES = _both("お好み: {what}", "Likes: {what}")
RECOMMEND = _both("おすすめください: {title}", "Please recommend: {title}")
BOUGHT = _both("最近のお買い上げ", "Last purchases")
WAITING = _both("お待たせ", "waiting")
VISITS = _both("ご来店 {n} 回", "{n} visits")
POINTS = _both("{n} ポイント", "{n} points")
NONE = _both("現在お願いはありません。", "Nothing to do now.")
HUB_AWAY_TITLE = _both("店舗システム停止中", "Hub away")
HUB_AWAY = _both(
    "店舗システムが停止しています。新しいお願いは届きません。", "The store's hub is away: no new requests will come."
)
KEYS = _both(
    "Enter・数字: 対応する  d: 辞退  s: 対応完了  b: お買い上げ  n: 見つからない  ↑↓: 選ぶ  l: English  q: 終了",
    "Enter or number: accept  d: decline  s: served  b: bought  n: not found  ↑↓: select  l: 日本語  q: quit",
)
CONNECTED = _both("接続中", "Connected")
NOT_CONNECTED = _both("未接続", "NOT CONNECTED")
CONNECTING = _both("接続しています…", "Connecting …")
BAD_MESSAGES = _both("読めない通知 {n} 件", "{n} messages not understood")
NOT_NOW = _both("いまはその操作はできません。", "That is not possible now.")


def taken(alert: Alert) -> Bilingual:
    """Who holds it."""
    if alert.holder is None:
        return _both("他の担当者が対応中", "Taken by somebody else")
    who = plain(alert.holder_name) or alert.holder
    return _both(f"{who} さんが対応中", f"Taken by {who}")


def wrong_password(username: str, where: str, word: str) -> Bilingual:
    return _both(
        f"{where} のブローカーが {username} を受け付けません({word})。担当者 ID とパスワードを確かめてください。",
        f"The broker at {where} refuses {username} ({word}). Check the clerk's ID and password, or ask for new ones.",
    )


def forbidden(username: str, where: str, topic: str) -> Bilingual:
    return _both(
        f"{where} のブローカーは {username} に {topic} の受信を許していません。店舗名と担当者 ID を確かめてください。",
        f"The broker at {where} does not let {username} read {topic}. Check the store's name and the clerk's ID.",
    )


def away(where: str, word: str) -> Bilingual:
    return _both(
        f"{where} のブローカーに接続できません({word})。自動で接続し直します。",
        f"No connection to the broker at {where} ({word}). Trying again by itself.",
    )


def clock(seconds: float) -> str:
    """A waiting time as `m:ss`, or `h:mm:ss`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def plain(text: str) -> str:
    """Text of others without control characters, so that a name can't command the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
