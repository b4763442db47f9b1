"""The day's store as real processes: broker, hub, six agents, their radios, the members' phones, the clerks' handhelds."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.messages import Role
from instore.day.files import HEARTBEAT, write_clerks, write_customers
from instore.day.script import CLERKS, PLACES, PURPOSES, ROTATION_EXPONENT, Person, Sale, Script
from instore.demo.hardware import Simulator
from instore.demo.layout import Layout
from instore.demo.observer import Observer, get_json
from instore.processes import Processes, Program, listening
from instore.programs import agent_program, broker_program, hub_program

ACCEPT_MS = 300
FAR_M = 200.0
"""Between two places: no beacon is heard at both."""
TOGETHER = 8
"""Requests to the hub at once, as from so many tills."""


class DayFailed(RuntimeError):
    """The day could not be played; the sentence says why."""


class Stage:
    """`said(type, message, ids)` hears everything on MQTT, `phone(event)` what phones do, `told(sentence)` what goes on."""

    def __init__(self, layout: Layout, script: Script, said: Callable[[str, dict[str, Any], dict[str, str]], None],
                 phone: Callable[[dict[str, Any]], None], told: Callable[[str], None]) -> None:  # fmt: skip
        self.layout, self.script, self._told = layout, script, told
        self._said = said
        self.processes = Processes(self._on_process)
        self.observer = Observer(layout, self._heard)
        self.beacons = Simulator("beacons", layout.path("sim/beacons.sock"), lambda _, __: None, self._fixed)
        self.phones = Simulator("phones", layout.path("sim/phones.sock"), lambda _, event: phone(event))
        self.status: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._began = datetime.now(UTC).replace(microsecond=0)
        self._given_up = ""
        self._tasks: list[asyncio.Task[None]] = []

    # --- programs

    async def open(self) -> dict[str, str]:
        """Everything before the doors open; returns the key of each customer by ID."""
        for name in ("logs", "sim"):
            (self.layout.folder / name).mkdir()
        self.processes.start(self._broker())
        await listening(self.layout.broker.host, self.layout.broker.port)
        self.processes.start(hub_program(self.layout.path("hub.toml"), self.layout.path("logs/hub.log")))
        self._tasks = [asyncio.create_task(run) for run in (self.observer.run(), self.beacons.run(), self.phones.run())]
        await self._ready(["hub"])
        self.processes.start(self._program("phones", "sim", "phones", "--hub", self.layout.hub_url,
                                           "--control", str(self.layout.path("sim/phones.sock"))))  # fmt: skip
        ids = await self._members()
        await self._imports(ids)
        await self._sales(ids)
        for program in self._agents():
            self.processes.start(program)
        await self._there(self.beacons)
        await self._ready([*(f"agent/{place}" for place in PLACES), *(f"{place}/beacons" for place in PLACES),
                           *(f"clerk/{clerk}" for clerk in CLERKS)])  # fmt: skip
        return {customer: key for key, customer in ids.items()}

    def _program(self, name: str, *arguments: str, **more: Any) -> Program:
        return Program(name, arguments, self.layout.path(f"logs/{name}.log"), **more)

    def _broker(self) -> Program:
        layout = self.layout
        return broker_program(layout.broker, layout.store, layout.path("credentials.json"), layout.path("mosquitto"),
                              layout.path("logs/broker.log"))  # fmt: skip

    def _agents(self) -> list[Program]:
        path = self.layout.path
        bus = f"unix:path={path('sim/bus.sock')}"
        adapters = [
            part for number in range(len(PLACES)) for part in ("--adapter", f"hci{number}@{number * FAR_M:g},0")
        ]
        radios = self._program("radios", "sim", "beacons", "--bus", str(path("sim/bus.sock")),
                               "--control", str(path("sim/beacons.sock")), *adapters)  # fmt: skip
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": bus}
        edges = [agent_program(at, path(f"{at}.toml"), path(f"logs/{at}.log"), environment) for at in PLACES]
        return [radios, *edges, *(self._handheld(clerk) for clerk in CLERKS)]

    def _handheld(self, clerk: str) -> Program:
        place = self.layout.broker
        username, password = self.layout.account(Role.CLERK, clerk)
        return self._program(f"handheld-{clerk}", "handheld", "--clerk", clerk, "--store", self.layout.store, "--host",
                             place.host, "--port", str(place.port), "--username", username, "--json",
                             "--auto-accept-ms", str(ACCEPT_MS), environment={"INSTORE_PASSWORD": password})  # fmt: skip

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.stop()

    # --- what is told

    def _on_process(self, name: str, state: str, _pid: int | None) -> None:
        if state == "gave up":
            self._given_up = f"{name} can't run; see {self.layout.path(f'logs/{name}.log')}"
            self._changed.set()

    def _heard(self, type_: str, message: dict[str, Any], ids: dict[str, str]) -> None:
        data, channel = message.get("data", {}), ids.get("channel")
        if channel == "hub_status":
            self.status["hub"] = data["state"]
        elif channel == "agent_status":
            self.status[f"agent/{ids['agent']}"] = data["state"]
        elif channel == "device_status":
            self.status[f"{ids['agent']}/{ids['device']}"] = {"online": "ready"}.get(data["power"], data["power"])
        elif channel == "clerk_status":
            self.status[f"clerk/{ids['clerk']}"] = data["state"]
        self._changed.set()
        self._said(type_, message, ids)

    async def _ready(self, names: list[str], timeout_s: float = 60.0) -> None:
        def missing() -> list[str]:
            return [name for name in names if self.status.get(name) != "ready"]

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while missing() and not self._given_up:
                    self._changed.clear()
                    await self._changed.wait()
        if self._given_up or missing():
            raise DayFailed(self._given_up or f"not ready: {', '.join(missing())}; see {self.layout.path('logs')}")

    async def _there(self, simulator: Simulator, timeout_s: float = 30.0) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await simulator.there.wait()
                return
        raise DayFailed(self._given_up or f"{simulator.name} do not answer; see {self.layout.path('logs')}")

    async def _fixed(self, beacons: Simulator) -> None:
        for number in range(len(PLACES)):
            await beacons.call({"do": "add", "id": f"heartbeat-{number}", "frame": HEARTBEAT.format(number=number + 1),
                                "interval_ms": 500, "at": [number * FAR_M + 1.0, 0.0]})  # fmt: skip

    # --- what was before the day

    async def _members(self) -> dict[str, str]:
        """Members register by the web; the others have been in the books for years. IDs by key."""
        await self._there(self.phones)
        self._told(f"{sum(person.member for person in self.script.people)} members register")
        year = self._began.year
        ids = {person.key: f"D-{person.key}" for person in self.script.people if not person.member}

        async def register(person: Person) -> None:
            form = {"name": person.name, "gender": person.gender, "birth_year": year - person.age, "language": person.language,
                    "email": f"{person.key}@example.com", "phone": f"090-{person.key[1:].zfill(8)}"}  # fmt: skip
            consents = [purpose for purpose in PURPOSES if purpose in person.purposes]
            made = await self._phone({"do": "register", "phone": person.key, "form": form, "consents": consents})
            ids[person.key] = made["customer"]
            await self._phone({"do": "readings", "phone": person.key, "readings": _measured(person.readings)})

        await _some_at_once([register(person) for person in self.script.people if person.member])
        return ids

    async def _imports(self, ids: dict[str, str]) -> None:
        """What the store has in its books, by the command that a manager uses, while the hub runs."""
        write_clerks(self.layout.path("clerks.csv"))
        write_customers(self.layout.path("customers.csv"), self.script, ids, self._began)
        for what in ("clerks", "customers"):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "instore", what, "import", str(self.layout.path(f"{what}.csv"))),
                *("--config", str(self.layout.path("hub.toml"))),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await process.communicate()
            if process.returncode:
                raise DayFailed(f"the import of {what} refused something: {said.decode(errors='replace')[:1000]}")

    async def _phone(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self.phones.call(request)
        if "error" in answer:
            raise DayFailed(f"{request['do']} of phone {request['phone']}: {answer['error']}")
        return answer

    async def _sales(self, ids: dict[str, str]) -> None:
        every = [(ids[person.key], sale) for person in self.script.people for sale in person.sales]
        self._told(f"{len(every)} sales of the last days are posted")

        async def post(customer: str, sale: Sale) -> None:
            sold = (self._began - timedelta(days=sale.days_ago)).isoformat()
            line = {"product": f"P-{sale.category}"[:64], "category": sale.category, "quantity": sale.pieces,
                    "amount_minor": sale.amount_minor}  # fmt: skip
            body = {"sale": sale.sale, "customer": customer, "amount_minor": sale.amount_minor, "currency": "JPY",
                    "paid_on": "settlement", "sold": sold, "lines": [line]}  # fmt: skip
            if await get_json(f"{self.layout.hub_url}/api/v1/sales", body=body, key=self.layout.api_key) is None:
                raise DayFailed(f"sale {sale.sale} was not taken; see {self.layout.path('logs/hub.log')}")

        await _some_at_once([post(*each) for each in every])

    # --- the day

    async def comes(self, who: str, place: str, person: Person | None, frame: str) -> None:
        """Somebody with a beacon is at a place."""
        at = [PLACES.index(place) * FAR_M + 0.5, 0.0]
        if person is not None and person.identity_key:
            frame = f"eid:{person.identity_key}:{ROTATION_EXPONENT}"
        answer = await self.beacons.call({"do": "add", "id": who, "interval_ms": 200, "at": at, "frame": frame})
        if "error" in answer:
            raise DayFailed(f"{who}: {answer['error']}")

    async def goes(self, who: str) -> None:
        """She is out of everybody's reach."""
        await self.beacons.call({"do": "remove", "id": who})


def _measured(readings: dict[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in readings.items() if name != "systolic_kpa"}
    if "systolic_kpa" in readings:
        found["blood_pressure"] = {
            "systolic_kpa": readings["systolic_kpa"],
            "diastolic_kpa": readings["systolic_kpa"] * 0.6,
        }
    return found


async def _some_at_once(work: list[Any]) -> None:
    turns = asyncio.Semaphore(TOGETHER)

    async def one(each: Any) -> None:
        async with turns:
            await each

    async with asyncio.TaskGroup() as tasks:
        for each in work:
            tasks.create_task(one(each))
