"""What comes in wrong while the store runs: refused or put aside, counted, visible, and the rest goes on (rows C1, C2, C8)."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contract.exit_code import ExitClaims, issue, key_id, new_code_id
from instore.demo.layout import BEACONS, Layout
from instore.demo.play import HANAKO
from instore.demo.record import Happening
from instore.demo.stage import Stage
from instore.demo.visit import Play
from tests.system.effects import ONE_OF_EACH, effects
from tests.system.playing import INSTORE
from tests.system.store import answers, ask, happens, layout_in, program, running

pytestmark = pytest.mark.system


def of(kind: str, **wanted: Any) -> Callable[[Happening], bool]:
    """A message of this type whose data hold all this."""

    def matches(happening: Happening) -> bool:
        data = happening.message.get("data") or {}
        return happening.type == f"instore.{kind}.v1" and all(data.get(name) == value for name, value in wanted.items())

    return matches


async def counted(stage: Stage, **wanted: int) -> None:
    """The hub's retained status shows these counters."""

    def matches(happening: Happening) -> bool:
        counters = (happening.message.get("data") or {}).get("counters", {})
        return happening.type == "instore.hub.status.v1" and wanted.items() <= counters.items()

    await happens(stage, matches, f"the hub counts {wanted}")


class Codes:
    """Makes exit codes as somebody might try."""

    def __init__(self, layout: Layout) -> None:
        key = load_pem_private_key(layout.path("exit-code-key.pem").read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key, self.kid, self.store = key, key_id(key.public_key()), layout.store

    def code(self, *, store: str | None = None, age_s: float = 0, lives_s: float = 3600, key: Ed25519PrivateKey | None = None,
             kid: str | None = None) -> str:  # fmt: skip
        issued = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=age_s)
        claims = ExitClaims(store or self.store, "S1", issued, issued + timedelta(seconds=lives_s), new_code_id())
        return issue(claims, key or self.key, kid or self.kid)


@pytest.mark.row("C2")
async def test_codes_that_open_nothing(tmp_path: Path) -> None:
    """Each is refused by the lane with its reason, counted at lane and hub, and the gate stays closed; then a good one."""
    layout = layout_in(tmp_path)
    async with running(layout) as stage:
        codes, thief = Codes(layout), Ed25519PrivateKey.generate()
        bad = {
            "malformed": "https://example.com/coupon",
            "bad_signature": codes.code(key=thief),
            "unknown_key": codes.code(key=thief, kid=key_id(thief.public_key())),
            "expired": codes.code(age_s=7200),
            "wrong_store": codes.code(store="shibuya"),
        }
        for reason, code in bad.items():
            await stage.reader.call({"do": "present", "code": code})
            refused = await happens(stage, of("lane.refused", reason=reason), reason)
            assert refused.message["data"]["detail"]
        assert (await stage.gate.call({"do": "state"}))["pulses"] == 0

        await Play(stage).visit(HANAKO, arrive=lambda: stage.appear(HANAKO.customer, HANAKO.beacon, (0.4, 0.0)))
        used = next(h.message["code"] for h in reversed(stage.record.all) if h.type == "instore.demo.reader")
        assert used not in bad.values()
        await asyncio.sleep(2.1)  # the reader takes the same code in front of it for one that is still held there
        await stage.reader.call({"do": "present", "code": used})
        await happens(stage, of("lane.refused", reason="already_used"), "used twice")
        assert (await stage.gate.call({"do": "state"}))["pulses"] == 1
        await counted(stage, **{f"lane_refused_{reason}": 1 for reason in (*bad, "already_used")})

        def told(happening: Happening) -> bool:
            counters = (happening.message.get("data") or {}).get("counters", {})
            return happening.extra.get("device") == "reader-1" and counters.get("refused") == len(bad) + 1

        await happens(stage, told, "the lane counts what it refused")
    assert effects(layout.folder) == ONE_OF_EACH


@pytest.mark.row("C12")
async def test_messages_that_break_the_contract(tmp_path: Path) -> None:
    """Published by a stock client with an agent's credentials: kept aside, counted; a stranger's beacon is counted too."""
    layout = layout_in(tmp_path)
    async with running(layout) as stage:
        status = f"instore/{layout.store}/agent/exit/status"
        await publish(layout, status, "{this is no JSON")
        await publish(layout, status, '{"specversion": "1.0", "id": "x"}')
        await counted(stage, quarantined=2)
        await stage.appear("stranger", f"{BEACONS}:77:7", (0.5, 0.0))
        await counted(stage, quarantined=2, unknown_beacons=1)
        await Play(stage).visit(HANAKO, arrive=lambda: stage.appear(HANAKO.customer, HANAKO.beacon, (0.4, 0.0)))
        assert stage.missing() == []
    assert effects(layout.folder) == {**ONE_OF_EACH, "quarantined": 2}


async def publish(layout: Layout, topic: str, text: str) -> None:
    tool = shutil.which("mosquitto_pub")
    assert tool is not None, "mosquitto_pub is missing: apt install mosquitto-clients"
    process = await asyncio.create_subprocess_exec(
        tool, "-p", str(layout.broker.port), "-i", "agent-exit:by-hand", "-u", "agent-exit", "-P",
        layout.passwords["agent-exit"], "-q", "1", "-t", topic, "-m", text)  # fmt: skip
    assert await process.wait() == 0


@pytest.mark.row("C8")
async def test_devices_that_are_not_there(tmp_path: Path) -> None:
    """One that never was, one that is unplugged: shown within two seconds, with a reason; the others work on."""
    layout = layout_in(tmp_path)
    settings = layout.path("exit.toml")
    nowhere = str(tmp_path / "no-such-port")
    settings.write_text(settings.read_text().replace(str(layout.path("dev/printer")), nowhere))
    async with running(layout, wait_for_all=False) as stage:
        missing = await happens(stage, of("device.status", category="pos_printer", power="off_offline"), "no printer")
        assert nowhere in missing.message["data"]["reason"]
        await stage.record.wait(lambda _: stage.missing() == ["exit/printer-1"], 15)
        assert stage.missing() == ["exit/printer-1"]

        began = asyncio.get_running_loop().time()
        await stage.gate.call({"do": "unplug"})
        unplugged = await happens(stage, of("device.status", category="gate", power="off_offline"), "gate unplugged")
        assert asyncio.get_running_loop().time() - began < 2.0
        assert str(layout.path("dev/gate")) in unplugged.message["data"]["reason"]
        await stage.gate.call({"do": "plug"})
        await happens(
            stage, lambda h: h.mono > unplugged.mono and stage.status["exit/gate-1"] == "online", "gate is back"
        )
        assert stage.status["agent/exit"] == "ready"
        assert all(h.message["state"] == "started" for h in stage.record.all if h.type == "instore.demo.process")


async def test_a_full_disk(tmp_path: Path) -> None:
    """The hub takes nothing that it can't keep, says so where it is asked, and goes on by itself when there is room."""
    layout = layout_in(tmp_path, "amqtt")
    healthz, sales = f"{layout.hub_url}/healthz", f"{layout.hub_url}/api/v1/sales"
    sale = {"sale": "S1", "amount_minor": 100, "currency": "JPY", "paid_on": "terminal"}
    async with program("hub", "--config", str(layout.path("hub.toml")), cwd=tmp_path) as hub:
        await answers(healthz, lambda status, _: status == 200)
        pid, (_, hard) = hub.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))  # no file of it may grow
        status, answer = await ask(sales, body=sale, key=layout.api_key)
        assert status == 503
        assert "try again" in answer["error"]
        assert "database" in (await answers(healthz, lambda status, _: status == 503))
        await hub.says("the database can't be written")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        await answers(healthz, lambda status, _: status == 200)
        status, answer = await ask(sales, body=sale, key=layout.api_key)
        assert (status, answer["created"]) == (201, True)
        assert await hub.end() == 0
    assert "Traceback" not in hub.said


async def test_a_log_that_cannot_be_written_ends_nobody(tmp_path: Path) -> None:
    layout = layout_in(tmp_path, "amqtt")
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *INSTORE, "hub", "--config", str(layout.path("hub.toml")),
        stdin=asyncio.subprocess.DEVNULL, cwd=tmp_path)  # fmt: skip
    try:
        health = await answers(f"{layout.hub_url}/healthz", lambda status, _: status == 200)
        assert "no broker" in health["broker"]
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() == 0
