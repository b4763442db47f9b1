"""Members' screens: a terminal that is connected shows the hub's newest list, and where its exit code was read (rows B1, B5)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.store import Store

LOOKS = 3
"""At so many looks in a row a screen may be behind the hub in the same way."""
NEWEST = (
    "SELECT customer, cart, revision, state, used, scan, code FROM cart LEFT JOIN exit_code USING (sale) "
    "WHERE revision = (SELECT max(revision) FROM cart AS other WHERE other.customer = cart.customer)"
)


class Screens:
    """Of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._behind: Counter[tuple[str, str, str]] = Counter()

    def look(self) -> None:
        """Call now and then."""
        store, found = self._store, []
        there = [phone for phone in store.phones if phone.connected]
        if there and store.truth.excused_until("hub") <= store.loop.time():
            newest = {row[0]: _newest(*row[1:]) for row in store.hub.look(NEWEST)}
            for phone in there:
                cart = phone.cart
                shown = f"{cart.cart} {cart.revision} {cart.state} {cart.exit_code}" if cart is not None else "no list"
                if shown != (now := newest.get(phone.member.customer, shown)):
                    found.append((phone.name, shown, now))
        self._behind = Counter({each: self._behind[each] + 1 for each in found})
        for (name, shown, now), looks in self._behind.items():
            if looks > LOOKS:
                store.truth.breaks("screens show the list", f"{name} shows {shown}, the hub has {now}")


def _newest(cart: str, revision: int, state: str, used: str | None, scan: str | None, code: str | None) -> str:
    exit_code = "none" if code is None else "used" if used else "read" if scan else "ready"
    return f"{cart} {revision} {state} {exit_code}"
