"""What a person sees when a command can't do what was asked: one sentence and an exit code, never a stack trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import BrokerError
from delivery.journal import JournalError
from devices.errors import DeviceError

EXPECTED = (JournalError, BrokerError, DeviceError, OSError, ValueError)
"""Errors whose text says what is wrong, where and what to do. Anything else is a fault of ours and shows its trace.

`config.load.SettingsError` is a ValueError: naming it would load pydantic for commands that read no settings."""


@contextmanager
def told() -> Iterator[None]:
    """Turn an expected error into a sentence on standard error and exit code 2."""
    try:
        yield
    except BaseExceptionGroup as group:
        expected, others = group.split(EXPECTED)
        if expected is None or others is not None:
            raise
        _say(_first(expected))
    except EXPECTED as error:
        _say(error)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _say(error: BaseException) -> None:
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    print(f"instore: {text}", file=sys.stderr)
    raise SystemExit(2)
