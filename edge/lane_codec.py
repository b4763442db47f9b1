"""A lane's state as JSON, for the row that survives a loss of power."""

from __future__ import annotations

import json
from dataclasses import fields

from contract.payloads import Incentive
from edge.lane import Lane, Phase

_TIMES = ("deadline", "print_deadline")
"""Monotonic times mean nothing after a restart."""


def to_json(lane: Lane) -> str:
    """The state as JSON, without its time limits."""
    plain = {f.name: getattr(lane, f.name) for f in fields(lane) if f.name not in _TIMES}
    plain["incentive"] = lane.incentive.model_dump(mode="json") if lane.incentive else None
    return json.dumps(plain, ensure_ascii=False)


def from_json(text: str) -> Lane:
    """The state that `to_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
    plain = json.loads(text)
    plain["phase"] = Phase(plain["phase"])
    plain["incentive"] = Incentive.model_validate(plain["incentive"]) if plain["incentive"] else None
    return Lane(**plain)
