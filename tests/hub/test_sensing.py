"""From a good customer's visit to a drink brought, and not one reading left anywhere (rows A8, A9, A10, C7, C11)."""

from __future__ import annotations

import pytest

from contract.payloads import TreatmentDecided
from hub.database import consents, times
from hub.database.consents import Purpose
from hub.explain import explain
from tests.hub.sensing_steps import HOT, UNWELL, WELL, agree, answer, asked, connect, heard, settings, visit

__all__ = ["visit"]

# --- the way from a reading to a drink


@pytest.mark.row("A8")
@pytest.mark.row("C11")
def test_a_good_customers_terminal_is_asked_for_what_the_rules_name_and_nothing_else(visit):
    request = asked(visit)
    assert request.customer == "C0001"
    assert [each.value for each in request.readings] == ["speed", "blood_pressure", "heart_rate", "ambient_temperature"]
    assert (request.deadline - visit.now).total_seconds() == 30
    row = visit.one("SELECT consent, state FROM sensing")
    assert row == (visit.consent, "asked")
    assert visit.tick() == []


@pytest.mark.row("A9")
@pytest.mark.row("A10")
@pytest.mark.row("A12")
@pytest.mark.parametrize(
    ("readings", "rule", "treatment", "en"),
    [
        (HOT, "thirsty", "drink", "Bring 山田 花子 a drink."),
        (UNWELL, "unwell", "rest_room", "Offer 山田 花子 the rest room."),
        ({**HOT, **UNWELL}, "thirsty", "drink", "Bring 山田 花子 a drink."),
    ],
)
def test_the_treatment_goes_to_the_clerks_of_the_request_before_it(visit, readings, rule, treatment, en):
    before = visit.of("alert")
    assert answer(visit, asked(visit), readings) == ""
    decided, *alerts = visit.listen()
    assert isinstance(decided.data, TreatmentDecided)
    assert (decided.data.treatment, decided.data.consent) == (treatment, visit.consent)
    assert decided.data.decided.startswith(f"{rule}: yes, ")
    assert [(a.ids["clerk"], a.data.role, a.data.kind) for a in alerts] == [
        (a.ids["clerk"], a.data.role, "special_treatment") for a in before
    ]
    assert {a.data.message.en for a in alerts} == {en}
    assert {a.data.state for a in alerts} == {"offered"}
    assert {a.cause for a in alerts} == {decided.id}


@pytest.mark.row("A9")
@pytest.mark.row("C7")
@pytest.mark.parametrize(
    ("readings", "nearest"),
    [
        (WELL, "no, nearest thirsty: heart_rate >= 100"),
        ({}, "no, nearest thirsty: ambient_temperature and heart_rate are not known"),
        ({"ambient_temperature_c": 35.0}, "no, nearest thirsty: heart_rate is not known"),
        ({"ambient_temperature_c": 5.0, "heart_rate_per_min": 99.9}, "no, nearest thirsty: ambient_temperature >= 30"),
    ],
)
def test_no_treatment_says_the_nearest_condition_without_values(visit, readings, nearest):
    answer(visit, asked(visit), readings)
    (decided,) = visit.listen()
    assert decided.data.treatment is None
    assert decided.data.decided.startswith(nearest)
    assert " is 9" not in decided.data.decided
    assert visit.counters["treatments_none"] == 1
    assert "special treatment? no, nearest thirsty" in explain(visit.settings.database).text()


@pytest.mark.row("A10")
def test_her_holder_hears_of_it_first(visit):
    alert = visit.of("alert")[0].data.alert
    visit.answer("c03", alert, "accept")
    answer(visit, asked(visit), HOT)
    _, *alerts = visit.listen()
    assert [a.ids["clerk"] for a in alerts] == ["c03", "c01", "c02"]
    first = visit.answer("c02", alerts[0].data.alert, "accept")
    assert {a.data.holder for a in first} == {"c02"}  # another may bring the drink


@pytest.mark.row("C7")
def test_one_trace_from_the_visit_to_the_drink(visit):
    answer(visit, asked(visit), HOT)
    visit.listen()
    hops = {
        hop.row.type.removeprefix("instore.").removesuffix(".v1"): hop
        for hop in reversed(explain(visit.settings.database).hops)
    }
    chain = ["visit.opened", "sensing.request", "sensing.answer", "treatment.decided"]
    assert [hops[name].depth for name in chain] == sorted(hops[name].depth for name in chain)
    text = explain(visit.settings.database).text()
    assert f"sensing? asked for speed blood_pressure heart_rate ambient_temperature (consent {visit.consent})" in text
    assert "readings of heart_rate ambient_temperature" in text
    assert "thirsty: yes, ambient_temperature >= 30 and heart_rate >= 100" in text
    assert "to c01 (main): special treatment for C0001" in text


# --- answers that are not to be taken


@pytest.mark.row("A8")
@pytest.mark.parametrize(
    ("counter", "act"),
    [
        ("sensing_answers_foreign", lambda store, request: answer(store, request, HOT, by="C0002")),
        ("quarantined_not_mine", lambda store, request: answer(store, request, HOT, customer="C0002")),
        (
            "sensing_answers_unknown",
            lambda store, request: answer(store, request.model_copy(update={"request": "s-0"}), HOT),
        ),
    ],
)
def test_a_terminal_that_answers_anothers_request(visit, counter, act):
    request = asked(visit)
    act(visit, request)
    assert visit.listen() == []
    assert visit.counters[counter] == 1
    assert visit.one("SELECT state FROM sensing") == ("asked",)
    answer(visit, request, HOT)  # and her own still counts
    assert len(heard(visit, "treatment_decided")) == 1


@pytest.mark.row("A8")
def test_once_and_in_time(visit):
    request = asked(visit)
    answer(visit, request, WELL)
    answer(visit, request, HOT)
    assert visit.counters["sensing_answers_repeated"] == 1
    assert [data.treatment for data in heard(visit, "treatment_decided")] == [None]


@pytest.mark.row("A8")
@pytest.mark.row("C7")
def test_too_late(visit):
    request = asked(visit)
    visit.later(seconds=30)
    answer(visit, request, HOT)
    visit.tick()
    answer(visit, request, HOT)
    assert visit.counters["sensing_answers_late"] == 2
    assert visit.counters["sensing_silent"] == 1
    assert heard(visit, "treatment_decided") == []
    text = explain(visit.settings.database).text()
    assert "her terminal has not answered in time" in text
    assert text.partition("decided:")[0].count("an answer of her terminal was not taken: late") == 1


@pytest.mark.row("C11")
def test_consent_that_was_withdrawn_meanwhile(visit):
    request = asked(visit)
    with visit.engine.transaction() as tx:
        consents.withdraw(tx.db, "C0001", Purpose.SENSING, times.text(tx.utc))
    answer(visit, request, HOT)
    assert visit.counters["sensing_answers_without_consent"] == 1
    assert heard(visit, "treatment_decided") == []


@pytest.mark.row("A8")
def test_one_of_two_terminals_has_no_sensors(visit):
    request = asked(visit)
    answer(visit, request, {}, refused="no_sensors")
    assert visit.counters["sensing_refused_no_sensors"] == 1
    answer(visit, request, HOT)
    assert [data.treatment for data in heard(visit, "treatment_decided")] == ["drink"]


# --- when it is asked, and when it is not


@pytest.mark.row("C11")
@pytest.mark.row("C7")
def test_without_consent_nothing_is_asked_and_it_is_said(store, beacons):
    connect(store)
    store.sight(beacons[0])
    assert store.tick() == []
    assert store.counters["sensing_without_consent"] == 1
    assert "no sensing request: she has not agreed to it" in explain(store.settings.database).text()


@pytest.mark.row("A8")
def test_who_is_not_a_good_customer_is_asked_nothing(store, beacons):
    agree(store, "C0002")
    connect(store, "C0002")
    store.sight(beacons[1])
    assert store.tick() == []
    assert store.one("SELECT count(*) FROM sensing") == (0,)


@pytest.mark.row("A8")
def test_a_terminal_that_comes_later_is_asked_then_and_at_most_twice(store, beacons):
    agree(store)
    store.sight(beacons[0])
    assert store.tick() == []
    assert "no terminal of hers is connected" in explain(store.settings.database).text()
    (first,) = connect(store)
    store.later(seconds=10)
    (same,) = connect(store)  # its connection broke
    assert same.data == first.data
    store.later(seconds=21)
    store.tick()
    (second,) = connect(store)
    assert second.data.request != first.data.request
    store.later(seconds=31)
    store.tick()
    assert connect(store) == []
    assert store.counters["sensing_requests"] == 2


@pytest.mark.row("A8")
def test_nobody_is_asked_who_has_left(store, beacons):
    agree(store)
    store.sight(beacons[0])
    store.sight(beacons[0], "left")
    store.tick()
    assert connect(store) == []


@pytest.mark.row("C1")
def test_a_hub_that_is_killed_asks_all_the_same(visit):
    visit.restart()
    visit.hub.terminals.came("C0001")
    request = asked(visit)
    visit.restart()
    answer(visit, request, HOT)
    assert [data.treatment for data in heard(visit, "treatment_decided")] == ["drink"]


@pytest.mark.row("A8")
@pytest.mark.row("A10")
def test_asked_again_in_a_long_visit_each_treatment_once(store, beacons):
    settings(store, wait_s=30, every_s=600)
    agree(store)
    connect(store)
    store.sight(beacons[0])
    for readings in (HOT, HOT, UNWELL):
        answer(store, asked(store), readings)
        assert store.tick() is not None
        store.later(seconds=601)
    assert [data.treatment for data in heard(store, "treatment_decided")] == ["drink", "drink", "rest_room"]
    assert store.all("SELECT subject FROM alert WHERE kind = 'special_treatment' ORDER BY raised") == [
        ("drink",), ("rest_room",)]  # fmt: skip
    assert store.counters["requests_repeated"] == 1
    assert "no request: she was asked for drink today already" in explain(store.settings.database).text()
