"""A clerk with a handheld: the shipped terminal's own book and inbox, on the simulated network; the person is simulated."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from contract import topics
from contract.access import Principal, grants
from contract.envelope import Message, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import AlertAnswer, AlertState, ClerkStatus, ClientState
from delivery.engine import Publication
from handheld.alert_book import AlertBook, Pending, Status
from handheld.inbox import AlertNews, HubNews, Inbox
from simulation.network import Session
from simulation.stock import START

if TYPE_CHECKING:
    from simulation.store import Store

LOOK_S = 1.0
READY = b'"state":"ready"'


class Clerk:
    """Answers alerts after a while: accepts, declines, says how it ended, or forgets to. Now and then the handheld is off."""

    def __init__(self, store: Store, name: str, rng: Random) -> None:
        self._store, self.name, self._rng = store, name, rng
        self.book = AlertBook(name)
        self._inbox = Inbox(store.name, name, self.book)
        self.since = 0.0
        """Since when it is connected."""
        self.off_since: float | None = None
        """Since when it is switched off."""
        self.was_off = (0.0, 0.0)
        """From when to when it was switched off the last time."""
        self.seen: set[str] = set()
        """Alerts that it has ever shown."""
        self._session: Session | None = None
        self._ids = 0
        self._thinking: set[str] = set()
        self._sending = False
        self._me = Principal(Role.CLERK, name)

    async def run(self) -> None:
        """Connects, again and again."""
        store = self._store
        filters = [(g.filter, 1) for g in grants(self._me, store.name) if g.action == "subscribe"]
        will = self._publication("clerk_status", ClerkStatus(state=ClientState.LOST))
        while True:
            await asyncio.sleep(0.5 + self._rng.random())
            if not store.broker.reachable(self._me.username):
                continue
            lost = asyncio.Event()
            self.since = store.loop.time()
            if self.off_since is not None:
                self.was_off, self.off_since = (self.off_since, self.since), None
            self._session = Session(store.broker, self._me.username, filters, store.loop.outside, self._take, lost.set,
                                    will)  # fmt: skip
            store.broker.attach(self._session)
            self.book.connected(self.since)
            self._publish(self._publication("clerk_status", ClerkStatus(state=ClientState.READY)))
            store.world(self._confirms(self.book))
            await lost.wait()

    async def _confirms(self, book: AlertBook) -> None:
        """What the hub does not say again after a connection has lapsed, when the book is next looked at."""
        await asyncio.sleep(book.rules.confirm_s + LOOK_S)
        connected = self._session is not None and self._session.open
        for pending in book.due(self._store.loop.time(), connected).send if book is self.book else ():
            self._publish(self._said(pending))

    async def breaks(self) -> None:
        """Lays the handheld away for a while, again and again."""
        seconds = self._store.plan.size.seconds
        if self._rng.random() > 0.6:
            return
        while True:
            await asyncio.sleep(self._rng.uniform(0.1, 0.6) * min(seconds, 1800.0))
            if self._store.loop.time() > seconds:
                return
            await self.pause(self._rng.uniform(5.0, 200.0))

    async def pause(self, for_s: float) -> None:
        """Switched off: it shows nothing, and begins anew."""
        store = self._store
        store.truth.note(self.name, "switches off")
        self.book = AlertBook(self.name)
        self._inbox = Inbox(store.name, self.name, self.book)
        self._thinking.clear()
        store.broker.cut_off.add(self._me.username)
        if self._session is not None:
            self._session.close(will=True)
        self.off_since = store.loop.time()
        await asyncio.sleep(for_s)
        store.broker.cut_off.discard(self._me.username)

    # --- what it shows

    def _take(self, topic: str, payload: bytes) -> None:
        store, now = self._store, self._store.loop.time()
        if not topic.endswith("/alert") and (READY in payload) is self._inbox.hub_ready:
            return  # of what the hub says of itself it needs only whether it is there
        news = self._inbox.take(topic, payload, now, START)
        if isinstance(news, HubNews):
            if news.ready and news.before is False:
                store.world(self._confirms(self.book))
            return
        if not isinstance(news, AlertNews):
            store.truth.breaks("to each her own", f"{self.name} was told what it has no use for: {news}")
            return
        entry = self.book.get(news.alert)
        assert entry is not None
        store.service.alert_seen(self, entry.alert, news.alert in self.seen)
        self.seen.add(news.alert)
        if entry.status in (Status.OPEN, Status.MINE, Status.DECLINED) and news.alert not in self._thinking:
            self._thinking.add(news.alert)
            store.world(self._think(news.alert, self.book))

    async def _think(self, alert: str, book: AlertBook) -> None:
        # Some look up at the same moment and tap at once.
        await asyncio.sleep(5.0 if self._rng.random() < 0.3 else self._rng.uniform(1.0, 20.0))
        if book is not self.book:
            return
        self._thinking.discard(alert)
        entry, chance = book.get(alert), self._rng.random()
        if entry is None:
            return
        if entry.status is Status.MINE:
            if chance < 0.15:
                self._answers(entry.id, "decline")
            elif chance < 0.85:  # some forget to say how it ended
                self._answers(entry.id, self._rng.choice(["served", "not_found", "bought"]))
        elif entry.status is Status.OPEN or chance < 0.1:
            if chance < 0.7:
                self._answers(entry.id, "accept")
            elif chance < 0.85:
                self._answers(entry.id, "decline")

    # --- what it says

    def _answers(self, alert: str, answer: str) -> None:
        self._ids += 1
        now = self._store.loop.time()
        if self.book.answer(alert, answer, f"{self.name}.{self._ids}", now) is not None and not self._sending:  # type: ignore[arg-type]
            self._sending = True
            self._store.world(self._send_all())

    async def _send_all(self) -> None:
        """Answers are sent again until the hub has acted on them."""
        while True:
            now = self._store.loop.time()
            connected = self._session is not None and self._session.open
            for pending in self.book.due(now, connected).send:
                self._publish(self._said(pending))
            if not any(entry.pending for entry in self.book.rows(now)):
                self._sending = False
                return
            await asyncio.sleep(LOOK_S)

    def _said(self, pending: Pending) -> Publication:
        return self._publication("alert_answer", AlertAnswer(alert=pending.alert, answer=pending.answer), pending.id)

    def _publication(self, name: str, data: AlertAnswer | ClerkStatus, id: str = "") -> Publication:
        self._ids += not id
        channel, ids = BY_NAME[name], {"clerk": self.name}
        message = Message(channel, ids, data, id or f"{self.name}.{self._ids}", source_of(channel, ids))
        topic = topics.topic(channel, self._store.name, **ids)
        return Publication(topic, encode(message), channel.qos, channel.retain)

    def _publish(self, said: Publication) -> None:
        if self._session is not None and self._session.open:
            self._session.publish(said.topic, said.payload, said.qos, said.retain)

    def shows(self, alert: str) -> AlertState | None:
        """In which state this handheld shows an alert."""
        entry = self.book.get(alert)
        return entry.alert.state if entry is not None and entry.status is not Status.OVER else None
