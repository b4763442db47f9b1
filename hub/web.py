"""The hub's HTTP side: sales from the POS, traces, health, metrics, pages. Runs in the hub's own loop: no thread touches SQLite.

     /api/v1/sales/…          Authorization: Bearer KEY; transactions and voids: `hub.pos_api`
     /api/v1/customers/{id}   Authorization: Bearer KEY; rank and points, for a till
     /api/v1/coupons/…        Authorization: Bearer KEY; `hub.offers.api`
     /api/v1/payments/…       signed by the payment provider; what became of a payment: `hub.shopping.api`
GET  /api/v1/trace/{visit}    Authorization: Bearer KEY; `last` for the newest
     /member/…                the member's page, its API and WebSocket, and the counter's API: `hub.members`
GET  /healthz                 200, or 503 when the database can't be written
GET  /metrics                 Prometheus
     /manager/…               the manager's page and what it asks for: `hub.manager.api`
GET  /handheld/               the clerk's page, with /handheld/config.json; each folder of `pages` is served by its name
"""

from __future__ import annotations

import hmac
import sqlite3
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from delivery.node import Node
from hub import pos_api
from hub.body_limit import BodyLimit
from hub.core import Hub
from hub.disk_probe import DiskProbe
from hub.explain import NothingToExplain, as_dict, explain_from
from hub.giving.push_endpoint import Wire
from hub.manager import api as manager_api
from hub.members import web as members_web
from hub.metrics import Metrics
from hub.offers import api as coupons_api
from hub.pos_api import RefusedPosts
from hub.rules.reload import RunningPolicy
from hub.sale_shapes import SaleRefused

PAGES = Path(__file__).parent / "pages"
BODY_MAX_BYTES = 1024 * 1024
_BEARER = HTTPBearer(auto_error=False, scheme_name="api-key", description="One of http.api_keys_file.")
"""For the OpenAPI document."""


class Gate:
    """Who may use the API: `keys` is name by key."""

    def __init__(self, keys: dict[str, str], where: str = "http.api_keys_file") -> None:
        self._keys, self._where = keys, where

    def __call__(
        self,
        authorization: Annotated[str, Header(include_in_schema=False)] = "",
        _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)] = None,
    ) -> str:
        """The caller's name. Every key is compared, in constant time."""
        scheme, _, given = authorization.partition(" ")
        found = [name for key, name in self._keys.items() if hmac.compare_digest(key.encode(), given.strip().encode())]
        if scheme.lower() == "bearer" and found:
            return found[0]
        why = f"send one of {self._where} as 'Authorization: Bearer KEY'" if self._keys else f"{self._where} is not set"
        raise HTTPException(401, f"no valid API key; {why}", {"WWW-Authenticate": "Bearer"})


def build(hub: Hub, node: Node, policy: RunningPolicy, api_keys: dict[str, str], *, mail_password: str = "",
          manager_keys: dict[str, str] | None = None, payment_secret: str = "", push_wire: Wire | None = None) -> FastAPI:  # fmt: skip
    """The application; it holds no state of its own but which terminals are connected. Raises SettingsError."""
    app = FastAPI(title=f"instore hub, {hub.settings.store.id}", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, max_bytes=BODY_MAX_BYTES)
    disk = DiskProbe(node)
    gate, metrics = Gate(api_keys), Metrics(hub, node, policy, disk)
    _errors(app, disk, RefusedPosts(hub, node, gate))
    _api(app, node, gate)
    app.include_router(pos_api.router(hub, node, gate))
    app.include_router(coupons_api.router(hub.redeeming, node, gate))
    members_web.attach(app, hub, node, gate, mail_password=mail_password, payment_secret=payment_secret,
                       push_wire=push_wire)  # fmt: skip
    app.include_router(
        manager_api.router(hub, node, policy, disk, Gate(manager_keys or {}, "http.api_keys_file, [managers]"))
    )
    _state(app, node, policy, metrics, disk)
    _pages(app, hub)
    return app


def _errors(app: FastAPI, probe: DiskProbe, posts: RefusedPosts) -> None:
    """Every error is one sentence in `error`."""

    async def sentence(_request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = [".".join(str(part) for part in item["loc"][1:]) or "body" for item in error.errors()]
        problems = [f"{field}: {item['msg']}" for field, item in zip(fields, error.errors(), strict=True)]
        told = "; ".join(problems[:5])
        posts.invalid(request, error, told)
        return JSONResponse({"error": told, "field": fields[0]}, 422)

    async def disk(_request: Request, error: Exception) -> Response:
        assert isinstance(error, sqlite3.Error)
        probe.failed(error)
        # The POS posts again; a sale posted twice counts once.
        return JSONResponse({"error": f"the database can't be used now ({error}); nothing was taken, try again"}, 503)

    app.add_exception_handler(StarletteHTTPException, sentence)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SaleRefused, posts.refused)
    app.add_exception_handler(sqlite3.Error, disk)


def _api(app: FastAPI, node: Node, gate: Gate) -> None:
    who = Depends(gate)  # as a default value: an annotation can't name what is local here

    @app.get("/api/v1/trace/{visit}", dependencies=[who])
    async def trace(visit: str) -> dict[str, Any]:
        try:
            return as_dict(explain_from(node.engine.journal.db, None if visit == "last" else visit))
        except NothingToExplain as error:
            raise HTTPException(404, str(error)) from None


def _state(app: FastAPI, node: Node, policy: RunningPolicy, metrics: Metrics, disk: DiskProbe) -> None:
    @app.get("/healthz")
    async def health(response: Response) -> dict[str, Any]:
        """Without the broker the hub works on: what it says waits in the outbox."""
        trouble = disk.trouble()
        response.status_code = 503 if trouble else 200
        return {
            "database": trouble or "ok",
            "broker": node.link.trouble or "ok",
            "rules": policy.problem or "ok",
            "unacknowledged": node.engine.unacknowledged(),
        }

    @app.get("/metrics")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _pages(app: FastAPI, hub: Hub) -> None:
    @app.get("/handheld/config.json")
    async def handheld() -> dict[str, str]:
        """Where the page finds the broker; the clerk brings the credentials."""
        return {"store": hub.settings.store.id, "ws_url": hub.settings.http.ws_url}

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("/handheld/")

    for folder in sorted(PAGES.glob("[a-z]*/")):
        app.mount(f"/{folder.name}", StaticFiles(directory=folder, html=True), name=folder.name)
