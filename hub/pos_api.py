"""The POS's side of the hub: transactions, voids, and what a till may know of a customer. One API key per POS.

POST /api/v1/sales                 201 new, 200 known already; body `SalePost`, answer `SaleTaken` with the exit code
POST /api/v1/sales/{sale}/void     201 voided, 200 known already; body `VoidPost`
GET  /api/v1/sales/{sale}          the transaction as the hub has it
GET  /api/v1/carts/{code}          a customer's list, for a settlement device: `hub.shopping.settlement`
GET  /api/v1/customers/{customer}  rank, points, visits: nothing that says who she is

What is refused is counted by its kind, and the newest refused posts are kept with their reasons (table `quarantine`), so that
a sale which the POS has given up is not lost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from contract.payloads import Id
from delivery.node import Node
from hub.core import Hub
from hub.database import customers, sales, times
from hub.sale_shapes import (
    CartName,
    CartRead,
    CustomerState,
    ErrorBody,
    SaleLine,
    SalePost,
    SaleRead,
    SaleRefused,
    SaleTaken,
    SaleVoided,
    Tender,
    VoidPost,
)

PATH = "/api/v1/sales"
_KNOWN = {
    401: "No valid API key.",
    404: "There is none.",
    409: "It contradicts what was posted before.",
    413: "The body is too large.",
    422: "The body can't be taken; `field` says what is wrong in it.",
    503: "The database can't be written now. Nothing was taken: post it again.",
}


_AS_STORED = ("sale", "customer", "amount_minor", "currency", "paid_on", "device", "day", "posted_by", "points", "void")


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: these answers are errors."""
    return {code: {"model": ErrorBody, "description": _KNOWN[code]} for code in codes}


def router(hub: Hub, node: Node, who: Callable[..., str]) -> APIRouter:
    """The routes; `who` is the caller's name by API key."""
    routes, caller_named = APIRouter(prefix="/api/v1", tags=["sales"]), Depends(who)

    @routes.post(
        "/sales",
        responses={201: {"model": SaleTaken, "description": "It is new."}, **errors(401, 409, 413, 422, 503)},
        response_description="It was known already; nothing was counted again.",
    )
    async def post_sale(sale: SalePost, response: Response, caller: str = caller_named) -> SaleTaken:
        """Post a transaction, again until it is answered: it counts once. Money was paid, so that a customer whom nobody
        knows, or a clock that is ahead, is no reason to refuse it: `problems` says so."""
        with node.transaction() as tx:
            taken = hub.settlement.post(tx, sale, caller)
        response.status_code = 201 if taken.created else 200
        return taken

    @routes.post(
        "/sales/{sale}/void",
        responses={201: {"model": SaleVoided, "description": "It is voided."}, **errors(401, 404, 409, 413, 422, 503)},
        response_description="It was voided already by the same void.",
        dependencies=[caller_named],
    )
    async def void_sale(sale: Annotated[Id, Path()], void: VoidPost, response: Response) -> SaleVoided:
        """Take back all that a transaction brought, once: visit, purchase, points, rank, and its exit code."""
        with node.transaction() as tx:
            voided = hub.purchases.void(tx, sale, void)
        response.status_code = 201 if voided.created else 200
        return voided

    @routes.get("/sales/{sale}", responses=errors(401, 404, 422, 503), dependencies=[caller_named])
    async def read_sale(sale: Annotated[Id, Path()]) -> SaleRead:
        """A transaction as the hub has it."""
        db = node.engine.journal.db
        row = sales.sale(db, sale)
        if row is None:
            raise HTTPException(404, f"sale {sale} was never posted")
        return SaleRead(
            **{name: getattr(row, name) for name in _AS_STORED},
            sold=times.time(row.sold),
            voided=times.time(row.voided) if row.voided else None,
            registered_on=row.registered_on or None,
            lines=[SaleLine(product=product, name=name, category=category, quantity=quantity, amount_minor=amount)
                   for product, name, category, quantity, amount in sales.lines(db, sale)],
            tenders=[Tender(method=method, amount_minor=amount, paid_on=paid_on, device=device)
                     for method, amount, paid_on, device in sales.tenders(db, sale)],
        )  # fmt: skip

    @routes.get("/carts/{code}", responses=errors(401, 404, 422, 503), dependencies=[caller_named])
    async def read_cart(code: Annotated[CartName, Path(description="As shown, read or typed.")]) -> CartRead:
        """The list whose code a customer shows. Changes nothing and holds nothing: the sale names the revision that was read."""
        with node.transaction() as tx:
            return hub.settlement.look(tx, code)

    @routes.get("/customers/{customer}", responses=errors(401, 404, 422, 503), dependencies=[caller_named])
    async def read_customer(customer: Annotated[Id, Path()]) -> CustomerState:
        """What a till shows: rank and points. Nothing that says who she is."""
        row = customers.customer(node.engine.journal.db, customer)
        if row is None:
            raise HTTPException(404, f"nobody has the ID {customer}")
        policy = hub.purchases.policy()
        label = policy.ranks[policy.level(row.rank)].label
        return CustomerState(customer=customer, rank=row.rank, rank_label_ja=label.ja, rank_label_en=label.en,
                             points=row.points, visits=row.visits, average_purchase_minor=row.average_minor)  # fmt: skip

    return routes


class RefusedPosts:
    """What becomes of posts that can't be taken: a sentence for the POS, a count, and the post itself is kept."""

    def __init__(self, hub: Hub, node: Node, who: Callable[[str], str]) -> None:
        self._hub, self._node, self._who = hub, node, who

    async def refused(self, request: Request, error: Exception) -> Response:
        """Handler of SaleRefused."""
        assert isinstance(error, SaleRefused)
        self._keep(request, error.kind, str(error), await request.body())
        more = {} if error.revision is None else {"revision": error.revision}
        return JSONResponse({"error": str(error), "field": error.field, **more}, error.status)

    def invalid(self, request: Request, error: RequestValidationError, sentence: str) -> None:
        """A body that is not of the shape. Not of strangers: they could push out what others have posted."""
        if not request.url.path.startswith(PATH) or request.method != "POST":
            return
        try:
            self._who(request.headers.get("authorization", ""))
        except HTTPException:
            return
        body = error.body if isinstance(error.body, bytes) else json.dumps(error.body, ensure_ascii=False).encode()
        self._keep(request, "invalid", sentence, body)

    def _keep(self, request: Request, kind: str, sentence: str, body: bytes) -> None:
        self._hub.counters[f"sales_refused_{kind}"] += 1
        with suppress(sqlite3.Error), self._node.transaction() as tx:  # refused it is all the same
            self._node.engine.journal.quarantine(times.text(tx.utc), f"POST {request.url.path}", kind, sentence, body)
