"""The agent's HTTP port: `/metrics` for Prometheus, `/healthz` for a person. Nothing else, and nothing can be sent to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from edge.small_http import Request, SmallHttp, response

log = structlog.get_logger()

CONNECTIONS_MAX = 16


class MetricsServer:
    """`async with` listens. `metrics()` is the text of Prometheus; `health()` gives (well, page)."""

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes],
                 health: Callable[[], tuple[bool, Mapping[str, Any]]]) -> None:  # fmt: skip
        self.host, self.port = host, port
        self._metrics, self._health = metrics, health
        self._http = SmallHttp("metrics", self._answer, most=CONNECTIONS_MAX, refused=self._count)
        self.refused = 0

    async def __aenter__(self) -> MetricsServer:
        """Raises OSError with what to do when the port can't be used."""
        try:
            self.port = await self._http.open(self.host, self.port)
        except OSError as error:
            raise OSError(f"[metrics] {self.host}:{self.port} can't be used: {error.strerror}; is another agent there? "
                          "give it another port, or leave [metrics] out") from None  # fmt: skip
        log.info("metrics", url=f"http://{self.host}:{self.port}/metrics")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return self._http.connections

    def _count(self) -> None:
        self.refused += 1

    def _answer(self, request: Request) -> bytes:
        if request.method not in ("GET", "HEAD"):
            return response(request, "405 Method Not Allowed", "text/plain", b"only GET\n")
        if request.path == "/metrics":
            return response(request, "200 OK", "text/plain; version=0.0.4; charset=utf-8", self._metrics())
        if request.path == "/healthz":
            well, page = self._health()
            body = json.dumps(page, ensure_ascii=False, indent=1).encode() + b"\n"
            return response(request, "200 OK" if well else "503 Service Unavailable", "application/json", body)
        return response(request, "404 Not Found", "text/plain", b"/metrics and /healthz are here\n")
