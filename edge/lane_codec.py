"""A lane's state as JSON, for the row that survives a loss of power, and an upgrade of this program."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from contract.payloads import Incentive
from edge.lane_types import Ended, Lane, Phase

_TIMES = ("deadline", "print_deadline")
"""Monotonic times mean nothing after a restart."""
_KEPT = tuple(f.name for f in fields(Lane) if f.name not in _TIMES)


def to_json(lane: Lane) -> str:
    """The state as JSON, without its time limits."""
    plain = {name: getattr(lane, name) for name in _KEPT}
    plain["incentive"] = lane.incentive.model_dump(mode="json") if lane.incentive else None
    plain["ended"] = [asdict(ended) for ended in lane.ended]
    return json.dumps(plain, ensure_ascii=False)


def from_json(text: str) -> Lane:
    """The state that `to_json` wrote, of this version or another one: what it does not know is left out, what is missing has
    its default. Raises ValueError, KeyError, TypeError or AttributeError for anything else."""
    plain = json.loads(text)
    known = {name: plain[name] for name in _KEPT if name in plain}
    known["phase"] = Phase(plain["phase"])
    known["incentive"] = Incentive.model_validate(plain["incentive"]) if plain.get("incentive") else None
    ended = plain.get("ended") or []
    known["ended"] = tuple(Ended(**each) for each in ([ended] if isinstance(ended, dict) else ended))
    return Lane(**known)
