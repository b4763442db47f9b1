"""The POS's way to coupons: look, and use once.

GET  /api/v1/coupons/{coupon}?customer=ID&amount_minor=N   what it is worth, whether it can be used now, and if not why
POST /api/v1/coupons/{coupon}/redeem             body `RedeemPost`; 200 used now (or the same again), 409 can't be used

Both answer with `CouponState`. Of two tills at the same moment one gets 200 and the other 409 `used`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from contract.payloads import Id
from delivery.node import Node
from hub.offers.redeeming import CouponState, Redeeming, RedeemPost

Coupon = Annotated[str, Path(min_length=1, max_length=64, description="As printed or shown; case doesn't matter.")]


def router(redeeming: Redeeming, node: Node, who: Callable[..., str]) -> APIRouter:
    """The routes; `who` is the caller's name by API key."""
    routes, caller_named = APIRouter(prefix="/api/v1/coupons", tags=["coupons"]), Depends(who)

    @routes.get("/{coupon}", dependencies=[caller_named])
    async def look(coupon: Coupon, customer: Annotated[Id | None, Query()] = None,
                   amount_minor: Annotated[int | None, Query(ge=0, le=10**12)] = None) -> CouponState:  # fmt: skip
        """Whether it could be used now, in a sale of this amount; changes nothing."""
        with node.transaction() as tx:
            return redeeming.look(tx, coupon, customer, amount_minor)

    @routes.post("/{coupon}/redeem", responses={409: {"model": CouponState, "description": "It can't be used."}})
    async def redeem(coupon: Coupon, post: RedeemPost, response: Response, caller: str = caller_named) -> CouponState:
        """Use it in a sale, once."""
        with node.transaction() as tx:
            state = redeeming.redeem(tx, coupon, post, caller)
        response.status_code = 200 if state.usable else 409
        return state

    return routes
