"""Canary values in every reading, and the search for them in every file, topic, log and print (rows A8, C11)."""

from __future__ import annotations

import json
import struct

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from contract import topics
from contract.envelope import Message, encode, source_of
from contract.messages import BY_NAME
from contract.payloads import Alert, SensingAnswer, SensingRequest
from hub.database import consents, times
from hub.database.consents import Purpose
from hub.explain import explain
from hub.rules.condition import Condition, Names
from hub.rules.senses import SAMPLES, SENSES
from tests.hub.sensing_steps import answer, asked, heard, visit

__all__ = ["visit"]

CANARY = {
    "position": {"latitude_deg": 35.671236913, "longitude_deg": 139.765013717, "accuracy_m": 7.31369},
    "speed_m_s": 0.2713693,
    "acceleration_m_s2": 1.9313697,
    "body_temperature_c": 38.1713699,
    "blood_pressure": {"systolic_kpa": 10.1713691, "diastolic_kpa": 6.3713695},
    "heart_rate_per_min": 131.713691,
    "ambient_temperature_c": 33.1713697,
    "humidity_percent": 71.3713693,
    "air_pressure_hpa": 1009.713699,
}


def canaries() -> list[bytes]:
    """Each reading as text and as a database, a packet or a memory would hold it; also in the other units of rules."""
    flat = [value for value in CANARY.values() if isinstance(value, float)]
    for inner in (CANARY["position"], CANARY["blood_pressure"]):
        flat += inner.values()
    flat += [10.1713691 / 0.133322387415, 6.3713695 / 0.133322387415, 0.2713693 * 3.6]
    found = [str(value)[:10].encode() for value in flat]
    return found + [struct.pack(form, value) for value in flat for form in (">d", "<d")]


@pytest.mark.row("C11")
@pytest.mark.row("A8")
@pytest.mark.parametrize("case", ["taken", "late", "foreign", "text", "out of range", "rule fails", "withdrawn"])
def test_canaries_in_every_reading_are_found_nowhere(visit, beacons, case, caplog, capsys):
    rules = visit.settings.rules
    if case == "rule fails":
        when = "int(string(heart_rate)) > 300"
        more = f'\n[[treatment]]\nname = "broken"\nwhen = "{when}"\nmessage = "drink"\n'
        text = rules.read_text().replace("# 特別な待遇", f"{more}\n# 特別な待遇", 1)
        rules.write_text(text)
        assert visit.policy.check(), visit.policy.problem
    request = asked(visit)
    wire: list[bytes] = []
    outgoing = visit.engine.poll
    visit.engine.poll = lambda: [wire.append(each.topic.encode() + each.payload) or each for each in outgoing()]
    with structlog.testing.capture_logs() as logs:
        if case == "late":
            visit.later(seconds=31)
        if case == "withdrawn":
            with visit.engine.transaction() as tx:
                consents.withdraw(tx.db, "C0001", Purpose.SENSING, times.text(tx.utc))
        by = "C0002" if case == "foreign" else "C0001"
        if case in ("text", "out of range"):
            bent = {**CANARY, "heart_rate_per_min": "131.713691" if case == "text" else 9131.713691}
            refused = visit.engine.from_terminal("C0001", *bent_answer(visit, request, bent))
            assert refused == "schema"
        else:
            assert answer(visit, request, CANARY, by=by) == ""
        visit.later(seconds=11)
        visit.tick()
        visit.handheld("c01")
        visit.sell(lines=[{"product": "p", "amount_minor": 3000}])
        visit.tick()
        with visit.engine.transaction() as tx:
            visit.hub.say_state(tx, visit.engine.counters)
        visit.listen()
    assert (visit.one("SELECT count(*) FROM alert WHERE kind = 'special_treatment'")[0] == 1) == (
        case in ("taken", "rule fails")
    )
    files = [path for path in visit.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"hub.sqlite", "hub.sqlite-wal"}
    places = {path.name: path.read_bytes() for path in files}
    visit.journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    places |= {f"{path.name} after a checkpoint": path.read_bytes() for path in files if path.exists()}
    printed = capsys.readouterr()
    places |= {"wire": b"".join(wire), "logs": repr(logs).encode(), "log": caplog.text.encode(),
               "printed": (printed.out + printed.err).encode(), "explained": explain(visit.settings.database).text().encode()}  # fmt: skip
    assert b"C0001" in places["wire"]
    for canary in canaries():
        found = [place for place, content in places.items() if canary in content]
        assert not found, f"{canary} is in {found}"
    if case == "rule fails":
        assert visit.counters["rules_failed"] == 1
        assert "could not be computed: broken: " in visit.one("SELECT decided FROM sensing")[0]


def bent_answer(store, request: SensingRequest, readings: dict) -> tuple[str, bytes]:
    """What the contract refuses to make."""
    channel, ids = BY_NAME["sensing_answer"], {"customer": "C0001"}
    data = SensingAnswer(request=request.request, customer="C0001")
    body = json.loads(encode(Message(channel, ids, data, "bent-1", source_of(channel, ids))))
    body["data"]["readings"] = readings
    return topics.topic(channel, "ginza", **ids), json.dumps(body).encode()


@pytest.mark.row("C11")
def test_the_search_would_find_a_reading_that_was_stored(store):
    with store.engine.transaction() as tx:
        tx.db.execute("CREATE TABLE leak (number REAL, text TEXT)")
        tx.db.execute("INSERT INTO leak VALUES (?, ?)", (38.1713699, "131.713691"))
    content = (store.folder / "hub.sqlite-wal").read_bytes()
    found = [canary for canary in canaries() if canary in content]
    assert found == [b"131.713691", struct.pack(">d", 38.1713699)]


@pytest.mark.row("C11")
def test_whatever_an_error_says_of_a_reading_is_not_repeated():
    class Telling:
        def execute(self, values: dict) -> bool:
            raise KeyError(f"there is no {values['heart_rate']}")

    condition = Condition("heart_rate > 1", Names({"heart_rate": 1.0}, {}, frozenset({"heart_rate"})))
    condition._program = Telling()
    finding = condition.find({"heart_rate": 131.713691})
    assert (finding.failed, finding.because) == (True, "heart_rate > 1: KeyError")


@pytest.mark.row("C11")
def test_a_clerk_is_told_the_treatment_and_no_reason(visit):
    answer(visit, asked(visit), CANARY)
    alerts = [data for data in heard(visit, "alert") if isinstance(data, Alert) and data.kind == "special_treatment"]
    assert alerts
    for alert in alerts:
        assert "heart" not in alert.model_dump_json()
        assert "30" not in alert.message.en


@pytest.mark.row("A9")
@pytest.mark.row("C11")
@given(st.dictionaries(st.sampled_from(sorted(SENSES)), st.floats(0.001, 999, allow_subnormal=False)), st.data())
def test_no_value_of_a_reading_is_ever_said(values, data):
    names = data.draw(st.lists(st.sampled_from(sorted(SENSES)), min_size=1, max_size=4))
    sign = data.draw(st.sampled_from([" && ", " || "]))
    ways = [
        "{0} >= 5000",
        "{0} < 0",
        "int(string({0})) == 7",
        "{0} * 2.0 > 3000.0",
        "{0} in [1.0]",
        "visits > 5 && {0} > 0",
    ]
    condition = Condition(
        sign.join(data.draw(st.sampled_from(ways)).format(name) for name in names),
        Names({"visits": 0, **SAMPLES}, {}, frozenset(SENSES)),
    )
    finding = condition.find({"visits": 3, **values})
    said = finding.because.replace(condition.source, "")
    for value in values.values():
        assert str(value) not in said or str(value) in condition.source
    assert not set(finding.values) & set(SENSES)
    assert (finding.missing == 0) == finding.holds
