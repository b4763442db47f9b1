"""The number that stands for an exit code: what a finger can get wrong is found (rows B5, B6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.exit_digits import DIGITS, check_digit, grouped, new_digits, read_digits

NUMBERS = st.from_regex(r"[0-9]{11}", fullmatch=True).map(lambda body: body + check_digit(body))


def test_the_check_digit_is_that_of_the_published_example() -> None:
    assert check_digit("572") == "4"


@given(NUMBERS, st.integers(0, DIGITS - 1), st.integers(1, 9))
@pytest.mark.row("B6")
def test_every_wrong_digit_is_found(number: str, place: int, by: int) -> None:
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert read_digits(number) == number
    assert read_digits(wrong) is None


@given(NUMBERS, st.integers(0, DIGITS - 2))
@pytest.mark.row("B6")
def test_two_neighbours_exchanged_are_found(number: str, place: int) -> None:
    wrong = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert read_digits(wrong) == (number if wrong == number else None)


@pytest.mark.parametrize("between", [" ", "-", "  "])
def test_it_is_read_as_people_write_it(between: str) -> None:
    number = new_digits()
    assert read_digits(between.join((number[:4], number[4:8], number[8:])) + "\r") == number
    assert read_digits(grouped(number)) == number
    assert (
        read_digits("".join(chr(ord(digit) + 0xFEE0) for digit in number)) == number
    )  # as a Japanese keyboard types it


@pytest.mark.parametrize("text", ["", "1234", "IS1:ABC", "1" * 13, "x" * 12, "٣" * 12])
def test_what_is_none_is_none(text: str) -> None:
    assert read_digits(text) is None


def test_no_two_are_alike() -> None:
    assert len({new_digits() for _ in range(1000)}) == 1000
