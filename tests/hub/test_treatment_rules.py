"""Rules as a manager writes them: every combination, treatment by readings, mistakes with their place (rows A6, A8, A9, A10, C7)."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from pathlib import Path

import pytest

import config
from config.hub_settings import load_hub
from config.load import SettingsError
from contract.payloads import BloodPressure, Position, Reading, Readings
from hub.rules import senses
from hub.rules.checking import check_rules
from hub.rules.condition import Condition, ConditionError, Names
from hub.rules.policy import read_policy
from hub.rules.reload import RunningPolicy
from hub.rules.senses import SENSES
from hub.trial import Purchase, numbers, try_rules

SHIPPED = Path(config.__file__).parent / "shipped"
DOCS = Path(config.__file__).parents[1] / "docs" / "rules.md"


@pytest.fixture
def settings(tmp_path):
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    return load_hub(tmp_path / "hub.toml")


def with_rules(settings, text: str):
    """The shipped ranks with these rules instead of the shipped ones."""
    ranks = (SHIPPED / "rules.toml").read_text().partition("# 接客が必要")[0]
    settings.rules.write_text(f"{ranks}\n{text}")
    return read_policy(settings)


def treatment(when: str, message: str = "drink", name: str = "t") -> str:
    return f"[[treatment]]\nname = '{name}'\nwhen = '''{when}'''\nmessage = '{message}'\n"


def customer(**values):
    return {"rank": 0, "visits": 0, "average_purchase": 0, "points": 0, "spent": 0, **values}


# --- who is good

PARTS = {
    "rank >= gold": {"rank": 2},
    "visits >= 30": {"visits": 30},
    "average_purchase >= 8000": {"average_purchase": 8000},
}


@pytest.mark.row("A6")
@pytest.mark.row("C7")
@pytest.mark.parametrize("sign", ["&&", "||"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_combination_of_rank_visits_and_average_purchase(settings, sign, count):
    for parts in itertools.combinations(PARTS, count):
        policy = with_rules(settings, f"[[good_customer]]\nname = 'r'\nwhen = '{f' {sign} '.join(parts)}'\n")
        for given_parts in itertools.chain.from_iterable(itertools.combinations(PARTS, n) for n in range(4)):
            values = customer(**{name: value for part in given_parts for name, value in PARTS[part].items()})
            decision = policy.is_good(values)
            met = [part in given_parts for part in parts]
            assert decision.holds == (all(met) if sign == "&&" else any(met)), (parts, given_parts)
            said = [part for part in PARTS if part in decision.because]
            if decision.holds:
                assert said == (list(parts) if sign == "&&" else [next(p for p in parts if p in given_parts)])
            else:  # of alternatives the nearest, of a conjunction all that lack
                assert set(said) <= set(parts) - set(given_parts)
                assert len(said) == (1 if sign == "||" else met.count(False))


@pytest.mark.row("A6")
def test_the_first_rule_that_holds_decides(settings):
    rules = "".join(f"[[good_customer]]\nname = 'r{n}'\nwhen = 'visits >= {n}'\n" for n in (30, 20, 10))
    policy = with_rules(settings, rules)
    assert [policy.is_good(customer(visits=n)).rule for n in (35, 25, 15, 9)] == ["r30", "r20", "r10", "r10"]


# --- special treatment


@pytest.mark.row("A9")
@pytest.mark.row("A10")
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_two_three_or_more_readings(settings, count):
    readings = {"heart_rate": 120.0, "ambient_temperature": 33.0, "humidity": 80.0, "body_temperature": 38.2}
    parts = [f"{name} >= {value}" for name, value in readings.items()][:count]
    policy = with_rules(settings, treatment(" && ".join(parts)))
    decision, rule = policy.treat({**customer(), **readings})
    assert decision.holds
    assert rule.message == "drink"
    assert decision.because == " and ".join(parts)
    for name in list(readings)[:count]:
        lower, rule = policy.treat({**customer(), **readings, name: readings[name] - 0.1})
        assert (lower.holds, rule) == (False, None)
        assert lower.because == f"{name} >= {readings[name]}"
        without = {key: value for key, value in readings.items() if key != name}
        assert policy.treat({**customer(), **without})[0].because == f"{name} is not known"


@pytest.mark.row("A9")
@pytest.mark.parametrize(
    ("pressure", "holds"), [(89.0, True), (90.0, False), (120.0, False), (160.0, False), (161.0, True)]
)
def test_the_shipped_rule_for_who_is_unwell_below_and_above_limits(settings, pressure, holds):
    readings = Readings(
        speed_m_s=0.4, blood_pressure=BloodPressure(systolic_kpa=pressure * 0.133322387415, diastolic_kpa=9.0)
    )
    policy = read_policy(settings)
    decision, _ = policy.treat({**customer(), **senses.values(readings, policy.readings)})
    assert decision.holds is holds
    assert not re.search(r"\bis \d", decision.because)


@pytest.mark.row("A8")
def test_only_what_rules_name_is_asked_for(settings):
    assert read_policy(settings).readings == (
        Reading.SPEED, Reading.BLOOD_PRESSURE, Reading.HEART_RATE, Reading.AMBIENT_TEMPERATURE)  # fmt: skip
    assert with_rules(settings, treatment("visits > 3 && diastolic_mmhg > 90")).readings == (Reading.BLOOD_PRESSURE,)
    assert with_rules(settings, "").readings == ()
    assert {sense.reading for sense in SENSES.values()} == set(Reading)


@pytest.mark.row("A8")
def test_every_reading_has_its_names_in_units():
    readings = Readings(
        position=Position(latitude_deg=35.5, longitude_deg=139.5), speed_m_s=1.0, acceleration_m_s2=2.0, body_temperature_c=36.5,
        blood_pressure=BloodPressure(systolic_kpa=16.0, diastolic_kpa=10.0), heart_rate_per_min=60.0, ambient_temperature_c=20.0,
        humidity_percent=50.0, air_pressure_hpa=1013.0)  # fmt: skip
    found = senses.values(readings, tuple(Reading))
    assert set(found) == set(SENSES)
    assert found["systolic_mmhg"] == pytest.approx(120.01, abs=0.01)
    assert found["speed_kmh"] == pytest.approx(3.6)
    assert senses.values(readings, (Reading.HUMIDITY,)) == {"humidity": 50.0}
    assert senses.given(readings) == tuple(Reading)
    assert senses.typed(
        {name: found[name] for name in found if name not in ("systolic_kpa", "diastolic_kpa", "speed_kmh")}
    )


# --- mistakes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            treatment("heart_rat >= 100"),
            r"treatment 't' \(line \d+\), when: column 1: 'heart_rat' is not known; possible are .*; did you mean 'heart_rate'",
        ),
        (treatment("heart_rate > 'x'"), "treatment 't' .*column 1: heart_rate > 'x'.*"),
        (treatment("heart_rate / 2 > 50"), "column 1: .*float / int"),
        (treatment("heart_rate"), "a condition must be true or false"),
        (
            treatment("heart_rate > 1", "drinks"),
            r"message: 'drinks' is not in \[treatment\] of messages.toml; there: drink, rest_room",
        ),
        (treatment("heart_rate > 1") * 2, "treatment 't' stands here twice"),
        ("[[treatment]]\nname = 't'\nwhen = 'speed > 1'\n", "treatment.0.message is missing"),
        ("[[treatment]]\nname = 't'\nwhem = 'speed > 1'\nmessage = 'drink'\n", "did you mean 'when'"),
        ("[[good_customer]]\nname = 'g'\nwhen = 'heart_rate > 100'\n", "good_customer 'g' .*'heart_rate' is not known"),
    ],
)
def test_mistakes_in_rules_of_treatment(settings, text, sentence):
    with pytest.raises(SettingsError, match=sentence) as found:
        with_rules(settings, text)
    assert str(found.value).startswith(str(settings.rules))


def test_a_message_with_a_place_that_nothing_fills(settings):
    settings.messages.write_text(settings.messages.read_text().replace("Bring {name} a drink", "Bring {nam} a drink"))
    with pytest.raises(SettingsError, match=r"nothing can fill \{nam\}"):
        read_policy(settings)


def test_a_rank_may_not_have_the_name_of_a_reading(settings):
    settings.rules.write_text(settings.rules.read_text().replace('name = "silver"', 'name = "humidity"'))
    with pytest.raises(SettingsError, match="rank 'humidity' has the name of a value"):
        read_policy(settings)


@pytest.mark.row("C7")
def test_what_fails_at_run_time_is_said_and_the_next_rule_is_tried(settings):
    rules = "[[good_customer]]\nname = 'a'\nwhen = '100 / visits > 3'\n[[good_customer]]\nname = 'b'\nwhen = 'points >= 10'\n"
    policy = with_rules(settings, rules)
    decision = policy.is_good(customer(points=10))
    assert (decision.holds, decision.rule, len(decision.failed)) == (True, "b", 1)
    assert "b: yes, points >= 10 (points is 10); could not be computed: a: 100 / visits > 3: division by zero" in str(
        decision
    )
    nearest = policy.is_good(customer(points=9))
    assert str(nearest).startswith("no, nearest b: points >= 10 (points is 9); could not be computed: a: ")
    with pytest.raises(ConditionError):
        Condition("1 / 0 > nobody", Names(customer(), {}))


def test_a_rule_that_fails_is_counted_and_the_visit_goes_on(store, beacons):
    rules = store.settings.rules
    when = 'when = "rank >= gold || visits >= 30 && average_purchase >= 8000"'
    text = rules.read_text()
    assert when in text
    text = text.replace(when, 'when = "100 / (visits - 48) > 3"')
    rules.write_text(text)
    os.utime(rules, ns=(1, 1))
    assert store.policy.check()
    visit = store.sight(beacons[0])[0]
    assert not visit.data.good
    assert "division by zero" in visit.data.decided
    assert store.counters["rules_failed"] == 1


def test_reload_takes_treatments_and_refuses_bad_ones(settings):
    running = RunningPolicy(settings)
    good = settings.rules.read_text()

    def write(path: Path, text: str, stamp: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(stamp, stamp))

    write(settings.rules, good.replace("heart_rate >= 100", "heart_rate >= 150"), 1)
    assert running.check()
    hot = {**customer(), "ambient_temperature": 35.0, "heart_rate": 120.0}
    assert not running.current.treat(hot)[0].holds
    write(settings.rules, good.replace('message = "drink"', 'message = "wine"'), 2)
    assert not running.check()
    assert "'wine' is not in [treatment]" in (running.problem or "")
    words = settings.messages.read_text()
    write(settings.messages, words.replace("drink = {", "wine = {"), 3)
    assert running.check()
    assert running.problem is None
    assert running.current.treat(hot)[1].message == "wine"
    write(settings.messages, words, 4)  # the table loses what a rule needs: refused as well
    assert not running.check()
    assert running.current.treat(hot)[1].message == "wine"
    assert running.refusals == 2


# --- the commands and the manual


def test_check_says_what_there_is_and_what_nothing_uses(settings):
    report = check_rules(settings.rules.parent / "hub.toml")
    assert "1 rule for good customers, 2 special treatments" in report
    assert "asked for: speed, blood_pressure, heart_rate, ambient_temperature" in report
    assert report.endswith("no mistakes found")
    with_rules(settings, treatment("humidity > 3"))
    assert "note: message 'rest_room' is used by no rule" in check_rules(settings.rules.parent / "hub.toml")


@pytest.mark.row("C7")
@pytest.mark.row("A9")
def test_try_says_what_would_happen_and_changes_nothing(store):
    path = store.folder / "hub.toml"
    before = store.all("SELECT count(*) FROM trace")
    trial = try_rules(path, "C0001", "ambient_temperature=31, heart_rate=110", Purchase(3000))
    text = trial.text()
    assert "vip: yes, rank >= gold (rank is gold)" in text
    assert "to c01 (main), c02 (deputy), c03 (deputy)" in text
    assert "asks her terminal for  no: she has not agreed to it" in text
    assert "thirsty: yes, ambient_temperature >= 30 and heart_rate >= 100 (" in text
    assert "Bring 山田 花子 a drink." in text
    assert "thanks-200: yes, amount >= 1000 (amount is 3000)" in text
    found = json.loads(trial.json())
    assert (found["customer"], found["special_treatment"]["treatment"]) == ("C0001", "drink")
    near = try_rules(path, "C0001", "ambient_temperature=31,heart_rate=99").text()
    assert "no, nearest thirsty: heart_rate >= 100 (heart_rate is 99)" in near
    other = try_rules(path, "C0002", "heart_rate=99").text()
    assert "no, nearest vip: rank >= gold (rank is silver)" in other
    assert "only good customers' terminals are asked" in other
    assert store.all("SELECT count(*) FROM trace") == before


@pytest.mark.parametrize(
    ("who", "sensing", "sentence"),
    [
        ("C9", "", "nobody has the customer ID 'C9'"),
        ("C0001", "heart_rat=1", "did you mean 'heart_rate'"),
        ("C0001", "heart_rate=900", "less than or equal to 250"),
        ("C0001", "heart_rate=fast", "wants a number"),
        ("C0001", "heart_rate", "wants '=' and a number"),
        ("C0001", "systolic_mmhg=80", "blood pressure needs systolic and diastolic"),
    ],
)
def test_mistakes_of_who_tries(store, who, sensing, sentence):
    with pytest.raises(ValueError, match=sentence):
        try_rules(store.folder / "hub.toml", who, sensing)


def test_numbers():
    assert numbers(" a = 1 ,b=2.5,") == {"a": 1.0, "b": 2.5}
    assert numbers("") == {}


def test_the_examples_of_the_manual_are_rules(settings):
    """docs/rules.md: what stands there in TOML is read, and decides."""
    blocks = re.findall(r"```toml\n# (\S+)\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == ["rules.toml", "rules.toml", "messages.toml", "coupons.toml", "hub.toml"]
    words = settings.messages.read_text()
    table = blocks[2][1].replace("[treatment]\n", "")
    settings.messages.write_text(re.sub(r"(?s)\[treatment\]\n.*?\n\n", f"[treatment]\n{table}\n", words))
    assert settings.coupons is not None
    settings.coupons.write_text(blocks[3][1])
    policy = with_rules(settings, blocks[0][1] + blocks[1][1])
    assert [rule.name for rule in policy.coupons.file.coupon] == ["womens-clothes-40s", "tableware"]
    assert [name for name, _ in policy.good] == ["by-rank", "comes-often-and-buys", "either"]
    cold = {**customer(rank=2), "ambient_temperature": 4.0, "humidity": 95.0}
    assert policy.treat(cold)[1].message == "warm_towel"
    hub = settings.rules.parent / "hub.toml"
    kept = re.sub(r"(?s)\[alerts\].*?\n\n\[sensing\].*?\n\n", "", hub.read_text())
    hub.write_text(f"{kept}\n{blocks[4][1]}")
    read = load_hub(hub)
    assert (read.alerts.escalate_to, read.sensing.every_s) == ("floor_managers", 1800)
    for name in re.findall(
        r"`([a-z_]+)`", DOCS.read_text().partition("| name | unit |")[2].partition("A rule that")[0]
    ):
        assert name in SENSES
