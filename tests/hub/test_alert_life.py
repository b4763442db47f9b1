"""The life of an alert as a table, and what holds whatever is answered in whatever order (row C6)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contract.payloads import AlertState as S
from hub.alert_life import OUTCOMES, AlertLife, Verdict

CLERKS = frozenset({"c01", "c02", "c03"})
NEW = AlertLife(CLERKS)


def after(*answers: str) -> AlertLife:
    life = NEW
    for each in answers:
        if each == "expire":
            life = life.expire()
        elif each == "bought":
            life = life.suggest("bought")
        else:
            life = life.answer(*each.split(":"))[0]
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
        (["c01:served"], "c01:accept", S.CLOSED, "c01", Verdict.SAME),
        (["c01:served"], "c01:bought", S.CLOSED, "c01", Verdict.LATE),
        (["c01:accept", "bought"], "c01:served", S.CLOSED, "c01", Verdict.CHANGED),
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


@pytest.mark.row("C6")
@pytest.mark.parametrize(
    ("before", "group", "state", "clerks"),
    [
        ([], {"m1", "m2"}, S.OFFERED, CLERKS | {"m1", "m2"}),
        (["c01:decline", "c02:decline", "c03:decline"], {"m1"}, S.OFFERED, CLERKS | {"m1"}),
        (["c01:decline", "c02:decline", "c03:decline"], {"c01"}, S.DECLINED, CLERKS),
        ([], set(), S.OFFERED, CLERKS),
        (["c01:accept"], {"m1"}, S.ACCEPTED, CLERKS),
        (["c01:served"], {"m1"}, S.CLOSED, CLERKS),
        (["expire"], {"m1"}, S.EXPIRED, CLERKS),
    ],
)
def test_escalation_asks_more_and_takes_it_from_nobody(before, group, state, clerks):
    was = after(*before)
    life = was.escalate(frozenset(group))
    assert (life.state, life.clerks, life.declined) == (state, clerks, was.declined)
    assert life.revision == was.revision + (clerks != CLERKS)


@pytest.mark.row("C6")
@pytest.mark.parametrize(
    ("before", "state", "outcome"),
    [
        ([], S.EXPIRED, None),
        (["c01:accept"], S.EXPIRED, None),
        (["c01:accept", "bought"], S.CLOSED, "bought"),
        (["c01:accept", "bought", "c01:decline"], S.EXPIRED, None),
        (["c01:accept", "bought", "c01:not_found"], S.CLOSED, "not_found"),
        (["bought"], S.EXPIRED, None),
    ],
)
def test_the_customer_leaves(before, state, outcome):
    life = after(*before).customer_left()
    assert (life.state, life.outcome) == (state, outcome)


MAIN, GROUP = sorted(CLERKS), ["m1", "m2"]


class AnyLife(RuleBasedStateMachine):
    """Answers, time, the till and the door in any order; after each step what must hold of every alert."""

    def __init__(self) -> None:
        super().__init__()
        self.life, self.was = NEW, NEW

    def become(self, new: AlertLife) -> None:
        self.was, self.life = self.life, new

    @rule(clerk=st.sampled_from([*MAIN, *GROUP, "stranger"]), answer=st.sampled_from(["accept", "decline", *OUTCOMES]))
    def answer(self, clerk, answer):
        new, verdict = self.life.answer(clerk, answer)
        assert (verdict is Verdict.CHANGED) == (new != self.life)
        assert (verdict is Verdict.NOT_OFFERED) == (clerk not in self.life.clerks)
        if verdict is Verdict.HELD:
            assert self.life.holder not in (None, clerk)
        if verdict is Verdict.LATE:
            assert not self.life.is_open
        again, second = new.answer(clerk, answer)
        if verdict in (
            Verdict.CHANGED,
            Verdict.SAME,
        ):  # the same answer again, as a broker may bring it, changes nothing
            assert (again, second) == (new, Verdict.SAME)
        self.become(new)

    @rule(group=st.sets(st.sampled_from([*GROUP, "c02"])))
    def escalate(self, group):
        new = self.life.escalate(frozenset(group))
        assert new.escalate(frozenset(group)) == new
        assert new == self.life or new.state is S.OFFERED
        self.become(new)

    @rule()
    def sale(self):
        self.become(self.life.suggest("bought"))

    @rule()
    def time_is_over(self):
        new = self.life.expire()
        assert not new.is_open
        self.become(new)

    @rule()
    def she_leaves(self):
        new = self.life.customer_left()
        assert not new.is_open
        self.become(new)

    @invariant()
    def what_holds(self):
        life, was = self.life, self.was
        assert life.revision == was.revision + (life != was)
        assert was.clerks <= life.clerks
        assert life.holder is None or life.holder in life.clerks
        assert (life.state is S.CLOSED) == (life.outcome is not None)
        assert life.holder is not None or life.state not in (S.ACCEPTED, S.CLOSED)
        assert life.holder is None or life.state not in (S.OFFERED, S.DECLINED)
        assert (life.state is S.DECLINED) <= (life.declined == life.clerks)
        assert life.suggested is None or life.holder is not None
        if not was.is_open:
            assert life == was
        if was.holder is not None:
            assert life.holder in (None, was.holder)
        for clerk in life.clerks:
            seen = life.seen_by(clerk)
            assert seen is life.state or (seen is S.DECLINED and clerk in life.declined)


TestAnyLife = pytest.mark.row("C6")(AnyLife.TestCase)
TestAnyLife.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
