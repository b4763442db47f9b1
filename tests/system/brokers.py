"""A broker of somebody else: a plain Mosquitto with a password file, one user for all, no access control."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from broker.mosquitto_process import find_mosquitto

USER, PASSWORD = "shop", "p@ss w:rd/1"


@dataclass(frozen=True)
class Foreign:
    """Where it is; `url` for `--broker`."""

    port: int

    @property
    def url(self) -> str:
        return self.url_with(PASSWORD)

    def url_with(self, password: str) -> str:
        return f"mqtt://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    def retained(self) -> str:
        """What the broker keeps for whoever comes next, as mosquitto_sub prints it."""
        command = ["mosquitto_sub", "-p", str(self.port), "-u", USER, "-P", PASSWORD, "-t", "#", "-v",
                   "--retained-only", "-W", "1"]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def foreign_broker(folder: Path) -> Iterator[Foreign]:
    """Runs until the block ends."""
    folder.mkdir(exist_ok=True)
    tool = shutil.which("mosquitto_passwd")
    assert tool is not None, "mosquitto_passwd is missing: apt install mosquitto"
    subprocess.run([tool, "-b", "-c", str(folder / "passwords"), USER, PASSWORD], check=True, capture_output=True)
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {folder / 'passwords'}"]
    if os.geteuid() == 0:
        lines.append("user root")
    configuration = folder / "mosquitto.conf"
    configuration.write_text("\n".join(lines) + "\n")
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([find_mosquitto(), "-c", str(configuration)], stdout=log, stderr=log)
    try:
        _wait_until_it_listens(port)
        yield Foreign(port)
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.02)
