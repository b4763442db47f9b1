"""Several lanes on one agent, each with its own devices, for real: broker, agent, keypad, NFC module, gates and readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.envelope import Message
from contract.exit_digits import check_digit
from contract.payloads import LaneScan
from delivery.engine import Tx
from firmware_sim.control import ControlClient
from firmware_sim.gate import run_gate
from firmware_sim.keypad import run_keypad
from firmware_sim.nfc import run_nfc
from firmware_sim.reader import run_reader
from tests.delivery.real import STORE, until
from tests.edge.lane_bench import exit_code
from tests.edge.lane_ways import decision
from tests.edge.shop import Shop, SmallHub

NUMBER = "98765432109"
DIGITS = NUMBER + check_digit(NUMBER)


class LanesHub(SmallHub):
    """Answers the lane that asks, and notes at which lane it was."""

    def handle(self, message: Message, tx: Tx) -> None:
        if message.channel.stream is None:
            return
        name = f"{message.ids['lane']} {message.channel.name.removeprefix('lane_')}"
        tx.db.execute(
            "INSERT INTO heard (id, name, data) VALUES (?, ?, ?)", (message.id, name, message.data.model_dump_json())
        )
        if isinstance(message.data, LaneScan):
            tx.send(
                "lane_decision",
                decision(message.id, give=None),
                agent="exit",
                lane=message.ids["lane"],
                cause=message.id,
            )

    async def gets(self, *names: str) -> None:
        """Wait until the last that was heard is this."""
        await until(lambda: [line["name"] for line in self.heard()][-len(names) :] == list(names), 15)


class Exit(Shop):
    """Lane 1 has all devices, lane 2 a reader and a gate, lane 3 is an exit counter with a reader alone."""

    hub_type = LanesHub

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        port = f'port = "{folder}/'
        self.settings.write_text(
            self.settings.read_text()
            + f'[lane.keypad]\n{port}keypad"\n[lane.nfc]\n{port}nfc"\n'
            + f'[[lane]]\nid = "2"\n[lane.reader]\n{port}reader2"\n[lane.gate]\n{port}gate2"\n'
            + f'[[lane]]\nid = "3"\n[lane.reader]\n{port}reader3"\n'
        )

    async def __aenter__(self) -> Exit:
        await super().__aenter__()
        runs = {
            "keypad": run_keypad,
            "nfc": run_nfc,
            "reader2": run_reader,
            "reader3": run_reader,
            "gate2": lambda link, control: run_gate(link, control, state_file=self.folder / "gate2.json"),
        }
        for name, run in runs.items():
            control = self.folder / f"{name}.sock"
            self.start(name, run(self.folder / name, control))
            self.sims[name] = await self._stack.enter_async_context(ControlClient(control))
        self.hub.give = None
        self.the_agent = self.agent()
        await self.ready("reader", "gate", "keypad", "nfc")
        return self


@pytest.mark.row("B6")
@pytest.mark.row("B12")
async def test_every_way_to_bring_a_code_and_every_way_to_pass(tmp_path: Path) -> None:
    async with Exit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, LanesHub)

        await shop.do("keypad", "type", keys=f"12*{DIGITS}#", every_s=0.035)
        await hub.gets("1 scan", "1 opened")
        await shop.walk()
        await hub.gets("1 scan", "1 opened", "1 passage")
        assert [(line["digits"], line["by"]) for line in hub.heard("1 scan")] == [(DIGITS, "keypad")]

        await shop.do("keypad", "type", keys=f"{DIGITS[:-1]}{(int(DIGITS[-1]) + 1) % 10}#", every_s=0.035)
        await hub.gets("1 refused")
        assert hub.heard("1 refused")[-1]["reason"] == "mistyped"

        code = exit_code(store=STORE)
        await shop.do("nfc", "hold", text=code, for_s=2)
        await hub.gets("1 scan", "1 opened")
        assert hub.heard("1 scan")[-1]["by"] == "nfc"
        await shop.walk()
        await shop.do("gate", "tailgate")
        await until(lambda: len(hub.heard("1 incident")) == 1)
        assert hub.heard("1 incident")[0]["kind"] == "tailgating"

        await until(lambda: bool(hub.heard("1 passage")) and len(hub.heard("1 passage")) == 2)
        await shop.do("reader2", "present", code=code)  # used at lane 1: not at lane 2
        await hub.gets("2 refused")
        assert hub.heard("2 refused")[0]["reason"] == "already_used"


@pytest.mark.row("B12")
async def test_one_code_at_two_lanes_at_once_and_an_exit_counter(tmp_path: Path) -> None:
    async with Exit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, LanesHub)
        code = exit_code(store=STORE)
        for reader in ("reader", "reader2"):
            await shop.do(reader, "present", code=code)
        await until(lambda: len(hub.heard("1 scan")) + len(hub.heard("2 scan")) == 1)
        await until(lambda: len(hub.heard("1 refused")) + len(hub.heard("2 refused")) == 1)

        await shop.do("reader3", "present", code=exit_code(store=STORE))
        await until(lambda: bool(hub.heard("3 passage")))
        assert [line["name"] for line in hub.heard() if line["name"].startswith("3")] == [
            "3 scan",
            "3 opened",
            "3 passage",
        ]
        assert hub.heard("3 passage")[0]["outcome"] == "passed"


@pytest.mark.row("B12")
async def test_a_gate_that_does_what_nobody_should_and_a_button_that_is_pressed(tmp_path: Path) -> None:
    async with Exit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, LanesHub)
        await shop.do("gate", "force")
        await until(lambda: len(hub.heard("1 incident")) == 1)
        await shop.show()
        await hub.gets("1 scan", "1 opened")
        assert (await shop.do("gate", "both_ways", wait_s=5))["passed"]
        await until(lambda: len(hub.heard("1 incident")) == 2 and bool(hub.heard("1 passage")))
        assert [line["kind"] for line in hub.heard("1 incident")] == ["forced", "both_ways"]
        assert [line["outcome"] for line in hub.heard("1 passage") if line["scan"]] == ["passed"], "no double effect"
        await shop.do("gate", "help")
        await shop.do("keypad", "type", keys="A")
        await until(lambda: bool(hub.heard("1 call")))
        await shop.do("gate2", "help")
        await until(lambda: bool(hub.heard("2 call")))
        assert [line["reason"] for line in hub.heard("1 call")] == ["help"], "one call, whichever button it was"
