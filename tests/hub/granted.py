"""Rules of incentives as a manager writes them, and purchases at lanes in short words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.payloads import LaneDecision
from tests.hub.conftest import Store

RECEIPT = '[incentive.receipt]\nja = [["qr", "{coupon}"]]\nen = [["qr", "{coupon}"]]\n'
HER, JOHN, ICHIRO = "C0001", "C0002", "C0003"


def write(store: Store, *rules: str, top: str = "") -> None:
    """Rules as a manager writes them; what is not said is a coupon of 200 yen."""
    made = []
    for number, rule in enumerate(rules):
        keys = [line.partition("=")[0].strip() for line in rule.splitlines()]
        usual = {
            "name": f'"r{number}"',
            "when": '"true"',
            "kind": '"discount"',
            "title": f'{{ ja = "r{number}", en = "r{number}" }}',
        }
        if "kind" not in keys and not {"amount_minor", "percent", "table", "by_paying"} & set(keys):
            usual["amount_minor"] = "200"
        lines = [f"{key} = {value}" for key, value in usual.items() if key not in keys]
        made.append("\n".join(["[[incentive]]", *lines, rule, RECEIPT]))
    Path(store.settings.incentives).write_text("\n".join([top, *made]), encoding="utf-8")
    store.policy.check()
    assert store.policy.problem is None, store.policy.problem


class Exit:
    """Sales and lanes in short words. Each purchase has its own lane, so that none supersedes another."""

    def __init__(self, store: Store) -> None:
        self.store, self._codes, self._scans = store, {}, 0

    def sell(self, sale: str, customer: str | None = HER, amount: int = 3000, **more: Any) -> None:
        self._codes[sale] = self.store.sell(sale, amount, customer, **more).exit_code

    def scan(self, sale: str, lane: str | None = None) -> Any:
        """The incentive that the lane is told to give, or None."""
        self._scans += 1
        id = f"scan-{sale}-{self._scans}"
        self.store.scan(self._codes[sale], sale=sale, id=id, lane=lane or sale.lower())
        # As it was decided: what waits for an agent that acknowledges nothing is not sent any more.
        return LaneDecision.model_validate_json(
            self.store.one("SELECT decision FROM scan WHERE scan = ?", id)[0]
        ).incentive

    def pass_(self, sale: str, outcome: str = "passed", lane: str | None = None) -> str | None:
        """How the incentive was settled."""
        said = self.store.passage(outcome, scan=f"scan-{sale}-{self._scans}", lane=lane or sale.lower())
        return next((m.data.outcome for m in said if m.channel.name == "incentive_settled"), None)

    def leave(self, sale: str, customer: str | None = HER, amount: int = 3000, **more: Any) -> Any:
        self.sell(sale, customer, amount, **more)
        given = self.scan(sale)
        self.pass_(sale)
        return given

    def why(self) -> str:
        return self.store.one(
            "SELECT summary FROM trace WHERE type = 'decision' AND id LIKE '%.incentive' ORDER BY row DESC"
        )[0]


@pytest.fixture
def exit_(store: Store) -> Exit:
    return Exit(store)
