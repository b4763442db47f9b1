"""How a tester, a test or the demo commands a simulator: JSON, one object a line, over a UNIX socket.

    $ socat - UNIX-CONNECT:/run/user/1000/reader.sock
    {"do": "present", "code": "HELLO"}
    {"ok": true}
    {"event": "sent", "code": "HELLO", "t": 1234.5}

A request may carry `"call": <anything>`, which comes back in its reply, so that replies can be told apart. What cannot be
done is answered with `{"error": "a sentence"}`. Events go to every connected client and carry `event` and `t`
(seconds, monotonic clock of the machine).
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import stat
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

__all__ = ["ControlClient", "ControlError", "ControlServer", "Handler", "commands"]

log = structlog.get_logger()

Json = dict[str, Any]
Handler = Callable[[Json], Json | Awaitable[Json]]

LINE_LIMIT_BYTES = 1 << 20
CLIENT_BUFFER_BYTES = 1 << 20  # a client that does not read loses events beyond this, not the simulator its memory
EVENTS_LIMIT = 10_000


class ControlError(Exception):
    """A request that cannot be carried out; the text is the sentence that the client gets."""


def commands(table: Mapping[str, Handler]) -> Handler:
    """A handler that picks by `do` from `table`; a name that is not there is answered with those that are."""

    def handle(request: Json) -> Json | Awaitable[Json]:
        name = request.get("do")
        if not isinstance(name, str) or name not in table:
            raise ControlError(f"unknown command {name!r}; known are {', '.join(sorted(table))}")
        return table[name](request)

    return handle


class ControlServer:
    """Serves `handle` at the socket `path`; use with `async with`, or `start` and `close`."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self.path = Path(path)
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self.dropped_events = 0

    async def start(self) -> None:
        """Listen. A stale socket of a killed process is replaced; a live one raises `ControlError`."""
        await _clear_stale(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self.path, limit=LINE_LIMIT_BYTES)
        except OSError as error:
            raise ControlError(f"{self.path}: cannot listen for control commands ({error})") from error
        self.path.chmod(0o600)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._clients.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self.path.unlink(missing_ok=True)

    def broadcast(self, event: Json) -> None:
        """To every client, with the time `t` added. One that does not read loses the event; it is counted."""
        line = _line({"t": time.monotonic(), **event})
        for writer in self._clients:
            if writer.transport.get_write_buffer_size() + len(line) > CLIENT_BUFFER_BYTES:
                self.dropped_events += 1
            else:
                writer.write(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[writer] = task
        try:
            while line := await reader.readline():
                answer = _line(await self._answer(line))
                if writer.is_closing():
                    break  # the client did not wait; uvloop would raise
                writer.write(answer)
                await writer.drain()
        except ValueError:
            writer.write(_line({"error": f"a line is longer than {LINE_LIMIT_BYTES} bytes"}))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client left, or we close: both end here, and only here
        finally:
            del self._clients[writer]
            await _close(writer)

    async def _answer(self, line: bytes) -> Json:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            return {"error": f"not JSON: {error}"}
        if not isinstance(request, dict):
            return {"error": 'a command is a JSON object such as {"do": "state"}'}
        echo = {"call": request["call"]} if "call" in request else {}
        try:
            result = self._handle(request)
            reply = await result if inspect.isawaitable(result) else result
        except ControlError as error:
            reply = {"error": str(error)}
        except Exception as error:
            log.exception("control command failed", request=request)
            reply = {"error": f"the simulator failed: {error!r}"}
        return {**reply, **echo}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class ControlClient:
    """Commands a simulator at the socket `path`. `events` holds what it told meanwhile, the newest 10,000."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.events: asyncio.Queue[Json] = asyncio.Queue(EVENTS_LIMIT)
        self.dropped_events = 0
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Json]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the simulator has gone, or was never there."""
        return self._task is None or self._task.done()

    async def open(self, timeout_s: float = 5.0) -> None:
        """Connect, waiting up to `timeout_s` for the simulator to come up. Raises `ControlError`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self.path, limit=LINE_LIMIT_BYTES)
                break
            except OSError as error:
                if loop.time() >= end:
                    raise ControlError(f"{self.path}: no simulator answers there ({error})") from error
                await asyncio.sleep(0.02)
        self._task = asyncio.create_task(self._read(reader), name=f"control {self.path.name}")

    async def call(self, request: Json, timeout_s: float = 10.0) -> Json:
        """The reply to `request`. Raises `ControlError` when the simulator is gone or does not answer."""
        if self._writer is None or self._task is None or self._task.done():
            raise ControlError(f"{self.path}: not connected to the simulator")
        number = next(self._numbers)
        future = self._calls[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(_line({**request, "call": number}))
            await self._writer.drain()
            async with asyncio.timeout(timeout_s):  # not wait_for: on 3.11 it can swallow a cancellation
                reply = dict(await future)
        except (TimeoutError, OSError) as error:
            raise ControlError(f"{self.path}: no reply to {request.get('do')!r}") from error
        finally:
            del self._calls[number]
        reply.pop("call", None)
        return reply

    async def event(self, name: str, timeout_s: float = 5.0) -> Json:
        """The next event called `name`; others before it are passed over. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await self.events.get()
                if event.get("event") == name:
                    return event

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            await _close(self._writer)
        self._writer = self._task = None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                call = self._calls.get(message.get("call"))
                if call is not None and not call.done():
                    call.set_result(message)
                elif "event" in message:
                    self._keep(message)
        except OSError:
            pass  # told to the callers below
        finally:
            for call in self._calls.values():
                if not call.done():
                    call.set_exception(ConnectionResetError("the simulator is gone"))

    def _keep(self, event: Json) -> None:
        if self.events.full():
            self.events.get_nowait()
            self.dropped_events += 1
        self.events.put_nowait(event)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _line(message: Json) -> bytes:
    # half a surrogate pair, which JSON can spell and UTF-8 cannot, goes back as it was spelled
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass  # the other side was faster


async def _clear_stale(path: Path) -> None:
    if not _socket_at(path):
        return
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        os.unlink(path)
        return
    await _close(writer)
    raise ControlError(f"{path}: another simulator listens there: stop it, or choose another control path")


def _socket_at(path: Path) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path}: a file is in the way of the control socket: remove it")
    return True
