"""The trace of a visit, from the sighting to the commit, each hop with its cause and its time (row C7)."""

from __future__ import annotations

import json

import pytest

from hub.database import consents, times
from hub.database.consents import Purpose
from hub.explain import NothingToExplain, explain, explain_settings


@pytest.fixture
def visited(store, beacons):
    """One whole visit, 10 ms between two messages."""

    def step():
        store.later(milliseconds=10)

    alert = store.sight(beacons[0], id="sighting-1")[1]
    step()
    store.answer("c02", alert.data.alert, "accept", cause=alert.id)
    for _ in range(5):
        step()
        store.sight(beacons[0], "moved")
    step()
    code = store.sell().exit_code
    step()
    decision = store.scan(code)[0]
    step()
    store.printed(decision.data.incentive.coupon)
    step()
    store.opened()
    step()
    store.passage()
    return store


@pytest.mark.row("C7")
def test_one_trace_from_sighting_to_commit_while_the_hub_runs(visited):
    found = explain(visited.settings.database)
    assert found.visit == "2026-03-01.C0001"
    kinds = [hop.row.type.removeprefix("instore.").removesuffix(".v1") for hop in found.hops]
    order = ["sighting", "visit.opened", "alert", "alert.answer", "lane.scan", "decision", "lane.decision", "lane.printed",
             "lane.opened", "lane.passage", "incentive.settled"]  # fmt: skip
    places = [kinds.index(kind) for kind in order]
    assert sorted(places, key=lambda place: found.hops[place].start_ms) == sorted(places)
    depth = {hop.row.type: hop.depth for hop in reversed(found.hops)}
    assert depth["instore.sighting.v1"] == 0
    assert depth["instore.visit.opened.v1"] == 1
    assert depth["instore.alert.v1"] == 2
    assert depth["instore.alert.answer.v1"] == 3
    answer = next(hop for hop in found.hops if hop.row.type == "instore.alert.answer.v1")
    assert answer.ms == pytest.approx(10.0)
    text = found.text()
    assert "good customer? vip: yes, rank >= gold (rank is gold)" in text
    assert "(and 3 more like it)" in text
    assert "incentive? thanks-200: yes, amount >= 1000 (amount is 3000)" in text
    assert "thanks-200 K" in text


@pytest.mark.row("C7")
def test_as_json(visited):
    found = json.loads(explain_settings(visited.folder / "hub.toml", "2026-03-01.C0001").json())
    assert found["visit"] == "2026-03-01.C0001"
    assert found["hops"][0]["id"] == "sighting-1"
    assert all(hop["taken"] for hop in found["hops"])


def test_sentences_when_there_is_nothing(store, tmp_path):
    with pytest.raises(NothingToExplain, match="no visit was traced"):
        explain(store.settings.database)
    with pytest.raises(NothingToExplain, match="no such database"):
        explain(tmp_path / "nobody.sqlite")
    (tmp_path / "text.sqlite").write_text("this is no database at all, only a text of some length" * 40)
    with pytest.raises(NothingToExplain, match="is this the hub's database"):
        explain(tmp_path / "text.sqlite")
    with pytest.raises(NothingToExplain, match="no trace of visit 'v'"):
        explain(store.settings.database, "v")


def test_causes_in_a_circle_do_not_hang(store):
    store.journal.db.execute("INSERT INTO trace (visit, id, cause, type, source, taken, summary) VALUES "
                             "('v', 'a', 'b', 't', 's', '2026-03-01T00:00:00Z', 'x'), ('v', 'b', 'a', 't', 's', '2026-03-01T00:00:00Z', 'y'), "
                             "('v', 'c', 'c', 't', 's', '2026-03-01T00:00:00Z', 'z')")  # fmt: skip
    assert [hop.row.id for hop in explain(store.settings.database, "v").hops] == ["c"]


def test_old_traces_are_deleted(store, beacons):
    store.sight(beacons[0])
    store.later(days=31)
    with store.engine.transaction() as tx:
        assert store.hub.clean(tx) == 5
        assert store.hub.clean(tx) == 0


@pytest.mark.row("C7")
def test_a_customer_stands_for_her_newest_visit(store, beacons):
    store.sight(beacons[0])
    store.later(days=1)
    store.sight(beacons[0])
    assert explain(store.settings.database, "C0001").visit == "2026-03-02.C0001"


@pytest.mark.row("C7")
def test_what_was_decided_stands_together(store, beacons):
    store.sight(beacons[1])
    store.tick()
    store.sight(beacons[1], "left")
    store.later(minutes=10)
    store.sight(beacons[1])
    store.sight(beacons[1], agent="floor-2")
    found = explain(store.settings.database, "C0002")
    assert found.decisions[0] == "good customer? no, nearest vip: rank >= gold (rank is silver)"
    assert found.decisions[1].startswith("coupon? no, nearest tableware: ")
    assert found.decisions[2:] == ("she was here today already, so nobody is asked again",)
    assert found.text().partition("decided:\n")[2].splitlines()[0] == f"  {found.decisions[0]}"
    assert json.loads(found.json())["decisions"] == list(found.decisions)


@pytest.mark.row("C7")
def test_why_there_is_no_visit_at_all(store, beacons):
    def why(customer: str) -> str:
        with pytest.raises(NothingToExplain) as found:
            explain(store.settings.database, customer)
        return str(found.value)

    assert "Nobody has this customer ID" in why("C9")
    assert why("C0001") == (
        "C0001 has no visit: nothing of hers was heard yet (beacons and codes: 1), or too faintly or too briefly "
        "to count as being here (an agent's enter_rssi_dbm)"
    )
    store.journal.db.execute("DELETE FROM customer_beacon WHERE customer = 'C0002'")
    assert "she has no beacon and no member code" in why("C0002")
    with store.engine.transaction() as tx:
        consents.give(tx.db, "C0003", Purpose.COUPONS, "v1", times.text(tx.utc))
    store.sight(beacons[2])
    assert why("C0003") == "C0003 has no visit: she has not agreed to be recognised on arrival"
    store.sight(beacons[0])
    store.journal.db.execute("DELETE FROM trace")
    assert "older than trace_days" in why("C0001")
