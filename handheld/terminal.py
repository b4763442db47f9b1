"""The clerk's handheld in a terminal: `run`. Wires book, inbox, link, keys and face together; decides nothing itself."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contract import topics
from contract.access import Principal
from contract.envelope import Message, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import AlertAnswer, Bilingual, ClerkStatus, ClientState, Payload
from handheld import stdin
from handheld import words as w
from handheld.alert_book import AlertBook, Answer, Entry, Rules, Status
from handheld.faces import Face, JsonFace, ScreenFace
from handheld.inbox import AlertNews, BadNews, HubNews, Inbox, subscriptions
from handheld.keys import Command, Keys, Lines, NotUnderstood
from handheld.link import Address, Away, Forbidden, LinkError, Packet, Refused, Session, connect
from handheld.screen import Scene

_TICK_S = 0.1
_REDRAW_S = 0.5
_RETRY_S = (0.5, 10.0)
"""First and longest pause before another attempt to connect; each is spread by half to one and a half."""
_MEANT: dict[Answer, Status] = {
    "accept": Status.OPEN,
    "decline": Status.OPEN,
    "served": Status.MINE,
    "not_found": Status.MINE,
    "bought": Status.MINE,
}
"""What a key without a number is about. Anything else has to be selected first."""

REFUSED_EXIT = 3
"""Exit code when the broker refused the very first connection: trying on would not help, a person has to."""


@dataclass(frozen=True, slots=True)
class HandheldSettings:
    """Who, where, and how it behaves."""

    clerk: str
    store: str
    host: str
    port: int
    password: str = field(repr=False)
    auto_accept_ms: int | None = None
    language: w.Language = "ja"
    rules: Rules = field(default_factory=Rules)
    retry_s: tuple[float, float] = _RETRY_S
    keepalive_s: int = 10
    account: str | None = None
    """User at the broker where it is not the clerk's own (`clerk-<ID>`): one that several programs share."""

    @property
    def username(self) -> str:
        return self.account or Principal(Role.CLERK, self.clerk).username

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


class Handheld:
    """One clerk's handheld. `clock` is in seconds, monotonic."""

    def __init__(self, settings: HandheldSettings, face: Face, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.book = AlertBook(settings.clerk, settings.rules)
        self.inbox = Inbox(settings.store, settings.clerk, self.book)
        self.stop = asyncio.Event()
        self._face = face
        self._clock = clock
        self._session: Session | None = None
        self._trouble: Bilingual | None = w.CONNECTING
        self._note: Bilingual | None = None
        self._selected: str | None = None
        self._language = settings.language

    async def run(self) -> int:
        """Until `stop` is set. Returns the exit code: 0, or REFUSED_EXIT."""
        tasks = [
            asyncio.create_task(self._stay_connected(), name="handheld-link"),
            asyncio.create_task(self._tick(), name="handheld-tick"),
            asyncio.create_task(self._stopped(), name="handheld-stop"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return max(task.result() for task in done)
        finally:
            await self._say_goodbye()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def command(self, command: Command | NotUnderstood) -> None:
        """What a key, a line or a test asks for."""
        self._note = None
        if isinstance(command, NotUnderstood):
            self._tell(Bilingual(ja=command.detail, en=command.detail))
        elif command.act == "quit":
            self.stop.set()
        elif command.act == "language":
            self._language = "en" if self._language == "ja" else "ja"
        elif command.act == "up":
            self._move(-1)
        elif command.act == "down":
            self._move(1)
        else:
            self._answer(command.act, command)
        self._act()

    # --- the connection

    async def _stay_connected(self) -> int:
        welcome, pause_s = False, self.settings.retry_s[0]
        while True:
            try:
                async with connect(self._address(), self._status(ClientState.LOST), self._filters()) as session:
                    welcome, pause_s = True, self.settings.retry_s[0]
                    await self._connected(session)
            except LinkError as error:
                self._lost(error)
                if not welcome and not isinstance(error, Away):
                    return REFUSED_EXIT
            finally:
                self._session = None
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(pause_s * 2, self.settings.retry_s[1])

    async def _connected(self, session: Session) -> None:
        session.publish(self._status(ClientState.READY))
        self._session, self._trouble = session, None
        self.book.connected(self._clock())
        self._face.connection("connected", None)
        self._act()
        reader = asyncio.create_task(self._read(session), name="handheld-read")
        try:
            ending: list[asyncio.Future[Any]] = [reader, session.ended]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
        raise Away(session.ended.result())

    async def _read(self, session: Session) -> None:
        while True:
            packet = await session.messages.get()
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        news = self.inbox.take(packet.topic, packet.payload, self._clock(), datetime.now(UTC))
        match news:
            case BadNews():
                self._face.bad(news, self.inbox.refused[news.reason])
            case HubNews(ready=True, before=False) if self._session is not None:
                # The hub is back: say again that we are here, so that it says again what is open.
                self._session.publish(self._status(ClientState.READY))
            case AlertNews() | HubNews():
                pass
        self._act()

    def _lost(self, error: LinkError) -> None:
        where, username = self.settings.where, self.settings.username
        if isinstance(error, Refused):
            state, self._trouble = "refused", w.wrong_password(username, where, error.detail)
        elif isinstance(error, Forbidden):
            state, self._trouble = "forbidden", w.forbidden(username, where, error.detail)
        else:
            state, self._trouble = "away", w.away(where, error.detail)
        self._session = None
        self._face.connection(state, self._trouble)
        self._act()

    async def _say_goodbye(self) -> None:
        if self._session is None:
            return
        done = self._session.publish(self._status(ClientState.DISCONNECTED))
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 1.0)
        self._face.connection("disconnected", None)

    def _address(self) -> Address:
        own = self.settings
        # Several terminals of one clerk are told apart; the same ID would make them push each other out.
        client_id = Principal(Role.CLERK, own.clerk).client_id(f"terminal-{secrets.token_hex(3)}")
        return Address(own.host, own.port, own.username, own.password, client_id, own.keepalive_s)

    def _filters(self) -> dict[str, int]:
        return dict(subscriptions(self.settings.store, self.settings.clerk))

    # --- what to do now

    async def _tick(self) -> int:
        drawn = 0.0
        while True:
            self._auto_accept()
            self._act(redraw=self._clock() - drawn >= _REDRAW_S)
            drawn = self._clock() if self._clock() - drawn >= _REDRAW_S else drawn
            await asyncio.sleep(_TICK_S)

    async def _stopped(self) -> int:
        await self.stop.wait()
        return 0

    def _act(self, redraw: bool = True) -> None:
        due = self.book.due(self._clock(), self._session is not None)
        for alert in due.buzz:
            if (entry := self.book.get(alert)) is not None:
                self._face.buzz(entry)
        for pending in due.send:
            if self._session is not None:
                answer = AlertAnswer(alert=pending.alert, answer=pending.answer)
                self._session.publish(self._packet("alert_answer", answer, pending.id, pending.cause))
                self._face.sent(pending)
        if redraw or due.buzz or due.send:
            self._face.refresh(self._scene())

    def _auto_accept(self) -> None:
        after_ms = self.settings.auto_accept_ms
        if after_ms is None or self._session is None:
            return
        now = self._clock()
        for entry in self.book.rows(now):
            if entry.status is Status.OPEN and entry.confirmed and (now - entry.changed) * 1000 >= after_ms:
                self.book.answer(entry.id, "accept", uuid.uuid4().hex, now)

    def _answer(self, answer: Answer, command: Command) -> None:
        entry = self._meant(answer, command)
        if entry is None or self.book.answer(entry.id, answer, uuid.uuid4().hex, self._clock()) is None:
            self._tell(w.NOT_NOW)

    def _meant(self, answer: Answer, command: Command) -> Entry | None:
        rows = self.book.rows(self._clock())
        if command.alert is not None:
            return self.book.get(command.alert)
        if command.row is not None:
            return rows[command.row - 1] if 1 <= command.row <= len(rows) else None
        chosen = [entry for entry in rows if entry.id == self._selected and self.book.allows(entry, answer)]
        suited = [entry for entry in rows if entry.status is _MEANT[answer] and entry.pending is None]
        return next(iter(chosen + suited), None)

    def _move(self, step: int) -> None:
        ids = [entry.id for entry in self.book.rows(self._clock())]
        if ids:
            at = ids.index(self._selected) + step if self._selected in ids else 0
            self._selected = ids[max(0, min(at, len(ids) - 1))]

    def _tell(self, why: Bilingual) -> None:
        self._note = why
        self._face.note(why)

    def _scene(self) -> Scene:
        now, refused = self._clock(), sum(self.inbox.refused.values())
        return Scene(self.settings.clerk, self.settings.store, self.book.rows(now), self._selected, now, self._trouble,
                     self.inbox.hub_ready, refused, self._note, self._language)  # fmt: skip

    def _status(self, state: ClientState) -> Packet:
        return self._packet("clerk_status", ClerkStatus(state=state), uuid.uuid4().hex, None)

    def _packet(self, name: str, data: Payload, message_id: str, cause: str | None) -> Packet:
        channel, ids = BY_NAME[name], {"clerk": self.settings.clerk}
        message = Message(channel, ids, data, message_id, source_of(channel, ids), datetime.now(UTC), cause=cause)
        return Packet(topics.topic(channel, self.settings.store, **ids), encode(message), channel.retain)


async def run_handheld(settings: HandheldSettings, face: Face, *, as_json: bool) -> int:
    """Runs until SIGTERM, SIGINT or the key q. Returns the exit code."""
    handheld = Handheld(settings, face)
    keys = stdin.is_terminal() and not as_json
    reader = Keys() if keys else Lines(as_json)

    def take(data: bytes) -> None:
        for command in reader.feed(data):
            handheld.command(command)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handheld.stop.set)
    with face, stdin.listening(take, keys):
        return await handheld.run()


def run(
    clerk: str, host: str, port: int, password: str, store: str, *,
    username: str | None = None, json: bool = False, auto_accept_ms: int | None = None, language: w.Language = "ja",
) -> int:  # fmt: skip
    """The command `instore handheld`. Blocks until it is ended; returns the exit code.

    0: ended by signal or key. 2: the clerk's ID or the store's name can't be part of a topic. 3: refused by the broker.
    """
    try:
        topics.topic(BY_NAME["clerk_status"], store, clerk=clerk)
    except ValueError as error:
        print(f"handheld: {error}", file=sys.stderr)
        return 2
    settings = HandheldSettings(clerk, store, host, port, password, auto_accept_ms, language, account=username)
    face: Face = JsonFace(sys.stdout) if json else ScreenFace()
    return asyncio.run(run_handheld(settings, face, as_json=json))
