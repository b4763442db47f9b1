"""Logs: one line an event, on standard error, readable in a terminal and by journald."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, verbose: bool = False) -> None:
    """Set up logging for a long-running command. Third parties' loggers are heard from WARNING on."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # The MQTT library warns of every connection that ends; `delivery.link` says it once, as a sentence.
    for name in ("gmqtt", "gmqtt.mqtt", "gmqtt.client", "amqtt", "transitions", "dbus_fast", "pymodbus"):
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
