"""Which handhelds were away when: what one has never shown, it is not told the end of; all else it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contract.payloads import ClientState
from hub.database import times
from hub.handhelds import Handhelds

NINE = datetime(2026, 4, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NINE + timedelta(minutes=minute)


def test_one_that_says_twice_that_it_is_there_was_not_away_in_between() -> None:
    handhelds = Handhelds()
    handhelds.is_back("mika", ClientState.LOST, at(0))
    handhelds.is_back("mika", ClientState.READY, at(10))
    # The broker was started again: nobody told that its connections were gone, and the handheld comes once more.
    handhelds.is_back("mika", ClientState.READY, at(20))

    while_away, across, between = (1, 9), (5, 15), (11, 19)
    seen = [
        handhelds.never_saw("mika", times.text(at(raised)), times.text(at(ended)))
        for raised, ended in (while_away, across, between)
    ]

    assert seen == [True, False, False]


def test_one_of_which_nothing_is_known_has_shown_everything() -> None:
    handhelds = Handhelds()
    handhelds.is_back("mika", ClientState.READY, at(0))

    assert not handhelds.never_saw("mika", times.text(at(1)), times.text(at(2)))
