"""The lane's own words: what its display says without the hub, in both languages."""

from __future__ import annotations

from contract.payloads import Bilingual


def _say(ja: str, en: str) -> Bilingual:
    return Bilingual(ja=ja, en=en)


STARTING = _say("準備しています", "Getting ready")
WAITING = _say("退店コードを読取部にかざしてください", "Please hold your exit code over the reader")
HOLD_AGAIN = _say("もう一度、退店コードをかざしてください", "Please hold your exit code over the reader again")
STILL_GOOD = _say("コードはまだお使いいただけます", "Your code is still good")
TOUCH = _say("スマートフォンを読取部にタッチしてください", "Please touch the reader with your phone")
TYPE = _say("退店コードの番号を入力してください", "Please type the number of your exit code")
OR_TYPE = _say("番号の入力もできます", "Or type its number")
OR_TOUCH = _say("タッチもできます", "Or touch with your phone")
TYPING = _say("番号を入力してください", "Type your number")
ENTER = _say("12桁を入力し、# を押してください", "Type the 12 digits, then press #")
READING = _say("読み取り中です", "Reading your code")
PRINTING = _say("クーポンを印刷しています", "Your coupon is being printed")
TAKE = _say("印刷されたクーポンをお取りください", "Please take your printed coupon")
SENT = _say("クーポンは電子でお届けします", "You receive your coupon electronically")
PICTURE = _say("写真に撮ってください", "Take a picture of it")
NOT_PRINTED = _say(
    "印刷できませんでした。このコードがクーポンです", "It could not be printed: this code is your coupon"
)
THEN = _say("済んだら、もう一度退店コードをかざしてください", "Done? Hold your exit code over the reader again")
ASK = _say("クーポンをお持ちでない方は、係員へお申し出ください", "If you have no coupon yet, please ask a clerk")
COUPON = _say("カメラで読み取れます", "Scan it with your phone")
SCAN_IT = _say(
    "画面のクーポンを、スマートフォンのカメラで読み取ってください",
    "Please scan the coupon on the display with your phone",
)
OPENING = _say("ゲートが開きます", "The gate is opening")
MOMENT = _say("確認しています。少々お待ちください", "Checking. One moment, please")
CHECKING_GATE = _say("ゲートを確認しています。少々お待ちください", "Checking the gate. One moment, please")
PASS = _say("どうぞお通りください", "Please pass")
THANKS = _say("ありがとうございました", "Thank you")
AGAIN = _say("またのご来店をお待ちしております", "We look forward to seeing you again")
REFUSED = _say("このコードでは通れません", "This code does not open the gate")
CLERK = _say("係員をお呼びください", "Please see a clerk")
CALLED = _say("係員を呼んでいます", "We are calling a clerk")
COMING = _say("係員がまいります", "A clerk is coming")
WAIT_HERE = _say("その場でお待ちください", "Please wait here")
SORRY = _say("ご不便をおかけして申し訳ございません", "We are sorry for the trouble")
NO_DECISION = _say("ただいま確認ができません", "We cannot check your code right now")
GATE_STUCK = _say("ゲートが開きません", "The gate does not open")
OUT_OF_ORDER = _say("このレーンは休止中です", "This lane is out of order")
OTHER_LANE = _say("ほかのレーンをご利用になるか、係員をお呼びください", "Please use another lane, or see a clerk")
FIRE = _say("火災警報です。避難してください", "Fire alarm. Leave the building")
FIRE_GATE = _say("ゲートは開いています", "The gate is open")

_CLERK_CHECKS = _say(
    "このコードは確認できません。係員をお呼びください。", "We cannot verify this code. Please see a clerk."
)
_WRONG_NUMBER = _say("番号が違います。もう一度入力してください。", "That number is not right. Please type it again.")
REFUSALS = {
    "malformed": _say("退店コードではないようです。お支払いのあとに表示されるコードをかざしてください。",
                      "This is not an exit code. Hold the code that appears after you have paid."),
    "bad_signature": _CLERK_CHECKS,
    "unknown_key": _CLERK_CHECKS,
    "expired": _say("コードの有効期限が切れています。画面を開き直して、新しいコードをかざしてください。",
                    "This code has expired. Open the page again and hold the new code."),
    "not_yet_valid": _CLERK_CHECKS,
    "wrong_store": _say("ほかの店舗のコードです。この店舗でのお支払いのコードをかざしてください。",
                        "This code is of another store. Hold the code of your payment here."),
    "in_use": _say("このコードは別のレーンで処理中です。少し待って、もう一度かざしてください。",
                   "Another lane is serving this code. Please wait a moment and hold it up again."),
    "already_used": _say("このコードは使用済みです。係員をお呼びください。",
                         "This code has been used. Please see a clerk."),
    "mistyped": _WRONG_NUMBER,
    "unknown_digits": _WRONG_NUMBER,
    "digits_offline": _say("ただいま番号はお使いいただけません。QRコードをかざしてください。",
                           "Numbers cannot be used right now. Please hold your QR code."),
}  # fmt: skip
"""Why a code is not taken and what to do, by the reason of `LaneRefused` and `LaneDecision`."""


def refusal(reason: str) -> Bilingual:
    """For a reason that has no words of its own: a clerk."""
    return REFUSALS.get(reason, _CLERK_CHECKS)
