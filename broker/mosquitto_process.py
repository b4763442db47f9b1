"""Runs a Mosquitto of one's own on this machine, for the demo and for tests."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from broker.errors import MosquittoError, PortInUse
from broker.mosquitto import CONFIGURATION

_PR_SET_PDEATHSIG = 1
_LOG = "mosquitto.log"


class MosquittoProcess:
    """A Mosquitto that belongs to this process: it ends with it, however this process ends."""

    def __init__(self, process: subprocess.Popen[bytes], ports: tuple[int, ...], log: Path) -> None:
        self._process = process
        self.ports = ports
        """In the order of the configuration: TCP, then WebSocket."""
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it at once, as a power cut does: nothing is saved."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends it in order: sessions and retained messages are saved."""
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> MosquittoProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def find_mosquitto() -> str:
    """The program's path. Raises MosquittoError when it is not installed. Debian keeps it outside a user's PATH."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )
    if found is None:
        raise MosquittoError("mosquitto is not installed; install it (Debian, Raspberry Pi OS: apt install mosquitto)")
    return found


def mosquitto_command(directory: Path) -> list[str]:
    """The command line that runs Mosquitto, as this user, on the configuration in `directory`.

    Raises MosquittoError when Mosquitto is not installed or there is no configuration.
    """
    program = find_mosquitto()
    configuration = directory / CONFIGURATION
    if not configuration.exists():
        raise MosquittoError(
            f"{configuration} does not exist; write it with `instore broker --mosquitto-config {directory}`"
        )
    return [program, "-c", str(_as_this_user(configuration, configuration.read_text(encoding="utf-8")))]


def start_mosquitto(directory: Path, *, timeout_s: float = 10.0) -> MosquittoProcess:
    """Starts Mosquitto on the configuration in `directory` and returns when it takes connections on every listener.

    Call it from a thread that lives as long as Mosquitto should: Linux ends a child with the thread that started it.
    Raises MosquittoError (not installed, no configuration, or it ended by itself: with its own last words), PortInUse.
    """
    command = mosquitto_command(directory)
    text = (directory / CONFIGURATION).read_text(encoding="utf-8")
    listeners = [_listener(line) for line in text.splitlines() if line.startswith("listener ")]
    for host, port in listeners:
        check_port_is_free(host, port)
    log = directory / _LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent(os.getpid()),
        )
    started = MosquittoProcess(process, tuple(port for _, port in listeners), log)
    try:
        _wait_until_ready(started, listeners, timeout_s)
    except BaseException:
        started.kill()
        raise
    return started


def check_port_is_free(host: str, port: int) -> None:
    """Raises PortInUse when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse.sentence(host, port, error) from None


def _listener(line: str) -> tuple[str, int]:
    _, port, host = line.split()
    return host, int(port)


def _as_this_user(configuration: Path, text: str) -> Path:
    """Mosquitto started by root becomes the user `mosquitto`, who may not read our files: let it stay who it is."""
    if os.geteuid() != 0:
        return configuration
    own = configuration.with_name("mosquitto-as-root.conf")
    own.write_text(f"user root\n{text}", encoding="utf-8")
    own.chmod(0o600)
    return own


def _die_with_parent(parent: int) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return in_child


def _wait_until_ready(started: MosquittoProcess, listeners: list[tuple[str, int]], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    for address in listeners:
        while True:
            if not started.running:
                said = started.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise MosquittoError(f"mosquitto ended at its start; it said: {' / '.join(said) or 'nothing'}")
            try:
                socket.create_connection(address, timeout=1.0).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise MosquittoError(
                        f"mosquitto did not take connections on {address[0]}:{address[1]} within {timeout_s:g} s;"
                        f" see {started.log}"
                    ) from None
                time.sleep(0.01)  # between two attempts to connect, which are refused at once
