"""The way over the member's page: the hub's WebSocket tells all her terminals, which keep the coupon and say so."""

from __future__ import annotations

from delivery.node import Node
from hub.database import members
from hub.giving.ways import Never, Parcel, Result, Sent


class AppWay:
    """Telling is `hub.giving.giving`'s, at the grant and at each sign-in; here it is known whether anybody can hear it."""

    name = "app"
    purpose = None  # her own page is no advertisement

    def __init__(self, node: Node, wait_s: float) -> None:
        self._node, self._wait_s = node, wait_s

    async def bring(self, parcel: Parcel) -> Result:
        if not members.has_session(self._node.engine.journal.db, parcel.customer):
            return Never("no terminal of hers is signed in")
        return Sent("her terminals are told when they are there", self._wait_s)
