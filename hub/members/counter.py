"""At the counter: a clerk has seen the person and confirms the claim that her terminal shows. For programs of the store.

GET  /api/v1/members/claims                     what waits: number, since when, the record it may be
POST /api/v1/members/claims/{number}/confirm    {"clerk": ID, "customer": ID or nothing}; 409 with a sentence
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import BaseModel, ConfigDict

from contract.payloads import Id
from delivery.node import Node
from hub.members.claims import ClaimRefused, Claims


class Confirmation(BaseModel):
    """`customer`: the earlier record, where the hub knows none or another."""

    model_config = ConfigDict(extra="forbid")

    clerk: Id
    customer: Id | None = None


def router(claims: Claims, node: Node, who: Callable[..., str]) -> APIRouter:
    """The routes; `who` is the caller's name by API key."""
    routes, caller_named = APIRouter(prefix="/api/v1/members/claims", tags=["members"]), Depends(who)

    @routes.get("", dependencies=[caller_named])
    async def waiting() -> list[dict[str, Any]]:
        with node.transaction() as tx:
            return [
                {"number": claim.number, "begun": claim.begun, "expires": claim.expires, "customer": claim.customer}
                for claim in claims.waiting(tx)
            ]

    @routes.post("/{number}/confirm")
    async def confirm(
        number: Annotated[str, Path(max_length=20)], given: Confirmation, caller: str = caller_named
    ) -> dict[str, str]:
        try:
            with node.transaction() as tx:
                return {"customer": claims.confirm(tx, number, f"{given.clerk} ({caller})", given.customer)}
        except ClaimRefused as refused:
            raise HTTPException(409, str(refused)) from None

    return routes
