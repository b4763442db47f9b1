"""Codes that a lane refuses: the hub is told of each, as long as nobody floods the reader with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from contract.exit_code import ExitClaims
from contract.payloads import By, LaneRefused
from delivery.node import Node

log = structlog.get_logger()

REFUSALS_PER_S, REFUSALS_BURST = 2.0, 20.0
"""Refused codes that are told to the hub. A reader that floods is counted, not forwarded."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The lane has refused a code; `reason` as in `contract.payloads.LaneRefused`."""

    reason: str


class LaneRefusals:
    """Of one lane; `counters` are the lane's. `on_refused` hears of each, also of those that the hub is not told of."""

    def __init__(self, lane: str, node: Node, counters: Counter[str], on_refused: Callable[[Refused], None]) -> None:
        self._lane, self._node, self._counters, self._on_refused = lane, node, counters, on_refused
        self._allowance, self._allowance_at = REFUSALS_BURST, 0.0

    def refuse(self, reason: str, detail: str, claims: ExitClaims | None, by: By = "qr") -> None:
        """Tell the hub, in a transaction of its own. Raises sqlite3.Error: then nothing was told or counted."""
        now = self._node.engine.clock.monotonic()
        allowance = min(REFUSALS_BURST, self._allowance + (now - self._allowance_at) * REFUSALS_PER_S)
        if allowance >= 1:
            log.warning("exit code refused", lane=self._lane, reason=reason, detail=detail)
            code_id = claims.code_id if claims else None
            with self._node.transaction() as tx:
                data = LaneRefused.model_validate(
                    {"reason": reason, "detail": detail[:500], "code_id": code_id, "by": by, "scanned": tx.utc}
                )
                tx.send("lane_refused", data, lane=self._lane)
            allowance -= 1
        else:
            self._counters["refused_untold"] += 1
        self._allowance, self._allowance_at = allowance, now
        self._counters["refused"] += 1
        self._counters[f"refused_{reason}"] += 1
        self._on_refused(Refused(reason))
