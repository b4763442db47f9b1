"""The life of an alert as a table, and what holds whatever is answered in whatever order (row C6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.payloads import AlertState as S
from hub.alert_life import OPEN, AlertLife, Verdict

CLERKS = frozenset({"c01", "c02", "c03"})
NEW = AlertLife(CLERKS)


def after(*answers: str) -> AlertLife:
    life = NEW
    for each in answers:
        life = life.expire() if each == "expire" else life.answer(*each.split(":"))[0]
    return life


@pytest.mark.row("C6")
@pytest.mark.parametrize(
    ("before", "answer", "state", "holder", "verdict"),
    [
        ([], "c01:accept", S.ACCEPTED, "c01", Verdict.CHANGED),
        (["c01:accept"], "c01:accept", S.ACCEPTED, "c01", Verdict.SAME),
        (["c01:accept"], "c02:accept", S.ACCEPTED, "c01", Verdict.HELD),
        (["c01:accept"], "c02:decline", S.ACCEPTED, "c01", Verdict.HELD),
        (["c02:decline", "c01:accept"], "c02:decline", S.ACCEPTED, "c01", Verdict.SAME),
        (["c01:accept"], "c01:decline", S.OFFERED, None, Verdict.CHANGED),
        (["c01:accept"], "c01:served", S.CLOSED, "c01", Verdict.CHANGED),
        (["c01:accept"], "c02:served", S.ACCEPTED, "c01", Verdict.HELD),
        ([], "c03:served", S.CLOSED, "c03", Verdict.CHANGED),
        (["c01:served"], "c01:served", S.CLOSED, "c01", Verdict.SAME),
        (["c01:served"], "c02:accept", S.CLOSED, "c01", Verdict.LATE),
        ([], "c01:decline", S.OFFERED, None, Verdict.CHANGED),
        (["c01:decline"], "c01:decline", S.OFFERED, None, Verdict.SAME),
        (["c01:decline", "c02:decline"], "c03:decline", S.DECLINED, None, Verdict.CHANGED),
        (["c01:decline", "c02:decline", "c03:decline"], "c02:accept", S.ACCEPTED, "c02", Verdict.CHANGED),
        (["expire"], "c01:accept", S.EXPIRED, None, Verdict.LATE),
        ([], "c99:accept", S.OFFERED, None, Verdict.NOT_OFFERED),
    ],
)
def test_moves(before, answer, state, holder, verdict):
    life, found = after(*before).answer(*answer.split(":"))
    assert (life.state, life.holder, found) == (state, holder, verdict)


def test_who_declined_sees_it_declined_while_others_are_asked():
    life = after("c01:decline")
    assert (life.seen_by("c01"), life.seen_by("c02")) == (S.DECLINED, S.OFFERED)


moves = st.lists(
    st.one_of(
        st.just("expire"),
        st.tuples(st.sampled_from(["c01", "c02", "c03", "c99"]), st.sampled_from(["accept", "decline", "served"])).map(
            ":".join
        ),
    ),
    max_size=12,
)


@pytest.mark.row("C6")
@given(moves)
def test_one_clerk_holds_it_and_what_is_over_stays_over(answers):
    life = NEW
    for each in answers:
        was, verdict = life, Verdict.CHANGED
        if each == "expire":
            life = life.expire()
        else:
            life, verdict = life.answer(*each.split(":"))
        assert life.revision == was.revision + (life != was)
        assert verdict is not Verdict.CHANGED or each == "expire" or life != was
        assert life.holder in {None, *CLERKS}
        assert (life.state in (S.ACCEPTED, S.CLOSED)) <= (life.holder is not None)
        if was.state not in OPEN:
            assert life == was
        if was.holder and life.holder not in (None, was.holder):
            pytest.fail(f"{was.holder} lost it to {life.holder} without giving it back")
