"""The manager's page asks here; each request carries a manager's key.

GET /manager/api/overview               broker, database, rules, agents, devices, numbers of today; lanes that call, incidents
GET /manager/api/days                   days on which somebody came
GET /manager/api/visits?day=&search=    visits of a day with what was decided
GET /manager/api/visits/{visit}         one visit, or a customer's newest: every hop and every decision
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi import Path as InPath

from contract.payloads import ClientState
from delivery.node import Node
from hub.core import Hub
from hub.database import lane_calls, reports
from hub.database.lane_calls import CallRow
from hub.days import store_day
from hub.disk_probe import DiskProbe
from hub.explain import NothingToExplain, as_dict, explain_from
from hub.rules.reload import RunningPolicy

VISITS_MAX = 500
DAYS_MAX = 60
INCIDENTS_MAX = 30


def router(hub: Hub, node: Node, policy: RunningPolicy, disk: DiskProbe, who: Callable[..., str]) -> APIRouter:
    """The routes; `who` lets managers in."""
    routes = APIRouter(prefix="/manager/api", tags=["manager"], dependencies=[Depends(who)])
    own = _Asked(hub, node, policy, disk)

    @routes.get("/overview")
    async def overview() -> dict[str, Any]:
        return own.overview()

    @routes.get("/days")
    async def days() -> list[str]:
        return reports.days(own.db, DAYS_MAX)

    @routes.get("/visits")
    async def visits(
        day: Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "",
        search: Annotated[str, Query(max_length=100)] = "",
    ) -> list[dict[str, Any]]:
        return own.visits(day or own.today(), search.strip())

    @routes.get("/visits/{visit}")
    async def visit(visit: Annotated[str, InPath(max_length=128)]) -> dict[str, Any]:
        """A visit's ID, or a customer's: then her newest."""
        try:
            return as_dict(explain_from(own.db, reports.latest_visit_of(own.db, visit) or visit))
        except NothingToExplain as error:
            raise HTTPException(404, str(error)) from None

    return routes


class _Asked:
    """What the routes answer with."""

    def __init__(self, hub: Hub, node: Node, policy: RunningPolicy, disk: DiskProbe) -> None:
        self._hub, self._node, self._policy, self._disk = hub, node, policy, disk
        self.db = node.engine.journal.db

    def today(self) -> str:
        return store_day(self._node.engine.clock.utc(), self._hub.settings.store.zone)

    def overview(self) -> dict[str, Any]:
        hub, store = self._hub, self._hub.settings.store
        return {
            "store": {
                "id": store.id,
                "name": {"ja": store.name.ja, "en": store.name.en},
                "currency": store.currency,
                "time_zone": store.time_zone,
            },
            "today": self.today(),
            "trouble": {
                "database": self._disk.trouble() or "",
                "broker": self._node.link.trouble or "",
                "rules": self._policy.problem or "",
            },
            "agents": [self._agent(agent, state) for agent, state in sorted(hub.agents.items())],
            "numbers": reports.day_counts(self.db, self.today()),
            "calls": [self._call(row) for row in lane_calls.open_calls(self.db)],
            "incidents": [asdict(row) for row in lane_calls.incidents(self.db, self.today(), INCIDENTS_MAX)],
            "waiting": self._node.engine.unacknowledged(),
        }

    def _call(self, row: CallRow) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("agent", "lane", "reason", "detail", "since", "state", "holder")}

    def _agent(self, agent: str, state: ClientState) -> dict[str, Any]:
        fleet, now = self._hub.fleet, self._node.engine.clock.monotonic()
        beat = fleet.beats.get(agent)
        online = fleet.online(self._hub.agents)
        return {
            "agent": agent,
            "there": state is ClientState.READY,
            "heard_s": None if beat is None else round(now - beat.at, 1),
            "waiting": 0 if beat is None else beat.beat.unacknowledged,
            "devices": [
                {"device": device, "online": on} for (owner, device), on in sorted(online.items()) if owner == agent
            ],
        }

    def visits(self, day: str, search: str) -> list[dict[str, Any]]:
        lines = reports.visits(self.db, day, search, VISITS_MAX)
        by_visit: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for alert in reports.alerts(self.db, [line.visit for line in lines]):
            by_visit[alert.visit].append(asdict(alert))
        return [{**asdict(line), "alerts": by_visit[line.visit]} for line in lines]
