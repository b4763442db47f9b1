"""A disk that is full for one program. A small tmpfs of its own where we may mount one, which then truly has no space left;
else a limit on the size of its files (`RLIMIT_FSIZE`), under which every write that would make one grow fails."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

SIZE = "16m"


class SmallDisk:
    """`folder` is the disk of one program; `pid()` its process, None while it is dead. Use with `with`."""

    def __init__(self, folder: Path, pid: Callable[[], int | None]) -> None:
        self.folder, self._pid = folder, pid
        self.mounted = False
        self._limited = 0
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def __enter__(self) -> SmallDisk:
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(self.folder)]
            self.mounted = subprocess.run(command, capture_output=True).returncode == 0
        return self

    def __exit__(self, *_: object) -> None:
        """What lies on it stays, for whoever looks into a failure."""
        self.free()
        if self.mounted:
            kept = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # a reader of ours may still be at it
            for name, content in kept.items():
                (self.folder / name).write_bytes(content)

    def fill(self) -> str:
        """No byte more; returns how."""
        if self.mounted:
            with (self.folder / "ballast").open("ab", buffering=0) as ballast:
                for size in (1 << 16, 1 << 12, 1):
                    try:
                        while True:
                            ballast.write(bytes(size))
                    except OSError:
                        continue  # ENOSPC
            return "no space left"
        if (pid := self._pid()) is not None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, self._hard))
            self._limited = pid
        return "no file may grow"

    def free(self) -> None:
        """There is room again."""
        if self.mounted:
            (self.folder / "ballast").unlink(missing_ok=True)
        elif self._limited and self._limited == self._pid():
            resource.prlimit(self._limited, resource.RLIMIT_FSIZE, (self._hard, self._hard))
