"""The WebSocket of members' terminals: the contract's messages in text frames, one connection a terminal (decision 0011).

What the hub says goes to all terminals of the customer. It is state: a connection that can't take it ends, and is told again
at its next sign-in. Nothing of a frame is ever logged: it may hold readings (row C11).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import suppress
from datetime import timedelta

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from delivery.engine import Publication
from delivery.node import Node
from hub.core import Hub
from hub.database import members, times
from hub.members import secrets
from hub.members.allowance import Allowance
from hub.members.api import same_origin
from hub.members.desk import Desk

log = structlog.get_logger()

FRAME_MAX_BYTES = 70_000
"""A message of the contract (64 KiB) in its frame; the server refuses a longer one unread."""
ALL_MAX, EACH_MAX = 20_000, 5
WAITING_MAX = 200
"""Frames for one terminal: more than a customer has coupons."""
LOOK_AGAIN_S = 60.0
SIGNED_OUT, TOO_MUCH, TRY_LATER = 4401, 4429, 1013


class _Terminal:
    """One connection. `end` makes it close with a code."""

    def __init__(self, socket: WebSocket, customer: str, hash: str) -> None:
        self.socket, self.customer, self.hash = socket, customer, hash
        self.ended = False
        self._waiting: asyncio.Queue[str | int] = asyncio.Queue(WAITING_MAX)

    def say(self, frame: str) -> None:
        if self.ended:
            return
        if self._waiting.qsize() >= WAITING_MAX - 1:
            self.end(TRY_LATER)
        else:
            self._waiting.put_nowait(frame)

    def end(self, code: int) -> None:
        if self.ended:
            return
        self.ended = True
        while self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(code)

    async def next(self) -> str | int | None:
        """A frame, a code to close with, or nothing for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                return await self._waiting.get()
        return None


class Gateway:
    """Give `outlet` to the engine and `serve` to the web server."""

    def __init__(self, hub: Hub, node: Node, desk: Desk) -> None:
        self._hub, self._node, self._desk = hub, node, desk
        self._terminals: dict[str, list[_Terminal]] = {}
        self._speaking = Allowance(30, 2.0)

    # --- hub to terminals

    def outlet(self, customer: str, publication: Publication) -> None:
        """Say something to all terminals of a customer that are there and signed in."""
        there = [each for each in self._terminals.get(customer, ()) if self._holds(each)]
        if not there:
            self._hub.counters["terminals_not_there"] += 1
        frame = f'{{"topic":{json.dumps(publication.topic)},"message":{publication.payload.decode()}}}'
        for terminal in there:
            terminal.say(frame)

    def dropped(self, session: str) -> None:
        """A session has ended: so do its connections."""
        hash = secrets.hash_of(session)
        for terminal in [each for all in self._terminals.values() for each in all if each.hash == hash]:
            terminal.end(SIGNED_OUT)

    def _holds(self, terminal: _Terminal) -> bool:
        """Whether its session is still one; if not, it ends."""
        since = times.text(self._node.engine.clock.utc() - timedelta(days=secrets.SESSION_DAYS))
        found = members.session(self._node.engine.journal.db, terminal.hash, since)
        if found is not None and found[0] == terminal.customer:
            return True
        terminal.end(SIGNED_OUT)
        return False

    # --- a connection

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        terminal = self._enter(socket)
        if terminal is None:
            await socket.close(1008)  # before it is accepted: the handshake is refused with 403
            return
        await socket.accept()
        self._came(terminal)
        writing = asyncio.create_task(self._write(terminal), name="member's terminal")
        try:
            self._greet(terminal)
            await self._read(terminal)
        finally:
            writing.cancel()
            self._went(terminal)
            with suppress(asyncio.CancelledError):
                await writing

    def _enter(self, socket: WebSocket) -> _Terminal | None:
        if not same_origin(socket.headers.get("origin"), socket.headers.get("host")):
            return None
        session = socket.cookies.get(secrets.COOKIE, "")
        try:
            with self._node.transaction() as tx:
                customer = self._desk.signed_in(tx, session)
        except sqlite3.Error:
            return None
        if customer is None:
            return None
        if len(self._hub.terminals) >= ALL_MAX:
            self._hub.counters["terminals_refused"] += 1
            return None
        return _Terminal(socket, customer, secrets.hash_of(session))

    def _came(self, terminal: _Terminal) -> None:
        mine = self._terminals.setdefault(terminal.customer, [])
        mine.append(terminal)
        for old in mine[:-EACH_MAX]:
            old.end(TRY_LATER)
        self._hub.terminals.came(terminal.customer)
        self._hub.counters["terminals_connected"] += 1

    def _went(self, terminal: _Terminal) -> None:
        mine = self._terminals[terminal.customer]
        mine.remove(terminal)
        if not mine:
            del self._terminals[terminal.customer]
        self._hub.terminals.went(terminal.customer)

    def _greet(self, terminal: _Terminal) -> None:
        try:
            with self._node.transaction() as tx:
                for tell in self._hub.on_terminal:
                    tell(terminal.customer, tx)
        except sqlite3.Error:
            terminal.end(TRY_LATER)

    async def _write(self, terminal: _Terminal) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):  # it has gone: the reader sees it too
            while True:
                match await terminal.next():
                    case str() as frame:
                        await terminal.socket.send_text(frame)
                    case int() as code:
                        await terminal.socket.close(code)
                        return
                    case None:
                        self._holds(terminal)

    async def _read(self, terminal: _Terminal) -> None:
        while terminal.socket.application_state is WebSocketState.CONNECTED:
            event = await terminal.socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            if not terminal.ended:
                self._take(terminal, event.get("text"))

    def _take(self, terminal: _Terminal, frame: str | None) -> None:
        if not self._speaking.may(f"{terminal.customer} {id(terminal)}", self._node.engine.clock.monotonic()):
            self._hub.counters["terminals_too_fast"] += 1
            terminal.end(TOO_MUCH)
            return
        if not self._holds(terminal):
            return
        topic, payload = _parts(frame)
        if topic is None:
            refused = "frame"
            self._hub.counters["terminal_frames_refused"] += 1
        else:
            try:
                refused = self._node.from_terminal(terminal.customer, topic, payload)
            except sqlite3.Error:
                terminal.end(TRY_LATER)
                return
        if refused:
            terminal.say(json.dumps({"refused": refused}))


def _parts(frame: str | None) -> tuple[str | None, bytes]:
    """Topic and message of a frame; no topic for what is no frame."""
    try:
        found = json.loads(frame or "")
    except (ValueError, RecursionError):
        return None, b""
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("topic"), str)
        or not isinstance(found.get("message"), dict)
    ):
        return None, b""
    return found["topic"], json.dumps(found["message"], ensure_ascii=True).encode()
