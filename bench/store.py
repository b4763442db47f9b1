"""A store to measure: a Mosquitto of its own, the real hub, real agents, all as processes; everything in one folder.

Nothing in it differs from a store in use but three settings: incentives are electronic (paper takes half a second), open
alerts are not sent again meanwhile, and two further users may say and hear `bench/…`, for the broker's bare figures.
"""

from __future__ import annotations

import csv
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench.children import die_with_parent
from broker.credentials import Credentials
from broker.mosquitto import DYNAMIC_SECURITY, write_mosquitto_config
from broker.mosquitto_process import start_mosquitto
from contract.access import Principal
from contract.messages import Role
from delivery.link import Address
from hub.exit_keys import read_keys
from hub.importing import import_customers

STORE, HUB, CLERK = "bench", "main", "c01"
NEAR, FAR = Principal(Role.OBSERVER, "bench-near"), Principal(Role.OBSERVER, "bench-far")
"""The two ends of the bare measurements."""
SHIPPED = Path(__file__).resolve().parents[1] / "config" / "shipped"
STOP_S = 5.0


class BenchError(ValueError):
    """A measurement that can't be made; the sentence says why."""


def beacon(number: int) -> str:
    """The beacon of customer `number`, 0 to 2^32 - 1."""
    return f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:{number >> 16}:{number & 0xFFFF}"


class BenchStore:
    """`start_broker`, `start_hub` …; everything ends with `close`, or with this process, however it ends.

    `folder` should be on the disk that the store would use: every commit is synced to it.
    """

    def __init__(self, folder: Path, agents: tuple[str, ...], customers: int) -> None:
        self.folder, self.customers = folder.resolve(), customers
        self.port, ws_port, self.hub_port = _free_port(), _free_port(), _free_port()
        credentials = Credentials(self.path("credentials.json"))
        people = [Principal(Role.HUB, HUB), Principal(Role.CLERK, CLERK), NEAR, FAR,
                  *(Principal(Role.AGENT, agent) for agent in agents)]  # fmt: skip
        self._passwords = {person: credentials.issue(person) for person in people}
        self._api_key = secrets.token_urlsafe(24)
        self._open = ExitStack()
        self._hub: subprocess.Popen[bytes] | None = None
        write_mosquitto_config(self.path("mosquitto"), STORE, credentials, tcp_port=self.port, ws_port=ws_port)
        _let_bench_speak(self.path("mosquitto") / DYNAMIC_SECURITY)
        self._write_hub()
        self.keys = read_keys(self.path("hub.toml"), (self.path("exit-code-key.pem"),))
        """The hub's own, made before it starts."""

    def path(self, name: str) -> Path:
        return self.folder / name

    def address(self, person: Principal) -> Address:
        """How this principal reaches the broker."""
        return Address("127.0.0.1", self.port, person.username, self._passwords[person])

    def close(self) -> None:
        self._open.close()

    # --- what lies on disk

    def _write_hub(self) -> None:
        for name in ("rules.toml", "messages.toml"):
            shutil.copy(SHIPPED / name, self.path(name))
        incentives = (SHIPPED / "incentives.toml").read_text(encoding="utf-8")
        self.path("incentives.toml").write_text(incentives.replace('"print"', '"electronic"'), encoding="utf-8")
        self.path("api-keys.toml").write_text(f'bench-pos = "{self._api_key}"\n', encoding="utf-8")
        self.path("hub.toml").write_text(
            f"""id = "{HUB}"
database = "hub.sqlite"
rules = "rules.toml"
messages = "messages.toml"
incentives = "incentives.toml"
[store]
id = "{STORE}"
name = {{ ja = "測定", en = "Bench" }}
{self._mqtt(Principal(Role.HUB, HUB))}
[http]
port = {self.hub_port}
api_keys_file = "api-keys.toml"
[alerts]
reoffer_s = 3600
""",
            encoding="utf-8",
        )
        with self.path("customers.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["customer", "name", "visits", "average_purchase", "points", "rank", "main_clerk", "beacons"])
            rows.writerows(
                [f"C{n:06}", f"お得意 {n}", 40, 12000, 4800, "gold", CLERK, beacon(n)] for n in range(self.customers)
            )

    def _mqtt(self, person: Principal) -> str:
        return f'[mqtt]\nport = {self.port}\nusername = "{person.username}"\npassword = "{self._passwords[person]}"\n'

    def write_agent(self, agent: str, lanes: tuple[str, ...]) -> Path:
        """Settings of an agent with these lanes, whose ports are `dev/reader-<lane>` and `dev/gate-<lane>`."""
        text = f'store = "{STORE}"\nagent = "{agent}"\ndatabase = "{agent}.sqlite"\n'
        text += self._mqtt(Principal(Role.AGENT, agent))
        for lane in lanes:
            ports = {kind: self.path(f"dev/{kind}-{lane}") for kind in ("reader", "gate")}
            text += f'[[lane]]\nid = "{lane}"\n' + "".join(f'{k} = {{ port = "{p}" }}\n' for k, p in ports.items())
        path = self.path(f"{agent}.toml")
        path.write_text(text, encoding="utf-8")
        return path

    # --- what runs

    def start_broker(self) -> None:
        """Raises broker.errors.BrokerError. Linux ends the broker with the thread that calls this."""
        self._open.enter_context(start_mosquitto(self.path("mosquitto")))

    def start_hub(self) -> None:
        import_customers(self.path("hub.toml"), self.path("customers.csv"), quiet=True)
        self._hub = self.start("hub", "-m", "instore", "hub", "--config", str(self.path("hub.toml")))

    def start_far_end(self) -> None:
        self.start("far-end", "-m", "bench.far_end", str(self.port), FAR.username,
                   environment={"INSTORE_PASSWORD": self._passwords[FAR]})  # fmt: skip

    def start(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a Python program of ours; its output goes to `logs/<name>.log`."""
        log = self.path(f"logs/{name}.log")
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, env={**os.environ, **(environment or {})},
                                       preexec_fn=die_with_parent(os.getpid()))  # fmt: skip
        self._open.callback(_end, process)
        return process

    def hub_cpu_s(self) -> float:
        """Processor time that the hub has used so far, in seconds."""
        assert self._hub is not None
        fields = Path(f"/proc/{self._hub.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_hub_took_everything(self) -> None:
        """Raises BenchError when the hub put a message aside: then the figures would be of something else."""
        with closing(sqlite3.connect(f"file:{self.path('hub.sqlite')}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT count(*), min(reason || ': ' || detail) FROM quarantine").fetchone()
        if row[0]:
            raise BenchError(f"the hub could not use {row[0]} messages, such as: {row[1]}")

    def said(self, name: str) -> str:
        """The last lines of a program's log, for an error's sentence."""
        log = self.path(f"logs/{name}.log")
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
        return " / ".join(lines[-3:]) or "nothing"

    def exit_codes(self, first: int, count: int) -> list[str]:
        """Post `count` sales as a POS does; their exit codes. Raises BenchError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub_port, timeout=10)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._api_key}"}
        codes = []
        try:
            for number in range(first, first + count):
                sale = {"sale": f"S{number:06}", "customer": f"C{number % self.customers:06}", "amount_minor": 2000,
                        "currency": "JPY", "paid_on": "terminal"}  # fmt: skip
                connection.request("POST", "/api/v1/sales", json.dumps(sale), headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 201:
                    raise BenchError(f"the hub did not take a sale: {answer.status} {body[:200]!r}")
                codes.append(str(json.loads(body)["exit_code"]))
        except OSError as error:
            raise BenchError(f"the hub does not answer ({error}); it said: {self.said('hub')}") from error
        finally:
            connection.close()
        return codes


@contextmanager
def bench_store(agents: tuple[str, ...], customers: int, folder: Path | None = None) -> Iterator[BenchStore]:
    """A store in a fresh folder below `folder` (`run`: the working directory is on a disk, /tmp often in memory)."""
    base = folder or Path("run")
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="b-", dir=base) as place:
        store = BenchStore(Path(place), agents, customers)
        try:
            yield store
        finally:
            store.close()


def _let_bench_speak(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    kinds = ("publishClientSend", "subscribePattern", "publishClientReceive")
    own = [{"acltype": kind, "topic": "bench/#", "priority": 1, "allow": True} for kind in kinds]
    for role in document["roles"]:
        if role["rolename"] in (NEAR.username, FAR.username):
            role["acls"] += own
    path.write_text(json.dumps(document), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
