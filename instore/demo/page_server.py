"""The demo's page: events as they happen (Server-Sent Events), receipt pictures, buttons that make things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from instore.demo.layout import CLERKS, Layout
from instore.demo.record import Happening
from instore.demo.stage import Stage
from instore.demo.words import tell

PAGE = Path(__file__).parent / "page"
KEPT = 300
WAITING_MAX = 1000

FAULTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "paper_out": ("printer", [{"do": "paper_out"}]),
    "paper_ok": ("printer", [{"do": "paper_ok"}]),
    "printer_unplug": ("printer", [{"do": "unplug"}]),
    "printer_plug": ("printer", [{"do": "plug"}]),
    "reader_unplug": ("reader", [{"do": "unplug"}]),
    "reader_plug": ("reader", [{"do": "plug"}]),
    "gate_unplug": ("gate", [{"do": "unplug"}]),
    "gate_plug": ("gate", [{"do": "plug"}]),
    "fire_on": ("gate", [{"do": "fire", "on": True}]),
    "fire_off": ("gate", [{"do": "fire", "on": False}]),
}
"""What the page's buttons do to the simulated hardware."""


class PageServer:
    """Serves the page on a listening socket. `take` a happening; `stage` is set before `run`."""

    def __init__(self, layout: Layout, listener: socket.socket) -> None:
        self._layout, self._listener = layout, listener
        self._kept: deque[str] = deque(maxlen=KEPT)
        self._watchers: set[asyncio.Queue[str]] = set()
        self.stage: Stage | None = None

    def take(self, happening: Happening) -> None:
        """To everybody who watches. One who does not read loses events, not we our memory."""
        line = json.dumps(
            {"t_ms": happening.t_ms, "type": happening.type, "said": tell(happening), "message": happening.message,
             **happening.extra}, ensure_ascii=False)  # fmt: skip
        self._kept.append(line)
        for queue in self._watchers:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(line)

    async def run(self) -> None:
        """Until cancelled."""
        receipts = StaticFiles(directory=self._layout.path("receipts"), check_dir=False)
        routes = [
            Route("/events", self._events),
            Route("/info", self._info),
            Route("/fault/{name}", self._fault, methods=["POST"]),
            Mount("/receipts", receipts),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False, lifespan="off",
                                timeout_graceful_shutdown=1)  # fmt: skip
        await _Server(config).serve(sockets=[self._listener])

    async def _events(self, _request: Request) -> Response:
        queue: asyncio.Queue[str] = asyncio.Queue(WAITING_MAX)

        async def stream() -> AsyncIterator[str]:
            self._watchers.add(queue)
            try:
                for line in list(self._kept):
                    yield f"data: {line}\n\n"
                while True:
                    yield f"data: {await queue.get()}\n\n"
            finally:
                self._watchers.discard(queue)

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _info(self, _request: Request) -> Response:
        """Where the handheld's page and the lane's display are, and the clerk to sign in as; on this machine only."""
        return JSONResponse({"display": self._layout.display_url, "handheld": f"{self._layout.hub_url}/handheld/", "clerk": CLERKS[0],
                             "password": self._layout.passwords[f"clerk-{CLERKS[0]}"]})  # fmt: skip

    async def _fault(self, request: Request) -> Response:
        # A page of another site must not be able to press these buttons: a custom header cannot be sent from there.
        wanted = FAULTS.get(request.path_params["name"])
        if wanted is None or self.stage is None or "x-instore-demo" not in request.headers:
            return JSONResponse({"error": f"known are {', '.join(FAULTS)}"}, 404)
        device, steps = wanted
        replies = [await getattr(self.stage, device).call(step) for step in steps]
        return JSONResponse({"replies": replies})


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the demo ends as a whole."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
