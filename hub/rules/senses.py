"""What treatment rules may name: the readings of a customer's terminal, in SI units, with some other units for convenience.

Rows A8, A9. Values live in memory for as long as one decision takes: nothing here keeps or says them (row C11).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from contract.payloads import BloodPressure, Position, Reading, Readings

KPA_PER_MMHG = 0.133322387415
"""Conventional millimetre of mercury, ISO 80000-4."""
M_S_PER_KMH = 1 / 3.6


@dataclass(frozen=True, slots=True)
class Sense:
    """One name: which reading it needs, its unit, and how it is taken from the readings."""

    reading: Reading
    unit: str
    path: str
    """Where it stands in `contract.payloads.Readings`."""
    si: float = 1.0
    """So many of the message's unit make one of this."""


SENSES: Mapping[str, Sense] = {
    "latitude": Sense(Reading.POSITION, "°", "position.latitude_deg"),
    "longitude": Sense(Reading.POSITION, "°", "position.longitude_deg"),
    "speed": Sense(Reading.SPEED, "m/s", "speed_m_s"),
    "speed_kmh": Sense(Reading.SPEED, "km/h", "speed_m_s", M_S_PER_KMH),
    "acceleration": Sense(Reading.ACCELERATION, "m/s²", "acceleration_m_s2"),
    "body_temperature": Sense(Reading.BODY_TEMPERATURE, "°C", "body_temperature_c"),
    "systolic_kpa": Sense(Reading.BLOOD_PRESSURE, "kPa", "blood_pressure.systolic_kpa"),
    "diastolic_kpa": Sense(Reading.BLOOD_PRESSURE, "kPa", "blood_pressure.diastolic_kpa"),
    "systolic_mmhg": Sense(Reading.BLOOD_PRESSURE, "mmHg", "blood_pressure.systolic_kpa", KPA_PER_MMHG),
    "diastolic_mmhg": Sense(Reading.BLOOD_PRESSURE, "mmHg", "blood_pressure.diastolic_kpa", KPA_PER_MMHG),
    "heart_rate": Sense(Reading.HEART_RATE, "per minute", "heart_rate_per_min"),
    "ambient_temperature": Sense(Reading.AMBIENT_TEMPERATURE, "°C", "ambient_temperature_c"),
    "humidity": Sense(Reading.HUMIDITY, "%", "humidity_percent"),
    "air_pressure": Sense(Reading.AIR_PRESSURE, "hPa", "air_pressure_hpa"),
}
SAMPLES: Mapping[str, float] = dict.fromkeys(SENSES, 1.0)


def asked_for(names: tuple[str, ...]) -> tuple[Reading, ...]:
    """The readings that these names need, each once, in the order of the contract."""
    needed = {SENSES[name].reading for name in names if name in SENSES}
    return tuple(reading for reading in Reading if reading in needed)


def values(readings: Readings, asked: tuple[Reading, ...]) -> dict[str, float]:
    """Every name that these readings give. What was not asked for is not looked at, what is missing is not there."""
    found = {}
    for name, sense in SENSES.items():
        value = _at(readings, sense.path) if sense.reading in asked else None
        if value is not None:
            found[name] = float(value) / sense.si
    return found


def given(readings: Readings) -> tuple[Reading, ...]:
    """Which readings there are."""
    names = (name for name in Readings.model_fields if getattr(readings, name) is not None)
    return tuple(reading for name in names for reading in Reading if name.startswith(reading.value))


def typed(words: Mapping[str, float]) -> Readings:
    """Readings that somebody typed, by the names of rules (`instore rules try`). Raises ValueError: a sentence."""
    flat: dict[str, Any] = {}
    for name, value in words.items():
        sense = SENSES.get(name)
        if sense is None:
            close = difflib.get_close_matches(name, SENSES, n=1)
            raise ValueError(f"{name!r} is no reading; " + (f"did you mean {close[0]!r}?" if close else f"known: {', '.join(SENSES)}"))  # fmt: skip
        flat[sense.path] = value * sense.si
    pressure = {path.partition(".")[2]: flat.pop(path) for path in list(flat) if path.startswith("blood_pressure.")}
    position = {path.partition(".")[2]: flat.pop(path) for path in list(flat) if path.startswith("position.")}
    if len(pressure) == 1 or len(position) == 1:
        raise ValueError("blood pressure needs systolic and diastolic, a position latitude and longitude")
    try:
        if pressure:
            flat["blood_pressure"] = BloodPressure(**pressure)
        if position:
            flat["position"] = Position(**position)
        return Readings(**flat)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise ValueError(f"{first['loc'][-1]}: {first['msg']}; found {first['input']}") from None


def _at(readings: Readings, path: str) -> Any:
    outer, _, inner = path.partition(".")
    found = getattr(readings, outer)
    return getattr(found, inner) if inner and found is not None else found
