"""The rules that are looked at now and then while a store runs, and that everything comes to rest in the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from simulation import books, lane_watch, post, service_books, tills

if TYPE_CHECKING:
    from simulation.store import Store

SETTLE_S = 1500.0
"""An alert lives 900 s, a beacon that advertises rarely is gone after 300 s."""
WATCH_S = 5.0
LATEST_S = 900.0
"""So long after closing time the last has left."""


async def watch(store: Store) -> None:
    while True:
        await asyncio.sleep(6 * WATCH_S if store.plan.size.is_long else WATCH_S)
        store.truth.check_patience()
        store.service.look()
        store.lane_watch.look()
        store.screens.look()
        inside = sum(not shopper.out for shopper in store.shoppers)
        if inside and store.loop.time() > store.plan.size.seconds + LATEST_S:
            store.truth.breaks("nobody captive", f"{inside} shoppers are still inside")


async def settle(store: Store) -> None:
    """After the last fault everything comes to rest, and the books balance."""
    end = store.loop.time() + SETTLE_S
    left = ["not looked yet"]
    while not store.truth.broken:
        left = _unsettled(store)
        if not left or store.loop.time() >= end:
            break
        await asyncio.sleep(WATCH_S)
    if store.truth.broken:
        return
    if left:
        store.truth.breaks("all is settled in the end", "; ".join(left[:5]))
        return
    for what in books.wrong(store.hub.look, store.truth, store.sales):
        store.truth.breaks("the books balance", what)
    for what in service_books.passed_twice(store.hub.look, store.truth.passed):
        store.truth.breaks("who used a code twice is told", what)
    for what in service_books.wrong(store.hub.look, store.service):
        store.truth.breaks("the books of service balance", what)
    for what in post.wrong(store.hub.look, store.post):
        store.truth.breaks("coupons reach her", what)
    for what in tills.wrong(store.hub.look, store.tills):
        store.truth.breaks("a list is paid once", what)
    store.service.in_files(sorted(store.folder.iterdir()))


def _unsettled(store: Store) -> list[str]:
    left = [
        f"{name} is not running" for name, program in (("hub", store.hub), *store.agents.items()) if not program.alive
    ]
    for name, program in store.agents.items():
        assert program.agent is not None
        if count := program.agent.engine.unacknowledged():
            left.append(f"{name} has {count} unacknowledged messages")
        left += [f"lane {name}/{lane} is {runner.lane.phase}" for lane, runner in program.agent.lanes.items()
                 if runner.lane.phase != "idle"]  # fmt: skip
    if left:
        return left
    assert store.hub.node is not None
    if count := store.hub.node.engine.unacknowledged():
        return [f"the hub has {count} unacknowledged messages"]
    if left := store.truth.unsettled():
        return left
    look = store.hub.look
    return [*books.unsettled(look), *service_books.unsettled(look), *lane_watch.unsettled(look), *post.unsettled(look)]
