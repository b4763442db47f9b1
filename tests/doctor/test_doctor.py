"""The doctor at a real Mosquitto and at simulated devices behind real ports; the test is the installer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.edge_settings import load_edge
from doctor.examine import Options, examine
from doctor.finding import Finding, Level, Prompt, Said, exit_code, worst
from doctor.lane import PREFIX
from doctor.machine import disk
from doctor.sheet import sheet
from edge.lane_types import Phase
from firmware_sim.control import ControlClient
from firmware_sim.keypad import run_keypad
from tests.delivery.real import until
from tests.edge.shop import Shop

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEYPAD = "keypad"


class Installer:
    """Does what she is told, or in `habits` what she does instead."""

    def __init__(self, shop: Shop, **habits: Callable[[Prompt], Any]) -> None:
        self.shop, self.habits = shop, habits
        self.said: list[Said] = []
        self._todo: asyncio.Queue[Prompt] = asyncio.Queue()

    def hear(self, said: Said) -> None:
        self.said.append(said)
        if isinstance(said, Prompt):
            self._todo.put_nowait(said)

    async def work(self) -> None:
        while True:
            prompt = await self._todo.get()
            await self.habits.get(prompt.key, getattr(self, prompt.key))(prompt)

    async def loop_ask_read(self, _prompt: Prompt) -> None:
        await until(lambda: any(code.startswith(PREFIX) for code in self.shop.coupons()))
        await self.shop.show(self.shop.coupons()[-1])

    async def loop_ask_read_shown(self, prompt: Prompt) -> None:
        await self.shop.show(prompt.show)

    async def loop_ask_type(self, prompt: Prompt) -> None:
        await self.shop.do(KEYPAD, "type", keys=prompt.values["digits"] + "#")

    async def loop_ask_pass(self, _prompt: Prompt) -> None:
        await self.shop.walk()


async def examined(shop: Shop, installer: Installer, **options: Any) -> dict[str, Finding]:
    """The findings by key."""
    work = asyncio.create_task(installer.work())
    try:
        chosen = Options(**({"patience_s": 8.0} | options))
        found = await examine(load_edge(shop.settings), shop.settings, chosen, installer.hear, NOW)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert [said for said in installer.said if isinstance(said, Finding)] == found
    return {f"{finding.about} {finding.key}": finding for finding in found}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with Shop(tmp_path) as shop:
        await until(lambda: shop.hub.node.link.up)
        yield shop


@pytest.mark.row("C10")
async def test_the_whole_loop_is_proven(shop: Shop) -> None:
    found = await examined(shop, Installer(shop))
    loop = ["printer-1 print_good", "reader-1 read_good", "gate-1 loop_good", "gate-1 pass_good", "gate-1 close_good"]
    assert list(found)[-5:] == loop
    assert {"broker broker_good", "hub hub_good", "exit codes keys_good"} <= found.keys()
    assert worst(found.values()) in (Level.OK, Level.WARNING)  # the clock of this machine may not be synchronised
    assert exit_code(found.values()) == 0
    assert found["gate-1 loop_good"].values["scan_ms"] < 2000  # the bound of a visit of the demo, too
    assert await shop.pulses() == 1
    assert "Not a coupon" in shop.receipts[0]["text"]


@pytest.mark.row("C10")
async def test_an_agent_that_starts_afterwards_lets_its_customers_out(shop: Shop) -> None:
    """The doctor's open command and passage are on the board: neither may be taken for a customer's."""
    first = shop.agent()
    await shop.ready()
    await until(lambda: len(first.keys) == 1)
    await shop.show()
    await until(lambda: first.lanes["1"].lane.phase is Phase.OPEN)
    await shop.walk()
    await until(lambda: first.lanes["1"].lane.phase is Phase.IDLE)
    await shop.stop("agent")
    assert exit_code((await examined(shop, Installer(shop))).values()) == 0
    agent = shop.agent()
    await shop.ready()
    await until(lambda: len(agent.keys) == 1)
    before = await shop.pulses()
    await shop.show()
    await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN)
    assert await shop.pulses() == before + 1
    await shop.walk()
    await until(lambda: agent.lanes["1"].lane.phase is Phase.IDLE)
    assert shop.hub.heard("incident") == []


@pytest.mark.row("C10")
async def test_everything_that_is_wrong_is_found_in_one_round(shop: Shop) -> None:
    await shop.do("printer", "paper_out")
    await shop.stop("hub")

    async def wrong_code(_prompt: Prompt) -> None:
        await shop.show("4901234567894")

    async def wrong_way(_prompt: Prompt) -> None:
        await shop.do("gate", "walk", direction="entry", wait_s=5)

    installer = Installer(shop, loop_ask_read_shown=wrong_code, loop_ask_pass=wrong_way)
    found = await examined(shop, installer)
    broken = [key for key, finding in found.items() if finding.level is Level.ERROR]
    assert broken == ["hub hub_silent", "printer-1 device_flags", "printer-1 print_bad",
                      "reader-1 read_other", "gate-1 pass_wrong_way"]  # fmt: skip
    assert exit_code(found.values()) == 1
    page = sheet(list(found.values()), store="ginza", agent="exit", now=NOW, version="1")
    assert "要修理 / Not ready" in page
    assert "用紙がありません" in page
    assert "4901234567894" in page


@pytest.mark.row("C10")
async def test_a_device_that_is_not_there_is_named_and_its_steps_are_left_out(shop: Shop) -> None:
    await shop.do("gate", "unplug")
    await shop.do("reader", "unplug")
    found = await examined(shop, Installer(shop))
    assert "gate" in found["gate-1 device_bad"].values["why"]
    assert found["gate-1 skipped"].values == {"why": "not_there"}
    assert found["reader-1 skipped"].level is Level.SKIPPED
    assert "printer-1 print_good" in found


@pytest.mark.row("C10")
async def test_the_command_with_nobody_there_waits_for_no_hands(shop: Shop) -> None:
    sheet_file = shop.folder / "sheet.html"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "instore", "doctor", "--config", str(shop.settings)),
        *("--no-hands", "--json", "--sheet", str(sheet_file)),
        stdout=asyncio.subprocess.PIPE,
    )
    lines = [json.loads(line) for line in (await process.communicate())[0].splitlines()]
    assert process.returncode == 0
    assert lines[-1]["type"] == "instore.doctor.summary"
    assert lines[-1]["error"] == 0
    assert not [line for line in lines if line["type"] == "instore.doctor.prompt"]
    gate = [(line["key"], line.get("why")) for line in lines if line.get("about") == "gate-1"]
    assert gate == [("device_good", None), ("skipped", "no_hands")]
    assert await shop.pulses() == 0
    assert "Acceptance sheet" in sheet_file.read_text()


@pytest.mark.row("C10")
async def test_a_keypad_and_a_lane_without_printer(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        text = shop.settings.read_text()
        printer = f'[lane.printer]\nport = "{tmp_path / "printer"}"\n'
        assert printer in text
        shop.settings.write_text(text.replace(printer, f'[lane.keypad]\nport = "{tmp_path / KEYPAD}"\n'))
        control = tmp_path / "keypad.sock"
        shop.start(KEYPAD, run_keypad(tmp_path / KEYPAD, control))
        async with ControlClient(control) as shop.sims[KEYPAD]:
            found = await examined(shop, Installer(shop))
        assert {"keypad-1 type_good", "reader-1 read_good", "gate-1 pass_good"} <= found.keys()
        assert exit_code(found.values()) == 0


@pytest.mark.row("C10")
async def test_a_wrong_password_is_a_sentence(shop: Shop) -> None:
    (shop.folder / "password").write_text("wrong")
    found = await examined(shop, Installer(shop), hands=False)
    assert "refuses this user" in found["broker broker_bad"].values["why"]
    assert not [key for key in found if key.startswith("hub")]


def test_a_folder_that_the_agent_will_make_is_no_fault(tmp_path: Path) -> None:
    assert disk(tmp_path / "data" / "exit").key in ("disk_good", "disk_slow", "disk_small")
    assert not (tmp_path / "data").exists()


async def test_a_lane_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(ValueError, match="this agent has no lane '9'; it has 1"):
        await examine(load_edge(shop.settings), shop.settings, Options(("9",)), lambda _said: None, NOW)
