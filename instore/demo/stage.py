"""The demo's stage: every program of the store, the simulators' sockets, the observer; and what they tell, recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from contract.messages import Role
from hub.importing import import_customers
from instore.demo.hardware import Simulator
from instore.demo.layout import CLERKS, ENTRANCE, EXIT, HEARTBEAT, LANE, Layout
from instore.demo.observer import Observer, get_json
from instore.demo.past import HANAKO, READINGS, write_past
from instore.demo.record import Happening, Record
from instore.processes import Processes, Program, listening
from instore.programs import agent_program, broker_program, hub_program

ANSWER_AFTER_MS = 400
LET_IN_S = 10.0
CLEAR_S = 2.0
PLACES = {"hci0": (0.0, 0.0)}
"""Where the entrance's adapter is, in metres; the street is at y < 0, the door at the origin."""


class NoBroker(ConnectionError):
    """The broker that is said to be there is not, or does not let us in; the sentence says which."""


class Stage:
    """`start` and `ready`, then play; `stop` at the end. `clerk_answers_ms` None: only people answer."""

    def __init__(self, layout: Layout, record: Record, *, clerk_answers_ms: int | None = ANSWER_AFTER_MS) -> None:
        self.layout, self.record = layout, record
        self._clerk_answers_ms = clerk_answers_ms
        self.processes = Processes(self._on_process)
        self.observer = Observer(layout, self._on_message)
        self.gate = Simulator("gate", layout.path("sim/gate.sock"), self._on_hardware)
        self.reader = Simulator("reader", layout.path("sim/reader.sock"), self._on_hardware)
        self.printer = Simulator("printer", layout.path("sim/printer.sock"), self._on_hardware)
        self.beacons = Simulator("beacons", layout.path("sim/beacons.sock"), self._on_hardware, self._place_beacons)
        self.phones = Simulator("phones", layout.path("sim/phones.sock"), self._on_hardware, self._phone_wakes)
        self._session = ""
        self.present: dict[str, dict[str, Any]] = {}
        """Customers with a beacon, by its ID: put back when the radio's simulator is new."""
        self.status: dict[str, str] = {}
        """Newest state by program or device: `hub`, `agent/exit`, `exit/gate-1`, `clerk/c01`."""
        self._pictures: dict[str, str] = {}
        self._given_up: list[str] = []
        self._own_broker = layout.broker.username is None
        self._tasks: list[asyncio.Task[None]] = []

    # --- programs

    async def start(self) -> None:
        """Start everything. Programs find each other by themselves; the broker goes first only to save their back-off."""
        folder = self.layout.folder
        for name in ("logs", "dev", "sim", "receipts"):
            (folder / name).mkdir(exist_ok=True)
        import_customers(self.layout.path("hub.toml"), self.layout.path("customers.csv"), quiet=True)
        self._session = write_past(self.layout)
        for program in self._broker():
            self.processes.start(program)
        if self._own_broker:
            await listening(self.layout.broker.host, self.layout.broker.port)
        runs = [
            self.observer.run(),
            *(s.run() for s in (self.gate, self.reader, self.printer, self.beacons, self.phones)),
        ]
        self._tasks = [asyncio.create_task(run) for run in runs]
        if not self._own_broker and (trouble := await self.observer.let_in(LET_IN_S)):
            raise NoBroker(f"--broker: {trouble}")
        for program in self._programs():
            self.processes.start(program)

    def _program(self, name: str, *arguments: str, **more: Any) -> Program:
        return Program(name, arguments, self.layout.path(f"logs/{name}.log"), **more)

    def _programs(self) -> list[Program]:
        path = self.layout.path
        bus = f"unix:path={path('sim/bus.sock')}"
        adapters = [part for name, (x, y) in PLACES.items() for part in ("--adapter", f"{name}@{x:g},{y:g}")]
        programs = [
            hub_program(path("hub.toml"), path("logs/hub.log")),
            self._program("sim-gate", "sim", "gate", *self._wire("gate"), "--state", str(path("sim/gate.json"))),
            self._program("sim-reader", "sim", "reader", *self._wire("reader")),
            self._program("sim-printer", "sim", "printer", *self._wire("printer"), "--out", str(path("receipts")),
                          "--state", str(path("sim/printer.json"))),
            self._program("sim-beacons", "sim", "beacons", "--bus", str(path("sim/bus.sock")),
                          "--control", str(path("sim/beacons.sock")), *adapters),
            self._program("sim-phones", "sim", "phones", "--hub", self.layout.hub_url,
                          "--control", str(path("sim/phones.sock"))),
            agent_program("edge-entrance", path("entrance.toml"), path("logs/edge-entrance.log"),
                          {"DBUS_SYSTEM_BUS_ADDRESS": bus}),
            agent_program("edge-exit", path("exit.toml"), path("logs/edge-exit.log")),
        ]  # fmt: skip
        return [*programs, self._handheld()]

    def _broker(self) -> list[Program]:
        layout = self.layout
        if not self._own_broker:
            return []
        return [broker_program(layout.broker, layout.store, layout.path("credentials.json"), layout.path("mosquitto"),
                               layout.path("logs/broker.log"))]  # fmt: skip

    def _wire(self, device: str) -> tuple[str, ...]:
        path = self.layout.path
        return ("--link", str(path(f"dev/{device}")), "--control", str(path(f"sim/{device}.sock")))

    def _handheld(self) -> Program:
        place, clerk = self.layout.broker, CLERKS[0]
        username, password = self.layout.account(Role.CLERK, clerk)
        answer = () if self._clerk_answers_ms is None else ("--auto-accept-ms", str(self._clerk_answers_ms))
        return self._program("handheld", "handheld", "--clerk", clerk, "--store", self.layout.store, "--host", place.host,
                             "--port", str(place.port), "--username", username, "--json", *answer,
                             environment={"INSTORE_PASSWORD": password}, on_line=self._on_handheld)  # fmt: skip

    async def stop(self) -> None:
        """End everything."""
        if not self._own_broker:
            await self.processes.stop()
            if self.observer.link.up:
                await self.observer.clear(CLEAR_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.stop()

    # --- readiness

    WANTED = ("hub", f"agent/{ENTRANCE}", f"agent/{EXIT}", f"clerk/{CLERKS[0]}")
    DEVICES = (f"{ENTRANCE}/beacons", f"{EXIT}/reader-{LANE}", f"{EXIT}/printer-{LANE}", f"{EXIT}/gate-{LANE}")

    def missing(self) -> list[str]:
        """What is not ready yet."""
        programs = [name for name in self.WANTED if self.status.get(name) != "ready"]
        return [*programs, *(name for name in self.DEVICES if self.status.get(name) != "online")]

    async def ready(self, timeout_s: float) -> list[str]:
        """Wait until the whole store is ready; returns what is missing when the time is over.

        It is over as soon as a program is given up: then this says why.
        """
        await self.record.wait(lambda _: bool(self._given_up) or not self.missing(), timeout_s)
        return self._given_up or self.missing()

    # --- what is told

    def _on_process(self, name: str, state: str, pid: int | None) -> None:
        if state == "died" and name.startswith("sim-"):
            # As udev does when a device goes: else the name may soon be that of another device's pseudo-terminal.
            self.layout.path(f"dev/{name.removeprefix('sim-')}").unlink(missing_ok=True)
        if state == "gave up":
            log = self.layout.path(f"logs/{name}.log").read_text(encoding="utf-8", errors="replace")
            self._given_up.append(f"{name} ({(log.strip().splitlines() or ['it said nothing'])[-1]})")
        self.record.add("instore.demo.process", {"name": name, "state": state, "pid": pid})

    def _on_message(self, type_: str, message: dict[str, Any], ids: dict[str, str]) -> None:
        data = message.get("data") or {}
        match ids["channel"]:
            case "hub_status" | "agent_status" | "clerk_status" as channel:
                role = channel.partition("_")[0]
                self.status["hub" if role == "hub" else f"{role}/{ids[role]}"] = data.get("state", "")
            case "device_status":
                self.status[f"{ids['agent']}/{ids['device']}"] = data.get("power", "")
            case "receipt_up" | "receipt_down" | "agent_heartbeat":
                return
            case "alert":
                return  # the handheld's own view of it is recorded
        extra = {"device": ids["device"]} if "device" in ids else {}
        if ids["channel"] == "lane_printed" and (png := self._picture(str(data.get("coupon")))):
            extra["png"] = png
        self.record.add(type_, message, **extra)

    def _picture(self, coupon: str) -> str | None:
        """The picture of a receipt with this coupon. The printer lays picture and text down before it confirms the print."""
        if coupon in self._pictures:
            return self._pictures[coupon]
        texts = sorted(self.layout.path("receipts").glob("receipt-*.txt"), reverse=True)
        return next((str(t.with_suffix(".png")) for t in texts if coupon in t.read_text(encoding="utf-8")), None)

    def _on_hardware(self, name: str, event: dict[str, Any]) -> None:
        if event.get("event") == "printed":
            for text in event.get("qr", []):
                self._pictures[str(text)] = str(event.get("png"))
        self.record.add(f"instore.demo.{name}", event)

    def _on_handheld(self, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return
        if told.get("type") == "handheld.alert":
            alert = told["alert"]
            self.record.add("instore.alert.v1", {"id": f"{alert['alert']}/{alert['revision']}/{told['status']}",
                                                 "cause": told.get("cause"), "data": alert}, at="handheld")  # fmt: skip
        elif told.get("type") == "handheld.buzz":
            self.record.add("instore.demo.buzz", told)

    # --- customers and what they carry

    async def _place_beacons(self, beacons: Simulator) -> None:
        await beacons.call({"do": "add", "id": "heartbeat", "frame": HEARTBEAT, "interval_ms": 200, "at": [1.0, 0.0]})
        for beacon in list(self.present.values()):
            await beacons.call({"do": "add", **beacon})

    async def _phone_wakes(self, phones: Simulator) -> None:
        self._tasks.append(asyncio.create_task(self._sign_in(phones), name="her phone"))

    async def _sign_in(self, phones: Simulator) -> None:
        """Her phone is on. It finds the hub as soon as that is there."""
        while phones.there.is_set():
            answer = await phones.call({"do": "sign_in", "phone": HANAKO, "session": self._session})
            if "error" not in answer:
                await phones.call({"do": "readings", "phone": HANAKO, "readings": READINGS})
                return
            await asyncio.sleep(0.3)

    async def appear(self, who: str, frame: str, at: tuple[float, float]) -> None:
        """A customer with a beacon is there."""
        self.present[who] = {"id": who, "frame": frame, "interval_ms": 100, "at": list(at)}
        await self.beacons.call({"do": "add", **self.present[who]})

    async def walk(self, who: str, to: tuple[float, float], speed_m_s: float) -> None:
        """She walks."""
        if who in self.present:
            self.present[who]["at"] = list(to)
            await self.beacons.call({"do": "walk", "id": who, "to": list(to), "speed_m_s": speed_m_s})

    async def vanish(self, who: str) -> None:
        """She is out of everybody's reach."""
        if self.present.pop(who, None) is not None:
            await self.beacons.call({"do": "remove", "id": who})

    async def pay(self, sale: str, customer: str, amount_minor: int) -> str | None:
        """The POS posts the sale; the exit code, or None when the hub does not answer."""
        body = {"sale": sale, "customer": customer, "amount_minor": amount_minor, "currency": "JPY",
                "paid_on": "terminal", "tenders": [{"method": "credit", "amount_minor": amount_minor}]}  # fmt: skip
        answer = await get_json(f"{self.layout.hub_url}/api/v1/sales", body=body, key=self.layout.api_key)
        return answer.get("exit_code") if isinstance(answer, dict) else None

    async def catch_up(self) -> None:
        """Ask the hub for what happened while this observer heard nothing (a broker restarts without memory). Answers about a
        treatment are left out: what the trace tells of an answer is not which alert it was for, and the visit asks for one."""
        trace = await get_json(f"{self.layout.hub_url}/api/v1/trace/last", key=self.layout.api_key)
        hops = (trace or {}).get("hops", [])
        treatments = {hop["id"] for hop in hops if "special treatment" in str(hop.get("summary"))}
        for hop in hops:
            if hop.get("type") == "instore.alert.answer.v1" and hop.get("cause") in treatments:
                continue
            if str(hop.get("type", "")).startswith("instore.") and hop["type"] != "instore.alert.v1":
                self.record.add(hop["type"], {"id": hop["id"], "source": hop.get("source"), "cause": hop.get("cause"),
                                              "visit": trace.get("visit"), "summary": hop.get("summary")},
                                recovered=True)  # fmt: skip


def is_type(*types: str) -> Any:
    """A predicate for `Record.wait`."""

    def matches(happening: Happening) -> bool:
        return happening.type in types

    return matches
