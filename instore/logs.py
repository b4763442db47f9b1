"""Logs: one line an event, on standard error, readable in a terminal and by journald."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Patient:
    """Standard error, but a log that can't be written (a full disk, a reader that has gone) ends nobody."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: it was closed
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(*, verbose: bool = False) -> None:
    """Set up logging for a long-running command. Third parties' loggers are heard from WARNING on."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # The MQTT library warns of every connection that ends; `delivery.link` says it once, as a sentence. (pymodbus writes its
    # whole history of frames when a gate vanishes: `devices.gate_bus` silences it and says that, too.)
    for name in ("gmqtt", "gmqtt.mqtt", "gmqtt.client", "amqtt", "transitions", "dbus_fast"):
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Patient())),
        cache_logger_on_first_use=True,
    )


def quiet() -> None:
    """Set up logging for a command that says everything itself: only what must not be missed is logged."""
    configure()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
