"""The asyncio loop around an engine and a link: the same for edge and hub.

A message that arrives is handled in the same turn of the loop together with all others that arrived meanwhile: one
transaction, one sync. Alone it is handled at once; under load the batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from contract.access import grants
from contract.messages import BY_NAME, Stream
from delivery.engine import Engine, Publication, Tx
from delivery.express import Express
from delivery.link import Address, Link

log = structlog.get_logger()

BATCH = 500
"""Messages per transaction. Larger ones gain little throughput and cost the first of them latency."""
DISK_RETRY_S = 1.0
DEAF_FIRST_S, DEAF_MAX_S = 8.0, 300.0
"""A connection over which nothing is heard for so long, while something waits for its acknowledgement, is replaced: a broker
may keep a connection open and pass nothing on. When the peer is away this is in vain, hence the growing patience."""


class Node:
    """Runs an engine over a connection.

    `on_link(up, tx)` is called inside a transaction when the connection is there, for the program to say its state again;
    with `up=False` when it is gone. `will` is what the broker says when we vanish, `goodbye` what we say when we stop.
    `make_link` takes what `Link` takes: a simulation brings a network of its own. `express`: critical messages come over a
    second connection too (`delivery.express`), for a program that hears many.
    """

    def __init__(self, engine: Engine, address: Address, *, will: Publication | None = None,
                 goodbye: Publication | None = None, on_link: Callable[[bool, Tx], None] | None = None,
                 make_link: Callable[..., Link] = Link, express: bool = False) -> None:  # fmt: skip
        self.engine = engine
        self._on_link = on_link
        self._wake = asyncio.Event()
        self._news: deque[bool] = deque()
        wanted = [
            (g.filter, BY_NAME[g.channel].qos) for g in grants(engine.me, engine.store) if g.action == "subscribe"
        ]
        address = replace(address, client_id=address.client_id or engine.me.username)
        self.link = make_link(address, wanted, will=will, goodbye=goodbye, on_up=self._up, on_down=self._down,
                              on_wake=self._wake.set)  # fmt: skip
        self.express = self._second(address, make_link) if express else None
        self._heard, self._deaf_s = engine.clock.monotonic(), DEAF_FIRST_S
        self._alarm: tuple[float, asyncio.TimerHandle] | None = None
        """When the pump is woken, if nothing wakes it before (monotonic seconds), and by what."""
        self.disk_trouble = ""
        self.rounds = 0
        """Times that the pump went round: see `delivery.watchdog`."""

    def _second(self, address: Address, make_link: Callable[..., Link]) -> Link:
        """A connection of its own for what is critical."""
        ours = grants(self.engine.me, self.engine.store)
        wanted = [(g.filter, BY_NAME[g.channel].qos) for g in ours
                  if g.action == "subscribe" and BY_NAME[g.channel].stream is Stream.CRITICAL]  # fmt: skip
        both = Express(self.link.inbox)
        second = make_link(replace(address, client_id=f"{address.client_id}:express"), wanted, will=None,
                           on_up=both.begin, on_down=lambda _reason: None, on_wake=self._wake.set)  # fmt: skip
        self.link.take, second.take = both.slow, both.fast
        return second

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run(), name="link")
            if self.express is not None:
                tasks.create_task(self.express.run(), name="express link")
            tasks.create_task(self._pump(), name="pump")

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One transaction of the application; what it says is on the wire when the block has ended.

        Raises what the body raises and sqlite3.Error: then nothing has happened. What comes after the commit never raises,
        so that nobody takes a transaction that was kept for one to be repeated.
        """
        with self.engine.transaction() as tx:
            yield tx
        self.publish_now()

    def from_terminal(self, customer: str, topic: str, payload: bytes) -> str:
        """Take one message of a member's terminal, at once; as `Engine.from_terminal`. Raises sqlite3.Error."""
        refused = self.engine.from_terminal(customer, topic, payload)
        self.publish_now()
        return refused

    def poke(self) -> None:
        """Make the pump go round once, also without work."""
        self._wake.set()

    def publish_now(self) -> None:
        """Put on the wire what the engine has ready, without waiting for a turn of the loop. Never raises."""
        try:
            self._publish()
        except sqlite3.Error as error:
            self._disk_failed(error)  # what is numbered stays in its stream; the pump comes to it
            self._wake.set()
        self._wake_at(self.engine.next_deadline())

    def _up(self) -> None:
        self.engine.link_up()
        self._heard = self.engine.clock.monotonic()
        self._news.append(True)

    def _down(self, _reason: str) -> None:
        if self.engine.connected:
            self.engine.link_down()
            self._news.append(False)
            self._wake.set()

    def _tell(self) -> None:
        """The application hears of the connection in a transaction of the pump, where a full disk is dealt with."""
        while self._news and self._on_link is not None:
            with self.engine.transaction() as tx:
                self._on_link(self._news[0], tx)
            self._news.popleft()
        self._news.clear()

    async def _pump(self) -> None:
        try:
            while True:
                await self._wait()
                self._wake.clear()
                self.rounds += 1
                try:
                    self._turn()
                    if self.disk_trouble:
                        log.info("the database can be written again", path=str(self.engine.journal.path))
                        self.disk_trouble = ""
                except sqlite3.Error as error:
                    # Nothing of the batch was taken or acknowledged: its senders send it again.
                    self._disk_failed(error)
                    await asyncio.sleep(DISK_RETRY_S)
        finally:
            if self._alarm is not None:
                self._alarm[1].cancel()

    def _disk_failed(self, error: sqlite3.Error) -> None:
        if not self.disk_trouble:
            log.error("the database can't be written; is the disk full?", path=str(self.engine.journal.path),
                      error=str(error))  # fmt: skip
        self.disk_trouble = str(error)
        self.engine.counters["disk_errors"] += 1

    def _turn(self) -> None:
        self._tell()
        inbox = self.link.inbox
        if inbox:
            self._heard, self._deaf_s = self.engine.clock.monotonic(), DEAF_FIRST_S
        elif (deaf_at := self._deaf_at()) is not None and self.engine.clock.monotonic() >= deaf_at:
            self._is_deaf()
        if inbox:  # one batch a turn: others have work in this loop too
            self.engine.receive(inbox.batch(BATCH))
        self._publish()

    def _publish(self) -> None:
        for publication in self.engine.urgent():
            self.link.publish(publication)
        for publication in self.engine.poll():
            self.link.publish(publication)

    def _deaf_at(self) -> float | None:
        """When so long nothing was heard that the connection is taken for deaf; None: nothing is to be heard in a quiet hour."""
        since = self.engine.outgoing.waits_since() if self.link.up else None
        return None if since is None else max(self._heard, since) + self._deaf_s

    def _is_deaf(self) -> None:
        self.engine.counters["deaf_connections"] += 1
        self.link.renew(f"nothing was heard for {self._deaf_s:.0f} s, though messages wait for their acknowledgement")
        self._deaf_s = min(self._deaf_s * 2, DEAF_MAX_S)

    async def _wait(self) -> None:
        if self.link.inbox:
            await asyncio.sleep(0)  # let the library read and write between two batches
            return
        self._wake_at(self.engine.next_deadline())  # a resend or a flush is due then
        self._wake_at(self._deaf_at())
        await self._wake.wait()

    def _wake_at(self, deadline: float | None) -> None:
        """The pump goes round then at the latest. An alarm that is not needed any more rings in vain: that is rare, and to set
        one for each message would cost more."""
        if deadline is None or (self._alarm is not None and self._alarm[0] <= deadline):
            return
        if self._alarm is not None:
            self._alarm[1].cancel()
        wait_s = max(0.0, deadline - self.engine.clock.monotonic())
        self._alarm = deadline, asyncio.get_running_loop().call_later(wait_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._wake.set()
