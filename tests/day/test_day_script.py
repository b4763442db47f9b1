"""The script of a day is the same for the same seed, and its independent computation knows its own corners."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from instore.day import oracle
from instore.day.oracle import expected
from instore.day.script import LEFT, PLACES, Person, Sale, Stay, arrivals

PLAIN = Person(
    key="p1", name="x", gender="female", age=45, language="ja", member=True, purposes=frozenset({"service", "sensing", "coupons"}),
    main_clerk="c01", deputies=("c02",), frame="ibeacon:f", identity_key="", visits=0, average_minor=0, sales=(), readings={},
    stays=(Stay(1.0, "door-1", 5.0),),
)  # fmt: skip


def test_the_same_seed_is_the_same_day_in_every_process():
    program = (
        "from instore.day.script import arrivals\n"
        "for one in arrivals(7, 50, 60.0).people: print(one.name, one.readings, one.stays, one.sales, sorted(one.purposes))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in (1, 2)
    }
    assert len(told) == 1
    assert arrivals(7, 50, 60.0) != arrivals(8, 50, 60.0)


def test_a_day_has_something_of_everything():
    day = arrivals(1, 500, 180.0)
    found = expected(day)
    assert {stay.place for person in day.people for stay in person.stays} == set(PLACES)
    assert any(person.identity_key for person in day.people)
    assert any(person.frame for person in day.people)
    assert any(not person.stays for person in day.people)
    assert any(len(person.stays) == 2 for person in day.people)
    assert {kind for _, kind, _ in found.alerts} == {"service_request", "special_treatment"}
    assert {rule for _, rule in found.treatments} == {"thirsty", "unwell"}
    assert {rule for _, rule in found.coupons} == {"womens-clothes-40s", "tableware"}
    assert found.kept < found.coupons
    assert all(stay.at_s + stay.for_s < 180 + 30 for person in day.people for stay in person.stays)


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, False),
        ({"visits": 30, "average_minor": 8000}, True),
        ({"visits": 30, "average_minor": 7999}, False),
        ({"visits": 29, "average_minor": 8000}, False),
        ({"visits": 29, "average_minor": 8000, "sales": (Sale("s", 1, "x", 1, 8000),)}, True),
        ({"visits": 25, "average_minor": 12_000}, True),
        ({"sales": (Sale("s", 1, "x", 1, 299_999),)}, False),
        ({"sales": (Sale("s", 1, "x", 1, 300_000),)}, True),
    ],
)
def test_who_is_good(change, good):
    assert oracle.is_good(replace(PLAIN, **change)) is good


@pytest.mark.parametrize(
    ("main", "deputies", "asked"),
    [
        ("c01", ("c02",), {"c01", "c02"}),
        ("", ("c02",), {"c02"}),
        (LEFT, (), {oracle.FALLBACK}),
        (LEFT, ("c02",), {"c02"}),
    ],
)
def test_who_is_asked(main, deputies, asked):
    assert oracle.clerks(replace(PLAIN, main_clerk=main, deputies=deputies)) == asked


@pytest.mark.parametrize(
    ("readings", "rule"),
    [
        ({"ambient_temperature_c": 30.0, "heart_rate_per_min": 100.0}, "thirsty"),
        ({"ambient_temperature_c": 29.9, "heart_rate_per_min": 131.0}, ""),
        ({"heart_rate_per_min": 131.0}, ""),
        ({"speed_m_s": 0.1, "systolic_kpa": 24.0}, "unwell"),
        ({"speed_m_s": 0.1, "systolic_kpa": 10.0}, "unwell"),
        ({"speed_m_s": 0.1, "systolic_kpa": 15.5}, ""),
        ({"speed_m_s": 0.3, "systolic_kpa": 24.0}, ""),
        (
            {"ambient_temperature_c": 35.5, "heart_rate_per_min": 131.0, "speed_m_s": 0.1, "systolic_kpa": 24.0},
            "thirsty",
        ),
    ],
)
def test_treatment(readings, rule):
    assert oracle.treatment(replace(PLAIN, readings=readings)) == rule
    assert oracle.treatment(replace(PLAIN, readings=readings, purposes=frozenset({"service"}))) == ""
    assert oracle.treatment(replace(PLAIN, readings=readings, member=False)) == ""


def test_who_did_not_agree_to_be_recognised_brings_nothing():
    rich = replace(PLAIN, visits=60, average_minor=12_000, sales=(Sale("s", 1, "食器", 3, 900),))
    day = replace(arrivals(1, 1, 60.0), people=(rich,))
    assert expected(day).alerts
    assert expected(day).coupons
    hidden = replace(day, people=(replace(rich, purposes=frozenset({"sensing", "coupons"})),))
    assert expected(hidden) == oracle.Expected()
