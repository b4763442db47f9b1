"""Files that are there whole or not at all, and that only their owner reads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from config.writing import give_to_owner


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Writes a file so that a power cut leaves either the old or the new content. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            give_to_owner(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
