"""The day's store as real processes: broker, hub, six agents, their radios, the members' phones, the clerks' handhelds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.messages import Role
from instore.day.backstage import Backstage, DayFailed, some_at_once
from instore.day.files import HEARTBEAT, write_clerks, write_customers
from instore.day.script import CLERKS, PLACES, PURPOSES, ROTATION_EXPONENT, Person, Sale, Script
from instore.demo.hardware import Simulator
from instore.demo.layout import Layout
from instore.demo.observer import get_json
from instore.processes import Program
from instore.programs import agent_program

ACCEPT_MS = 300
FAR_M = 200.0
"""Between two places: no beacon is heard at both."""


class Stage(Backstage):
    """`said(type, message, ids)` hears everything on MQTT, `phone(event)` what phones do, `told(sentence)` what goes on."""

    def __init__(self, layout: Layout, script: Script, said: Callable[[str, dict[str, Any], dict[str, str]], None],
                 phone: Callable[[dict[str, Any]], None], told: Callable[[str], None]) -> None:  # fmt: skip
        super().__init__(layout, said)
        self.script, self._told = script, told
        self.beacons = Simulator("beacons", layout.path("sim/beacons.sock"), lambda _, __: None, self._fixed)
        self.phones = Simulator("phones", layout.path("sim/phones.sock"), lambda _, event: phone(event))
        self._began = datetime.now(UTC).replace(microsecond=0)

    # --- programs

    async def open(self) -> dict[str, str]:
        """Everything before the doors open; returns the key of each customer by ID."""
        await self.open_hub(self.beacons.run(), self.phones.run())
        self.processes.start(self.program("phones", "sim", "phones", "--hub", self.layout.hub_url,
                                           "--control", str(self.layout.path("sim/phones.sock"))))  # fmt: skip
        ids = await self._members()
        await self._imports(ids)
        await self._sales(ids)
        for program in self._agents():
            self.processes.start(program)
        await self.there(self.beacons)
        await self.ready([*(f"agent/{place}" for place in PLACES), *(f"{place}/beacons" for place in PLACES),
                           *(f"clerk/{clerk}" for clerk in CLERKS)])  # fmt: skip
        return {customer: key for key, customer in ids.items()}

    def _agents(self) -> list[Program]:
        path = self.layout.path
        bus = f"unix:path={path('sim/bus.sock')}"
        adapters = [
            part for number in range(len(PLACES)) for part in ("--adapter", f"hci{number}@{number * FAR_M:g},0")
        ]
        radios = self.program("radios", "sim", "beacons", "--bus", str(path("sim/bus.sock")),
                               "--control", str(path("sim/beacons.sock")), *adapters)  # fmt: skip
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": bus}
        edges = [agent_program(at, path(f"{at}.toml"), path(f"logs/{at}.log"), environment) for at in PLACES]
        return [radios, *edges, *(self._handheld(clerk) for clerk in CLERKS)]

    def _handheld(self, clerk: str) -> Program:
        place = self.layout.broker
        username, password = self.layout.account(Role.CLERK, clerk)
        return self.program(f"handheld-{clerk}", "handheld", "--clerk", clerk, "--store", self.layout.store, "--host",
                             place.host, "--port", str(place.port), "--username", username, "--json",
                             "--auto-accept-ms", str(ACCEPT_MS), environment={"INSTORE_PASSWORD": password})  # fmt: skip

    # --- what was before the day

    async def _fixed(self, beacons: Simulator) -> None:
        for number in range(len(PLACES)):
            await beacons.call({"do": "add", "id": f"heartbeat-{number}", "frame": HEARTBEAT.format(number=number + 1),
                                "interval_ms": 500, "at": [number * FAR_M + 1.0, 0.0]})  # fmt: skip

    async def _members(self) -> dict[str, str]:
        """Members register by the web; the others have been in the books for years. IDs by key."""
        await self.there(self.phones)
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

        await some_at_once([register(person) for person in self.script.people if person.member])
        return ids

    async def _imports(self, ids: dict[str, str]) -> None:
        """What the store has in its books, by the command that a manager uses, while the hub runs."""
        write_clerks(self.layout.path("clerks.csv"))
        write_customers(self.layout.path("customers.csv"), self.script, ids, self._began)
        for what in ("clerks", "customers"):
            await self.bring_in(what)

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

        await some_at_once([post(*each) for each in every])

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
