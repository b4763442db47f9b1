"""A good customer who has agreed, her terminal, and what it answers."""

from __future__ import annotations

import json

import pytest

from config.hub_settings import load_hub
from contract.envelope import Message
from contract.payloads import Readings, SensingAnswer, SensingRequest
from hub.database import consents, times
from hub.database.consents import Purpose

HOT = {"ambient_temperature_c": 31.5, "heart_rate_per_min": 112.0}
UNWELL = {"speed_m_s": 0.3, "blood_pressure": {"systolic_kpa": 11.0, "diastolic_kpa": 7.0}}
WELL = {**HOT, "heart_rate_per_min": 70.0, **UNWELL, "speed_m_s": 1.4}


def agree(store, customer: str = "C0001") -> str:
    with store.engine.transaction() as tx:
        consents.give(tx.db, customer, Purpose.SERVICE, "v1", times.text(tx.utc))
        return consents.give(tx.db, customer, Purpose.SENSING, "v1", times.text(tx.utc))


def connect(store, customer: str = "C0001") -> list[Message]:
    store.hub.terminals.came(customer)
    with store.engine.transaction() as tx:
        for told in store.hub.on_terminal:
            told(customer, tx)
    return [message for message in store.listen() if message.channel.name == "sensing_request"]


def settings(store, **values: object) -> None:
    """Other settings of sensing, in a new process."""
    path = store.folder / "hub.toml"
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
    path.write_text(path.read_text().replace("[sensing]\nwait_s = 30\n", f"[sensing]\n{lines}\n"))
    store.settings = load_hub(path)
    store.restart()


def asked(store) -> SensingRequest:
    (message,) = [each for each in store.tick() if each.channel.name == "sensing_request"]
    return message.data


def answer(store, request: SensingRequest, readings: dict, *, by: str = "C0001", **more) -> str:
    data = SensingAnswer(
        request=request.request, customer=more.pop("customer", by), readings=Readings(**readings), **more
    )
    return store.terminal(by, "sensing_answer", data)


@pytest.fixture
def visit(store, beacons):
    """A visit of a good customer who has agreed, with her terminal there."""
    store.consent = agree(store)
    connect(store)
    store.sight(beacons[0])
    return store


def heard(store, name: str) -> list:
    store.listen()
    return [message.data for message in store.of(name)]
