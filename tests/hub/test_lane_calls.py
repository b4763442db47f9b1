"""A clerk is needed at a lane: offered to a group, answered, told to the lane; and what happened at lanes without a code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contract.exit_digits import new_digits
from contract.payloads import AgentStatus, DeviceStatus, LaneCall, LaneIncident, LaneScan, LaneShown
from hub.clerks import import_clerks
from hub.database import sales, times
from hub.explain import explain_from


@pytest.fixture(autouse=True)
def clerks(store, folder: Path) -> None:
    file = folder / "staff.csv"
    file.write_text(
        "clerk,name,groups\nc04,Yamada Yuji,floor_managers\nc05,Mori Mei,floor_managers\nc01,Sato Megumi,\n"
    )
    import_clerks(store.journal.db, file)


def calls(store, *, call: str = "1-20260301T010000", reason: str = "help", over: bool = False, age_s: float = 0,
          agent: str = "exit", lane: str = "1"):  # fmt: skip
    data = LaneCall(call=call, reason=reason, detail="somebody has pressed the help button",
                    since=store.now - timedelta(seconds=age_s), over=over)  # fmt: skip
    return store.hear(store.bytes_of("lane_call", data, agent=agent, lane=lane))


def alerts(said) -> dict[str, object]:
    return {message.ids["clerk"]: message.data for message in said if message.channel.name == "alert"}


def told(said) -> list[tuple[str, str]]:
    return [(m.data.state, m.data.clerk_name) for m in said if m.channel.name == "lane_call_answered"]


@pytest.mark.row("B12")
@pytest.mark.row("C6")
def test_the_group_is_asked_in_both_languages_and_one_clerk_holds_it(store) -> None:
    asked = alerts(calls(store))
    assert set(asked) == {"c04", "c05"}
    alert = asked["c04"]
    assert (alert.kind, alert.state, alert.role, alert.customer) == ("lane", "offered", "group", None)
    assert alert.message.ja == "出口 レーン1 に係員が必要です: お客様が呼んでいます"
    assert alert.message.en == "A clerk is needed at Exit, lane 1: a customer has pressed the help button"
    said = store.answer("c05", alert.alert, "accept")
    assert {clerk: one.holder for clerk, one in alerts(said).items()} == {"c04": "c05", "c05": "c05"}
    assert [state for state, _ in told(said)] == ["coming"]
    late = store.answer("c04", alert.alert, "accept")
    assert set(alerts(late)) == {"c04"}, "who was second sees who holds it"
    said = store.answer("c05", alert.alert, "served")
    assert {one.state for one in alerts(said).values()} == {"closed"}
    assert [state for state, _ in told(said)] == ["served"]
    assert calls(store, over=True) == [], "the lane agrees: it is over"
    story = explain_from(store.journal.db, alert.alert).text()
    assert "a clerk is needed, help" in story
    assert "c05: accept" in story


def test_the_same_call_twice_is_one_and_an_end_ends_it_on_every_handheld(store) -> None:
    first = alerts(calls(store))
    assert calls(store) == []
    over = alerts(calls(store, over=True))
    assert {one.state for one in over.values()} == {"expired"}
    assert [one.revision for one in over.values()] == [2, 2]
    assert calls(store, over=True) == []
    assert first["c04"].alert == over["c04"].alert
    assert store.counters["lane_calls"] == 1


def test_nobody_in_time_is_told_to_the_lane(store) -> None:
    calls(store)
    store.later(seconds=181)
    said = store.tick()
    assert told(said) == [("nobody", "")]
    assert {one.state for one in alerts(said).values()} == {"expired"}
    assert told(store.tick()) == []


def test_news_that_come_too_late_ask_nobody(store) -> None:
    said = calls(store, age_s=600)
    assert alerts(said) == {}
    assert told(said) == [("nobody", "")]
    assert store.counters["lane_calls_late"] == 1


@pytest.mark.row("B12")
@pytest.mark.parametrize("wrong_s", [1.7e9, -7200])
def test_a_clock_that_was_never_set_or_is_ahead_makes_no_call_late(store, wrong_s: float) -> None:
    """A lane without the hub's time, as after a loss of power: somebody waits, and a clerk is asked."""
    asked = alerts(calls(store, age_s=wrong_s))
    assert set(asked) == {"c04", "c05"}
    assert store.one("SELECT since FROM lane_call") == (times.text(store.now),)


def test_all_decline_and_one_gives_back(store) -> None:
    alert = alerts(calls(store))["c04"].alert
    assert told(store.answer("c04", alert, "decline")) == [("called", "")]
    assert told(store.answer("c05", alert, "decline")) == [("nobody", "")]
    assert (
        told(store.answer("c04", alert, "accept")) == [("coming", "Yamada Yuji")] or told(store.said)[-1][0] == "coming"
    )


def test_an_open_call_is_sent_again_and_shown_to_a_handheld_that_comes_back(store) -> None:
    calls(store)
    store.later(seconds=11)
    assert set(alerts(store.tick())) == {"c04", "c05"}
    assert set(alerts(store.handheld("c04"))) == {"c04"}
    store.restart()
    assert set(alerts(store.handheld("c05"))) == {"c05"}


def test_without_a_group_the_lane_hears_that_nobody_comes(store) -> None:
    store.hub.lane_calls._group = "nobody"
    assert told(calls(store)) == [("nobody", "")]
    assert store.counters["lane_calls_without_clerk"] == 1


def test_an_answer_of_somebody_who_was_not_asked_changes_nothing(store) -> None:
    alert = alerts(calls(store))["c04"].alert
    assert store.answer("c01", alert, "accept") == []
    assert store.one("SELECT state FROM lane_call") == ("offered",)


# --- a lane that can't speak


def agent(store, state: str, name: str = "exit"):
    return store.hear(store.bytes_of("agent_status", AgentStatus(state=state), agent=name))


def device(store, name: str, agent: str = "exit") -> None:
    store.hear(
        store.bytes_of("device_status", DeviceStatus(category="scanner", power="online"), agent=agent, device=name)
    )


@pytest.mark.row("B12")
@pytest.mark.row("C1")
def test_an_agent_that_is_lost_is_spoken_for_by_the_hub(store) -> None:
    agent(store, "ready")
    device(store, "reader-1")
    agent(store, "lost")
    store.later(seconds=59)
    assert alerts(store.tick()) == {}
    store.later(seconds=1)
    asked = alerts(store.tick())
    assert set(asked) == {"c04", "c05"}
    assert (
        asked["c04"].message.en == "A clerk is needed at Exit: its computer does not answer; customers may wait there"
    )
    assert alerts(store.tick()) == {}, "once"
    said = store.answer("c04", asked["c04"].alert, "accept")
    assert told(said) == []
    over = alerts(agent(store, "ready"))
    assert {one.state for one in over.values()} == {"expired"}
    assert store.counters["lane_calls_agent_away"] == 1


def lost_at_7_pm(store) -> None:
    agent(store, "ready")
    device(store, "reader-1")
    agent(store, "lost")
    store.later(seconds=60)


@pytest.mark.row("B12")
def test_a_lost_agent_is_called_for_again_until_it_is_back(store) -> None:
    """At 7 p.m. on a Saturday nobody has a hand free: five minutes later, ten, twenty … it is asked again."""
    lost_at_7_pm(store)
    asked = []
    for minute in range(61):
        asked += [minute] * bool({one.alert for one in alerts(store.tick()).values() if one.state == "offered" and one.revision == 1
                                  and one.raised == store.now})  # fmt: skip
        store.later(seconds=60)
    assert asked == [0, 5, 15, 35]
    agent(store, "ready")
    store.later(seconds=7200)
    assert alerts(store.tick()) == {}


@pytest.mark.row("B12")
def test_who_has_a_lost_agent_in_hand_is_left_alone_and_asked_again_after_it(store) -> None:
    lost_at_7_pm(store)
    (alert,) = {one.alert for one in alerts(store.tick()).values()}
    store.answer("c04", alert, "accept")
    for _ in range(30):
        store.later(seconds=60)
        assert {one.alert for one in alerts(store.tick()).values()} <= {alert}
    store.answer("c04", alert, "served")
    store.later(seconds=240)
    assert {one.alert for one in alerts(store.tick()).values()} <= {alert}, "the computer may need a while to start"
    store.later(seconds=61)
    assert {one.alert for one in alerts(store.tick()).values()} - {alert}


@pytest.mark.row("B12")
@pytest.mark.row("C1")
@pytest.mark.parametrize("used", [True, False])
def test_a_hub_that_was_restarted_calls_for_an_agent_whose_lanes_were_used_today(store, used: bool) -> None:
    """A machine that was taken away years ago has left its retained word too, and needs nobody."""
    if used:
        store.scan(store.sell().exit_code)
    store.restart()
    agent(store, "lost")
    device(store, "reader-1")
    store.later(seconds=61)
    assert bool(alerts(store.tick())) == used


@pytest.mark.parametrize("ways", [("ready", "lost", "ready"), ("ready", "disconnected"), ("lost",)])
def test_who_comes_back_in_time_or_has_left_on_purpose_needs_nobody(store, ways: tuple[str, ...]) -> None:
    device(store, "reader-1")
    for state in ways:
        agent(store, state)
        store.later(seconds=20)
    store.later(seconds=100)
    assert alerts(store.tick()) == {}


def test_an_agent_without_lanes_is_no_case_for_a_clerk(store) -> None:
    agent(store, "ready", "entrance")
    device(store, "beacons", "entrance")
    agent(store, "lost", "entrance")
    store.later(seconds=100)
    assert alerts(store.tick()) == {}


# --- incidents


def incident(store, kind: str = "tailgating", *, count: int = 1, scan: str | None = None, id: str | None = None):
    data = LaneIncident(kind=kind, direction="exit", count=count, scan=scan, detail="", seen=store.now)
    return store.hear(store.bytes_of("lane_incident", data, agent="exit", lane="1", id=id))


@pytest.mark.row("B12")
@pytest.mark.row("C7")
def test_incidents_are_kept_counted_and_part_of_her_story(store, beacons) -> None:
    store.sight(beacons[0])
    code = store.sell().exit_code
    store.scan(code)
    incident(store, count=2, scan="scan-1", id="i-1")
    incident(store, "wrong_way", id="i-2")
    assert store.all("SELECT kind, count, scan FROM lane_incident ORDER BY id") == [
        ("tailgating", 2, "scan-1"), ("wrong_way", 1, None)]  # fmt: skip
    assert (store.counters["lane_incidents_tailgating"], store.counters["lane_incidents_wrong_way"]) == (2, 1)
    visit = store.one("SELECT visit FROM visit")[0]
    assert "tailgating at exit/1 (2 persons)" in explain_from(store.journal.db, visit).text()


@pytest.mark.row("C2")
@pytest.mark.row("B12")
def test_a_code_used_at_two_cut_off_lanes_is_found_when_both_are_back(store) -> None:
    """Each lane was alone, each let the code through once. First come both scans and passages of one, then of the other."""
    code = store.sell(amount=12_000).exit_code
    for agent, scan in (("exit-north", "n-1"), ("exit-south", "s-1")):
        store.scan(code, id=scan, agent=agent, lane="1")
        store.passage(scan=scan, agent=agent, lane="1", offline=True)
    found = store.all("SELECT agent, kind, scan, detail FROM lane_incident")
    assert [(agent, kind, scan) for agent, kind, scan, _ in found] == [("exit-south", "code_twice", "s-1")]
    assert "was used at exit-north/1 already" in found[0][3]
    assert store.counters["codes_passed_twice"] == 1
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (1,)
    assert store.all("SELECT state FROM incentive") == [("committed",)]


# --- a coupon on the display


@pytest.mark.row("B9")
@pytest.mark.parametrize(
    ("outcome", "give", "paper"), [("read", "display", "read"), ("unread", "electronic", "unread")]
)
def test_a_coupon_that_was_on_the_display(store, outcome: str, give: str, paper: str) -> None:
    code = store.sell(amount=12_000).exit_code
    decision = store.scan(code)[0].data
    store.journal.db.execute("UPDATE incentive SET give = 'display'")
    coupon = decision.incentive.coupon
    store.hear(
        store.bytes_of("lane_shown", LaneShown(scan="scan-1", coupon=coupon, outcome=outcome), agent="exit", lane="1")
    )
    assert store.all("SELECT give, paper FROM incentive") == [(give, paper)]
    store.passage()
    assert store.all("SELECT state FROM incentive") == [("committed",)]


# --- numbers


@pytest.mark.row("B6")
@pytest.mark.row("C2")
def test_the_lane_learns_which_code_a_number_stands_for(store) -> None:
    store.sell()
    with store.engine.transaction() as tx:
        code = sales.code_of_sale(tx.db, "S-1")
        number = store.hub.exit_numbers.of(tx, code)
    typed = LaneScan(digits=number, by="keypad", scanned=store.now)
    (answer,) = store.hear(store.bytes_of("lane_scan", typed, agent="exit", lane="1", id="scan-1"))
    assert (answer.data.outcome, answer.data.code_id) == ("open", code.code)
    assert times.text(answer.data.code_expires) == code.expires
    nobodys = LaneScan(digits=new_digits(), by="keypad", scanned=store.now)
    (answer,) = store.hear(store.bytes_of("lane_scan", nobodys, agent="exit", lane="1", id="scan-2"))
    assert (answer.data.outcome, answer.data.reason) == ("refuse", "malformed")
