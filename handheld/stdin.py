"""Standard input inside asyncio: keys of a terminal one by one, or lines of a pipe. Restores the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK = 4096
_FILE_LIMIT = 1024 * 1024


def is_terminal() -> bool:
    """Whether a person types."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


@contextmanager
def listening(take: Callable[[bytes], None], keys: bool) -> Iterator[None]:
    """Calls `take` with what arrives on standard input. `keys`: each key at once, without echo (only on a terminal).

    The end of the input ends nothing: a handheld without a keyboard still shows.
    """
    if sys.stdin is None or sys.stdin.closed:
        yield
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd) if keys else None
    loop = asyncio.get_running_loop()

    # add_reader and a blocking read of what is there: a pipe transport would make the terminal's output
    # non-blocking as well, because both share one file description.
    def readable() -> None:
        try:
            data = os.read(fd, _CHUNK)
        except OSError:
            data = b""
        if data:
            take(data)
        else:
            loop.remove_reader(fd)

    try:
        if before is not None:
            tty.setcbreak(fd)
        try:
            loop.add_reader(fd, readable)
        except PermissionError:
            # A regular file or /dev/null can't be waited for; it is there at once.
            take(os.read(fd, _FILE_LIMIT))
        yield
    finally:
        loop.remove_reader(fd)
        if before is not None:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
