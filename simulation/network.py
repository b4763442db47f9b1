"""A broker and the ways to it, as bad as the faults of the moment make them. Times in seconds, shares 0 … 1.

The broker keeps nothing over a restart. A way keeps the order unless `shuffle`; what is on it is lost with its connection, but
a killed program's system sends what it was given before.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal
from zlib import crc32

from delivery.engine import Publication
from delivery.inbox import Inbox, Item
from delivery.link import RECONNECT_FIRST_S, RECONNECT_MAX_S, STEADY_S
from simulation.loop import Process, VirtualLoop

HOP_S = (0.001, 0.004)
"""Of one way: a switch and a Wi-Fi that is not busy."""
SILENCE_S = 15.0
"""After so much silence (1.5 times the keep-alive of 10 s) both sides take a connection for dead."""
_STEP_S = 1e-6

Note = Callable[[str, str], None]


@dataclass
class Weather:
    """What the network does to messages now. `lose` holds for QoS 0 only: more than that is a lost connection."""

    lose: float = 0.0
    double: float = 0.0
    slow_s: float = 0.0
    shuffle_s: float = 0.0


class Session:
    """One connection of one client. `deliver(topic, payload)` and `end()` are called in `context`."""

    def __init__(self, broker: Broker, client: str, filters: Sequence[tuple[str, int]], context: Context,
                 deliver: Callable[[str, bytes], None], end: Callable[[], None], will: Publication | None) -> None:  # fmt: skip
        self.broker, self.client, self.context, self.will = broker, client, context, will
        self._filters = [
            (re.compile("|".join(_pattern(text) for text, own in filters if own == qos)), qos)
            for qos in sorted({qos for _, qos in filters}, reverse=True)
        ]
        self.open = True
        self.sends_on = False
        """Its program was killed: what it had handed to its system is still sent."""
        self._deliver, self._end = deliver, end
        self._free_up = self._free_down = 0.0

    def wants(self, topic: str) -> int | None:
        """The QoS at which this client wants a topic; None: not at all."""
        return next((qos for wanted, qos in self._filters if wanted.fullmatch(topic)), None)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """The client says something."""
        for delay_s in self.broker.trips(self.client, qos, self.broker.mute):
            self._free_up = at = self._arrival(self._free_up, delay_s)
            loop = self.broker.loop
            loop.call_at(at, self.broker.route, self, topic, payload, qos, retain, context=loop.outside)

    def send(self, topic: str, payload: bytes, qos: int) -> None:
        """The broker has something for the client."""
        for delay_s in self.broker.trips(self.client, qos, self.broker.deaf):
            self._free_down = at = self._arrival(self._free_down, delay_s)
            self.broker.loop.call_at(at, self._arrive, topic, payload, context=self.context)

    def _arrival(self, free_at: float, delay_s: float) -> float:
        at = self.broker.loop.time() + delay_s
        return at if self.broker.weather.shuffle_s else max(at, free_at + _STEP_S)

    def _arrive(self, topic: str, payload: bytes) -> None:
        if self.open and self.client not in self.broker.cut_off:
            self._deliver(topic, payload)

    def close(self, *, will: bool, sends_on: bool = False) -> None:
        """The connection is gone, for both sides."""
        if not self.open:
            return
        self.open, self.sends_on = False, sends_on
        self.broker.forget(self)
        self.broker.loop.call_soon(self._end, context=self.context)
        if will and self.will is not None:
            self.broker.route(None, self.will.topic, self.will.payload, 1, self.will.retain)


def _pattern(text: str) -> str:
    """A topic filter as a regular expression. Ours have no `#`."""
    return "/".join("[^/]*" if level == "+" else re.escape(level) for level in text.split("/"))


class Broker:
    """`cut_off`: clients whose packets vanish in both directions; `mute`: what they say vanishes; `deaf`: what they are told."""

    def __init__(self, loop: VirtualLoop, rng: Random, note: Note) -> None:
        self.loop, self.rng, self.note = loop, rng, note
        self.up = True
        self.weather = Weather()
        self.cut_off: set[str] = set()
        self.mute: set[str] = set()
        self.deaf: set[str] = set()
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, tuple[bytes, int]] = {}
        self.routed = 0
        self.on_wire: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self._readers = lru_cache(maxsize=20_000)(self._find_readers)

    # --- connections

    def attach(self, session: Session) -> None:
        """A client connects and subscribes. Whoever was connected under its name is thrown out."""
        old = self.sessions.pop(session.client, None)
        if old is not None:
            old.close(will=True)
        self.sessions[session.client] = session
        self._readers.cache_clear()
        for topic, (payload, qos) in self.retained.items():
            wanted = session.wants(topic)
            if wanted is not None:
                session.send(topic, payload, min(qos, wanted))

    def reachable(self, client: str) -> bool:
        return self.up and not any(client in lost for lost in (self.cut_off, self.mute, self.deaf))

    def forget(self, session: Session) -> None:
        if self.sessions.get(session.client) is session:
            del self.sessions[session.client]
            self._readers.cache_clear()

    # --- messages

    def trips(self, client: str, qos: int, lost: set[str]) -> list[float]:
        """How long each copy of a message is on its way; none: it is lost, as all of the clients in `lost`."""
        rng, weather = self.rng, self.weather
        if client in self.cut_off or client in lost or (qos == 0 and weather.lose and rng.random() < weather.lose):
            return []
        copies = 2 if weather.double and rng.random() < weather.double else 1
        low, high = HOP_S
        return [low + rng.random() * (high - low + weather.slow_s + weather.shuffle_s) for _ in range(copies)]

    def route(self, sender: Session | None, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """A message has reached the broker."""
        if not self.up or (
            sender is not None and (not (sender.open or sender.sends_on) or sender.client in self.cut_off)
        ):
            return
        self.routed += 1
        self.on_wire(topic, payload)
        self.note("broker", f"{topic} {crc32(payload):08x}")
        if retain:
            self.retained[topic] = payload, qos
        for session, wanted in self._readers(topic):
            session.send(topic, payload, min(qos, wanted))

    def _find_readers(self, topic: str) -> list[tuple[Session, int]]:
        found = ((session, session.wants(topic)) for session in self.sessions.values())
        return [(session, qos) for session, qos in found if qos is not None]

    # --- faults

    def restart(self, down_s: float) -> None:
        """Everything that it had in memory is gone."""
        self.up = False
        self.retained.clear()
        for session in list(self.sessions.values()):
            session.close(will=False)
        self.loop.call_later(down_s, self._back, context=self.loop.outside)

    def _back(self) -> None:
        self.up = True

    def cut(self, client: str, for_s: float, way: Literal["both", "up", "down"] = "both") -> None:
        """Nothing gets through to or from this client; or only one way."""
        lost = {"both": self.cut_off, "up": self.mute, "down": self.deaf}[way]
        lost.add(client)
        later, outside = self.loop.call_later, self.loop.outside
        if for_s > SILENCE_S and (session := self.sessions.get(client)) is not None:
            later(SILENCE_S, lambda: session.close(will=True), context=outside)
        later(for_s, lost.discard, client, context=outside)


class SimLink:
    """In place of `delivery.link.Link`: the same face, over the simulated network."""

    def __init__(self, broker: Broker, process: Process, rng: Random, client: str, subscriptions: Sequence[tuple[str, int]],
                 *, will: Publication | None, on_up: Callable[[], None], on_down: Callable[[str], None],
                 on_wake: Callable[[], None]) -> None:  # fmt: skip
        self.inbox = Inbox()
        self.take: Callable[[Item], bool] = self.inbox.append
        self.unsent = self.connects = 0
        self.up = False
        self.trouble = "not connected yet"
        self._broker, self._process, self._rng = broker, process, rng
        self._client, self._subscriptions, self._will = client, list(subscriptions), will
        self._on_up, self._on_down, self._on_wake = on_up, on_down, on_wake
        self._session: Session | None = None
        self._lost = asyncio.Event()
        process.on_kill.append(self._reset)

    @property
    def dropped(self) -> int:
        return self.inbox.dropped

    def _reset(self) -> None:
        if self._session is not None:
            self._session.close(will=True, sends_on=True)

    def renew(self, why: str) -> None:  # noqa: ARG002
        """Give this connection up and make a new one."""
        if self.up and self._session is not None:
            self._session.close(will=True)

    async def run(self) -> None:
        """Connect, stay connected, reconnect; until cancelled."""
        loop, delay_s = self._broker.loop, RECONNECT_FIRST_S
        try:
            while True:
                began = loop.time()
                await asyncio.sleep(2 * HOP_S[1])
                if self._broker.reachable(self._client):
                    await self._one_connection()
                    if loop.time() - began >= STEADY_S:
                        delay_s = RECONNECT_FIRST_S
                await asyncio.sleep(delay_s * self._rng.random())
                delay_s = min(delay_s * 2, RECONNECT_MAX_S)
        finally:
            if self._session is not None and self._process.alive:
                self._session.close(will=True)

    async def _one_connection(self) -> None:
        self._lost.clear()
        self._session = Session(self._broker, self._client, self._subscriptions, self._process.context, self._arrived,
                                self._lost.set, self._will)  # fmt: skip
        self._broker.attach(self._session)
        self.up, self.trouble = True, ""
        self.connects += 1
        self._on_up()
        self._on_wake()
        await self._lost.wait()
        self.up, self.trouble = False, "the connection to the broker was lost"
        self._on_down(self.trouble)

    def _arrived(self, topic: str, payload: bytes) -> None:
        if self.take((topic, payload)):
            self._on_wake()

    def publish(self, publication: Publication) -> None:
        """Hand one message to the network; without a connection it is gone."""
        if self.up and self._session is not None and self._session.open and self._process.alive:
            self._session.publish(publication.topic, publication.payload, publication.qos, publication.retain)
