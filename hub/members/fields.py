"""What a person may write into the registration form: each field checked and brought into one form. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.words import Words

GENDERS = ("", "female", "male", "other")
LANGUAGES = ("ja", "en")
OLDEST_YEARS = 120
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_PHONE = re.compile(r"\+?[0-9]{8,15}")
_PHONE_SIGNS = re.compile(r"[\s().\u2010-\u2015\u30fc-]")


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """One field that can't be taken, with a sentence in both languages for the person who wrote it."""

    field: str
    words: Words


@dataclass(frozen=True, slots=True)
class Person:
    """What a member says of herself. `phone` is digits with an optional leading `+`; `gender` may be untold (``)."""

    name: str
    gender: str
    birth_year: int | None
    phone: str
    email: str
    language: str


def _problem(field: str, ja: str, en: str) -> Problem:
    return Problem(field, Words(ja=ja, en=en))


def read_person(form: dict[str, Any], year: int) -> tuple[Person | None, list[Problem]]:
    """The person of a form, or every problem of it. `year` is the present one."""
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for field, check in _CHECKS.items():
        try:
            read[field] = check(form.get(field), year)
        except Problem as problem:
            problems.append(problem)
    if not problems and not read["phone"] and not read["email"]:
        problems.append(_problem("email", "メールアドレスか電話番号のどちらかをご入力ください。",
                                 "Please give an e-mail address or a phone number."))  # fmt: skip
    return (None, problems) if problems else (Person(**read), [])


def _text(value: Any, field: str, longest: int) -> str:
    if value is None:
        return ""
    text = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else None
    if (
        text is None
        or len(text) > longest
        or any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)
    ):
        raise _problem(
            field,
            f"{longest}文字以内の1行でご入力ください。",
            f"Please write one line of at most {longest} characters.",
        )
    return text


def _name(value: Any, _year: int) -> str:
    text = " ".join(_text(value, "name", 100).split())
    if not text:
        raise _problem("name", "お名前をご入力ください。", "Please write your name.")
    return text


def _gender(value: Any, _year: int) -> str:
    if (text := _text(value, "gender", 20)) not in GENDERS:
        raise _problem("gender", "選択肢からお選びください。", "Please choose one of the answers.")
    return text


def _birth_year(value: Any, year: int) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}", text := unicodedata.normalize("NFKC", value).strip()):
        value = int(text)
    if not isinstance(value, int) or isinstance(value, bool) or not year - OLDEST_YEARS <= value <= year:
        raise _problem("birth_year", f"西暦4桁で、{year - OLDEST_YEARS}から{year}まででご入力ください。",
                       f"Please write a year of four digits, {year - OLDEST_YEARS} to {year}.")  # fmt: skip
    return value


def phone_of(value: Any, _year: int = 0) -> str:
    """A phone number as digits, with its `+` if it has one; "" for none. Raises Problem."""
    text = _PHONE_SIGNS.sub("", unicodedata.normalize("NFKC", _text(value, "phone", 40)))
    if text and not _PHONE.fullmatch(text):
        raise _problem("phone", "電話番号は数字8〜15桁でご入力ください(例:090-1234-5678)。",
                       "Please write a phone number of 8 to 15 digits, such as 090-1234-5678.")  # fmt: skip
    return text


def email_of(value: Any, _year: int = 0) -> str:
    """An e-mail address; "" for none. Raises Problem."""
    text = unicodedata.normalize("NFKC", _text(value, "email", 254))
    if text and (
        not _EMAIL.fullmatch(text) or ".." in text or text.partition("@")[0].strip(".") != text.partition("@")[0]
    ):
        raise _problem("email", "メールアドレスの形をご確認ください(例:hanako@example.com)。",
                       "Please check the e-mail address, such as hanako@example.com.")  # fmt: skip
    return text


def _language(value: Any, _year: int) -> str:
    if (text := _text(value, "language", 8)) not in LANGUAGES:
        raise _problem("language", "日本語か英語をお選びください。", "Please choose Japanese or English.")
    return text


def same_numbers(phone: str, country: str = "81") -> tuple[str, ...]:
    """The ways in which one phone number may stand in a database: with its country's number, or with a 0."""
    if phone.startswith(f"+{country}"):
        return phone, f"0{phone[len(country) + 1 :].removeprefix('0')}"
    if phone.startswith("0") and not phone.startswith("00"):
        return phone, f"+{country}{phone[1:]}"
    return (phone,)


_CHECKS: dict[str, Callable[[Any, int], Any]] = {
    "name": _name,
    "gender": _gender,
    "birth_year": _birth_year,
    "phone": phone_of,
    "email": email_of,
    "language": _language,
}
