"""The store of a day of exits as real processes: broker, hub, entrance, agents with lanes, and each lane's devices."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from firmware_sim.mailbox import MailServer, text_of
from firmware_sim.phones_http import Site
from firmware_sim.shopper import Shopper
from instore.day.backstage import Backstage, DayFailed, some_at_once
from instore.day.exits_files import DEVICES, DOOR, HEARTBEAT, address_of, agents, display_port, lane_folder
from instore.day.exits_lane import LaneFront
from instore.day.exits_script import Customer, ExitsScript, Fault, agent_of
from instore.demo.hardware import Simulator
from instore.demo.layout import Layout
from instore.demo.observer import ask_json, get_json
from instore.programs import agent_program

_COUPON = re.compile(r"K[0-9A-F]{16}")
PURPOSES = ["service", "coupons", "email"]


class ExitsStage(Backstage):
    """`shoppers` by key, once they are members; `slips`: how many complete slips fell with each coupon on them."""

    def __init__(self, layout: Layout, script: ExitsScript, mail: MailServer, told: Callable[[str], None]) -> None:
        super().__init__(layout, lambda *_: None)
        self.mail = mail
        self.script, self._told = script, told
        self.slips: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.lanes = [
            LaneFront(lane, lane_folder(layout, lane), display_port(layout, lane), self._printed)
            for lane in range(script.lanes)
        ]
        self.beacons = Simulator("beacons", layout.path("sim/beacons.sock"), lambda _, __: None, self._fixed)
        self.site = Site(layout.hub_url)
        self.shoppers: dict[str, Shopper] = {}

    def _printed(self, coupon: str) -> None:
        self.slips[coupon] += 1

    async def open(self) -> None:
        """Everything before the doors open."""
        for lane in self.lanes:
            lane_folder(self.layout, lane.number).mkdir()
        await self.open_hub(self.beacons.run(), *(run for lane in self.lanes for run in lane.runs()))
        for lane in self.lanes:
            folder = lane_folder(self.layout, lane.number)
            self.processes.start(self.program(f"lane-{lane.number + 1}", "sim", "lane", "--folder", str(folder)))
        self._entrance()
        for agent in agents(self.script):
            self.processes.start(
                agent_program(agent, self.layout.path(f"{agent}.toml"), self.layout.path(f"logs/{agent}.log"))
            )
        await self.bring_in("products")
        await self._members()
        await self.there(self.beacons)
        exits = [(agents(self.script)[agent_of(lane.number)], lane.number + 1) for lane in self.lanes]
        await self.ready([f"agent/{DOOR}", f"{DOOR}/beacons", *(f"agent/{agent}" for agent in agents(self.script)),
                          *(f"{agent}/{device}-{lane}" for agent, lane in exits for device in DEVICES)])  # fmt: skip

    def _entrance(self) -> None:
        path = self.layout.path
        self.processes.start(self.program("radio", "sim", "beacons", "--bus", str(path("sim/bus.sock")), "--control",
                                          str(path("sim/beacons.sock")), "--adapter", "hci0@0,0"))  # fmt: skip
        bus = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path('sim/bus.sock')}"}
        self.processes.start(agent_program(DOOR, path(f"{DOOR}.toml"), path(f"logs/{DOOR}.log"), bus))

    async def _fixed(self, beacons: Simulator) -> None:
        await beacons.call({"do": "add", "id": "heartbeat", "frame": HEARTBEAT, "interval_ms": 500, "at": [1.0, 0.0]})

    async def _members(self) -> None:
        """Members register by the web; their beacons come with the books of the store."""
        members = [customer for customer in self.script.customers if customer.member]
        self._told(f"{len(members)} members register")
        dice = Random(f"shoppers {self.script.seed}")

        async def register(customer: Customer, seed: int) -> None:
            shopper = Shopper(customer.key, self.site, lambda _: None, Random(seed))
            form = {"name": customer.name, "language": customer.language, "email": address_of(customer.key)}
            await shopper.register(form, PURPOSES)
            self.shoppers[customer.key] = shopper

        await some_at_once([register(customer, dice.getrandbits(64)) for customer in members])
        rows = [f"{self.shoppers[customer.key].customer},{customer.frame}" for customer in members]
        self.layout.path("customers.csv").write_text("\n".join(["customer,beacons", *rows, ""]), encoding="utf-8")
        await self.bring_in("customers")

    def letters(self) -> Counter[tuple[str, str]]:
        """How many different letters came, by address and coupon. One that came twice has the same Message-ID."""
        found = {(address, coupon, str(letter["Message-ID"])) for to, letter in self.mail.letters for address in to
                 for coupon in _COUPON.findall(text_of(letter))}  # fmt: skip
        return Counter((address, coupon) for address, coupon, _ in found)

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*(shopper.off() for shopper in self.shoppers.values()))
        await super().close()

    # --- tills

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A till tells the hub until it answers. Raises DayFailed when it does not."""
        for _ in range(300):
            answer = await get_json(f"{self.layout.hub_url}/api/v1/{path}", body=body, key=self.layout.api_key)
            if isinstance(answer, dict):
                return answer
            await asyncio.sleep(0.3)
        raise DayFailed(f"{path} of {body.get('sale')} was not taken; see {self.layout.path('logs/hub.log')}")

    async def redeem(self, coupon: str, body: dict[str, Any]) -> dict[str, Any]:
        """A till takes a coupon, or does not; its answer says which. Raises DayFailed when the hub does not answer."""
        for _ in range(300):
            status, answer = await ask_json(
                f"{self.layout.hub_url}/api/v1/coupons/{coupon}/redeem", body, self.layout.api_key
            )
            if status in (200, 409) and isinstance(answer, dict):
                return answer
            await asyncio.sleep(0.3)
        raise DayFailed(f"coupon {coupon} was not answered; see {self.layout.path('logs/hub.log')}")

    # --- what goes wrong

    async def fault(self, fault: Fault) -> None:
        """It happens, and is mended after its time."""
        self.faults[fault.kind] += 1
        if fault.kind == "hub_away":
            self._told(
                f"the hub is away for {fault.for_s:.0f} s, {fault.for_s * self.script.speed / 60:.0f} minutes of the store"
            )
            await self.processes.hold("hub")
            await asyncio.sleep(fault.for_s)
            self.processes.start(self.hub())
        elif fault.kind == "agent_killed":
            self.processes.kill(agents(self.script)[agent_of(fault.lane)])
        else:
            await self.lanes[fault.lane].breaks(fault.kind, fault.for_s)
