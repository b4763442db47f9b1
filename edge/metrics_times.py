"""How long a lane takes, step by step, as Prometheus histograms. Fed by `edge.lane_runner`; knows no clock."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram

from delivery.metrics import BUCKETS_S
from edge import lane_types as core


@dataclass(slots=True)
class _Lane:
    scanned: float | None = None
    decided: float | None = None
    printing: float | None = None
    paper: str = "no"


class LaneTimes:
    """`step(lane, event, t)` for every event of a lane that was acted on; `t` in monotonic seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def family(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"instore_edge_{name}", text, ["lane", *labels], registry=registry, buckets=BUCKETS_S)

        self._to_decision = family("scan_to_decision_seconds", "From a code's last byte to the hub's decision.")
        self._to_gate = family(
            "decision_to_gate_seconds", "From the decision to open until the gate took the command.", "paper"
        )
        self._print = family("print_seconds", "From a coupon's first byte to the printer's confirmation.")
        self._lanes: dict[str, _Lane] = {}

    def step(self, lane: str, event: core.Event, t: float) -> None:
        now = self._lanes.setdefault(lane, _Lane())
        match event:
            case core.CodeAccepted():
                self._lanes[lane] = _Lane(scanned=t)
            case core.Decided() if now.scanned is not None:
                self._to_decision.labels(lane=lane).observe(t - now.scanned)
                now.scanned = None
                now.decided = t if event.decision.outcome == "open" else None
            case core.PrintSent():
                now.printing, now.paper = t, "yes"
            case core.PrintEnded() if now.printing is not None:
                if event.outcome == "printed":
                    self._print.labels(lane=lane).observe(t - now.printing)
                now.printing = None
            case core.GateTook() if now.decided is not None:
                self._to_gate.labels(lane=lane, paper=now.paper).observe(t - now.decided)
                now.decided = None
            case _:
                pass
