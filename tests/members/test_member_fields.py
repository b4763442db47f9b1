"""Every field of the registration form: what is taken, in which form, and what is told to whom wrote something else (row A2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.members.fields import Person, read_person, same_numbers

GOOD = {
    "name": "Misaki Sato",
    "gender": "female",
    "birth_year": 1990,
    "phone": "",
    "email": "m@example.com",
    "language": "ja",
}
pytestmark = pytest.mark.row("A2")


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("name", "  佐藤   美咲 ", "佐藤 美咲"),
        ("name", "O'Brien-Smith Jr. 3rd", "O'Brien-Smith Jr. 3rd"),
        ("gender", "", ""),
        ("gender", None, ""),
        ("birth_year", "１９９０", 1990),
        ("birth_year", "", None),
        ("birth_year", 1906, 1906),
        ("phone", "090-1234-5678", "09012345678"),
        ("phone", "＋８１ (90) 1234ー5678", "+819012345678"),
        ("email", " Misaki.S+x@Example.co.jp ", "Misaki.S+x@Example.co.jp"),
        ("language", "en", "en"),
    ],
)
def test_what_is_taken(field: str, value: Any, taken: Any) -> None:
    person, problems = read_person({**GOOD, field: value}, 2026)
    assert problems == []
    assert getattr(person, field) == taken


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "   "), ("name", "x" * 101), ("name", "a\nb"), ("name", "a\0b"), ("name", 7), ("name", ["x"]),
        ("gender", "F"), ("gender", True),
        ("birth_year", 2027), ("birth_year", 1905), ("birth_year", "90"), ("birth_year", 19.9), ("birth_year", True),
        ("birth_year", "19x0"), ("birth_year", 10**400),
        ("phone", "1234567"), ("phone", "0" * 16), ("phone", "090-CALL-ME"), ("phone", "++819012345678"), ("phone", {}),
        ("email", "m@"), ("email", "@example.com"), ("email", "m@example"), ("email", "a..b@example.com"), ("email", "m m@example.com"),
        ("email", "m@example.com\r\nBcc: all@example.com"), ("email", ".m@example.com"), ("email", "m@-x.com"),
        ("email", f"{'x' * 250}@example.com"),
        ("language", "fr"), ("language", None),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_in_both_languages(field: str, value: Any) -> None:
    person, problems = read_person({**GOOD, field: value}, 2026)
    assert person is None
    assert [problem.field for problem in problems] == [field]
    assert problems[0].words.ja != problems[0].words.en


def test_all_problems_at_once_and_one_way_to_reach_her() -> None:
    _, problems = read_person({}, 2026)
    assert [problem.field for problem in problems] == ["name", "language"]
    _, problems = read_person({**GOOD, "email": ""}, 2026)
    assert [problem.field for problem in problems] == ["email"]
    person, _ = read_person({**GOOD, "email": "", "phone": "03-1234-5678"}, 2026)
    assert person is not None


@given(st.dictionaries(st.sampled_from(list(GOOD)), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                                                                 lambda inner: st.lists(inner, max_size=3), max_leaves=4)))  # fmt: skip
def test_nothing_that_json_can_say_breaks_it(form: dict[str, Any]) -> None:
    person, problems = read_person({**GOOD, **form}, 2026)
    assert isinstance(person, Person) is not bool(problems)


def test_one_number_in_both_ways_of_writing() -> None:
    assert same_numbers("09012345678") == ("09012345678", "+819012345678")
    assert same_numbers("+819012345678") == ("+819012345678", "09012345678")
    assert same_numbers("+15551234567") == ("+15551234567",)
