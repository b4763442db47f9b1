"""The floods of `tests.operations.flood`: one function each, with what customers at a lane felt of it.

Broker (Mosquitto), hub, agent and devices are those of the product; only the far ends are simulated.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract import topics
from contract.access import Principal
from contract.envelope import Message, Numbering, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import AlertAnswer, Sighting, SightingKind
from tests.broker.wire import publish_packet
from tests.delivery.real import HUB, STORE, free_ports, until
from tests.edge.lane_bench import KEY, exit_code
from tests.edge.shop import Shop
from tests.operations.flood_agent import CUSTOMER_EVERY_S, CUSTOMERS_HEAD
from tests.operations.flood_parts import (
    Times,
    customers,
    idle,
    passages_heard,
    passages_told,
    rss_kb,
    sending,
    sending_too_much,
)
from tests.operations.test_metrics import Samples, page_of, samples

ROOT = Path(__file__).parents[2]
TEN_MB = 10_000_000
CLERK, DOOR = Principal(Role.CLERK, "c01"), Principal(Role.AGENT, "door")


@dataclass
class Outcome:
    """Of one flood. Memory in kB, of the program that is flooded: after its first phase, and at the end."""

    name: str
    quiet: Times
    flooded: Times
    rss_first_kb: int
    rss_end_kb: int
    counted: dict[str, float]

    @property
    def growth(self) -> float:
        return self.rss_end_kb / self.rss_first_kb - 1

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {value:,.0f}" for name, value in self.counted.items())
        return (f"{self.name}\n  quiet:   {self.quiet}\n  flooded: {self.flooded}\n"
                f"  memory:  {self.rss_first_kb / 1024:.1f} MB, then {self.rss_end_kb / 1024:.1f} MB ({self.growth:+.1%})\n"
                f"  counted: {counted}")  # fmt: skip


async def keep_coming(shop: Shop, times: Times, left: Callable[[], int], seconds: float) -> None:
    """Customers one after the other for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await customers(shop, 1, times, left)


# --- the radio


async def adverts(
    folder: Path, *, rate: int, distinct: int, warm_s: float, seconds: float, before: int = 20
) -> Outcome:
    """`rate` advertisements a second of `distinct` beacons, all near."""
    port = free_ports(1)[0]
    shop = Shop(folder)
    with shop.settings.open("a") as file:
        file.write(f'[beacons]\nadapter = "hci0"\n[metrics]\nport = {port}\n')
    async with shop:
        shop.hub.give = None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.operations.flood_agent", str(shop.settings), str(rate), str(distinct),
            cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )  # fmt: skip
        shop.processes.append(process)
        await shop.ready()
        await asyncio.sleep(0.5)
        quiet, flooded, left = Times(), Times(), passages_heard(shop)
        await customers(shop, before, quiet, left)
        process.send_signal(signal.SIGUSR1)
        began = time.monotonic()
        await keep_coming(shop, flooded, left, warm_s)
        first = rss_kb(process.pid)
        await keep_coming(shop, flooded, left, seconds - warm_s)
        await until(lambda: time.monotonic() - began >= seconds)
        seen = samples((await page_of(port, "/metrics"))[1].decode())
        counted = {"adverts": seen["instore_edge_presence_total{what=adverts}"]}
        for what in ("arrived", "turned_away", "evicted", "dropped_adverts", "dropped_events"):
            counted[what] = seen[f"instore_edge_presence_total{{what={what}}}"]
        counted["dropped_by_scanner"] = seen["instore_edge_device_total{device=beacons,what=dropped}"]
        counted |= {"present": seen["instore_edge_beacons_present"], **_lost(seen)}
        counted |= customers_told(shop, time.monotonic() - began)
        counted["adverts_s"] = counted["adverts"] / (time.monotonic() - began)
        return Outcome(f"{rate:,} advertisements a second of {distinct:,} beacons for {seconds:g} s", quiet, flooded,
                       first, rss_kb(process.pid), counted)  # fmt: skip


def customers_told(shop: Shop, seconds: float) -> dict[str, float]:
    """Customers who came in during the flood, more than 4 s before its end, and how many of them the hub has heard of."""
    came = int((seconds - 4.0) / CUSTOMER_EVERY_S) - 1
    uuid = str(UUID(bytes=CUSTOMERS_HEAD[-16:]))
    told = {one["beacon"] for one in shop.hub.heard("sighting") if uuid in one["beacon"] and one["event"] == "arrived"}
    return {"customers": came, "customers_told": len({b for b in told if int(b.rsplit(":")[-1]) < came})}


def _lost(seen: Samples) -> dict[str, float]:
    """What would be a loss of something other than sightings."""
    return {what: seen.get(f"instore_edge_lane_total{{lane=1,what={what}}}", 0.0)
            for what in ("dropped_scans", "stale_scans", "dropped_gate_events")}  # fmt: skip


# --- a reader


async def codes(folder: Path, *, per_s: int, forged: bool, warm_s: float, seconds: float, before: int = 20) -> Outcome:
    """`per_s` codes a second at one reader, each another: nonsense (of twelve digits some would be numbers for the hub), or in the form of ours with a wrong signature."""
    async with Shop(folder) as shop:
        shop.hub.give = None
        agent = shop.agent()
        await shop.ready()
        await until(lambda: len(agent.keys) == 1)
        quiet, flooded, rng, sent = Times(), Times(), Random(7), 0
        left = passages_heard(shop)
        await customers(shop, before, quiet, left)
        stop = asyncio.Event()
        mold = exit_code(store=STORE)

        async def flood() -> None:
            nonlocal sent
            began = time.monotonic()
            while not stop.is_set():
                due = min(int((time.monotonic() - began) * per_s), sent + 200)
                lines = [_forged(mold, rng) if forged else b"%013d" % rng.randrange(10**13) for _ in range(sent, due)]
                sent = due
                await shop.do("reader", "noise", hex=b"".join(line + b"\r" for line in lines).hex())
                await asyncio.sleep(0.01)

        task = asyncio.create_task(flood())
        await keep_coming(shop, flooded, left, warm_s)
        first = rss_kb(os.getpid())
        await keep_coming(shop, flooded, left, seconds - warm_s)
        stop.set()
        await task
        await until(lambda: idle(agent))
        await asyncio.sleep(0.2)
        lane = agent.lanes["1"]
        counted = {what: float(lane.counters[what]) for what in ("scans", "refused", "refused_untold", "scans_while_busy",
                                                                 "dropped_scans", "stale_scans")}  # fmt: skip
        counted |= {"sent": float(sent), "told": float(len(shop.hub.heard("refused")))}
        what = "forged codes" if forged else "codes of nonsense"
        return Outcome(f"{per_s:,} {what} a second at a reader for {seconds:g} s (memory: agent, hub and devices in one)",
                       quiet, flooded, first, rss_kb(os.getpid()), counted)  # fmt: skip


def _forged(mold: str, rng: Random) -> bytes:
    """The last characters carry the signature."""
    tail = "".join(rng.choice("0123456789ABCDEF") for _ in range(12))
    return (mold[:-13] + tail + mold[-1]).encode()


# --- one client


def _packets(kind: str, count: int) -> list[bytes]:
    if kind == "large":
        name = topics.topic(BY_NAME["alert_answer"], STORE, clerk=CLERK.id)
        return [publish_packet(name, b"{" * TEN_MB, retain=False, qos=0, packet_id=0)]
    if kind == "nonsense":
        name = topics.topic(BY_NAME["alert_answer"], STORE, clerk=CLERK.id)
        return [publish_packet(name, b"{" * 200, retain=False, qos=0, packet_id=0)]
    found = []
    for n in range(1, count + 1):
        message: Message
        if kind == "answers":
            channel, ids = BY_NAME["alert_answer"], {"clerk": CLERK.id}
            data = AlertAnswer(alert=f"a{n}", answer="accept")
            message = Message(channel, ids, data, f"x{n}", source_of(channel, ids))
        else:
            channel, ids = BY_NAME["sighting"], {"agent": DOOR.id}
            heard = Sighting(beacon=f"b{n}", event=SightingKind.ARRIVED, heard=datetime.now(UTC))
            message = Message(channel, ids, heard, f"x{n}", source_of(channel, ids), numbering=Numbering("flood", n, n))
        found.append(
            publish_packet(topics.topic(channel, STORE, **ids), encode(message), retain=False, qos=0, packet_id=0)
        )
    return found


@asynccontextmanager
async def real_hub(shop: Shop) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The product's hub as a process, in place of the small one of the tests; it trusts the same exit codes."""
    await shop.stop("hub")
    folder, port = shop.folder / "realhub", free_ports(1)[0]
    folder.mkdir()
    (folder / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "password").write_text(shop.broker.passwords[HUB.username])
    shipped = ROOT / "config" / "shipped"
    names = "".join(f'{n} = "{shipped}/{n}.toml"\n' for n in ("rules", "messages", "incentives"))
    (folder / "hub.toml").write_text(
        f'database = "hub.db"\n{names}[store]\nid = "{STORE}"\nname = {{ ja = "店", en = "Store" }}\n'
        f'[mqtt]\nport = {shop.broker.port}\nusername = "hub-main"\npassword_file = "password"\n'
        f'[http]\nport = {port}\n[exit_code]\nkey_files = ["key.pem"]\n'
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "instore", "hub", "--config", str(folder / "hub.toml"), cwd=ROOT, stderr=log
        )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    if b'"broker":"ok"' in (await page_of(port, "/healthz"))[1].replace(b" ", b""):
                        break
                except (OSError, IndexError):
                    pass  # not yet
                await asyncio.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        await process.wait()


async def client(folder: Path, *, kind: str, per_s: int, warm_s: float, seconds: float, before: int = 20) -> Outcome:
    """One client sends `per_s` messages a second to the hub: nonsense, answers to no alert, numbered sightings (for 20 s
    new ones, then the same again), or messages of 10 MB (it connects again whenever it is cut off)."""
    shop = Shop(folder)
    who = DOOR if kind == "sightings" else CLERK
    password = shop.broker.credentials.issue(who)
    packets = _packets(kind, int(per_s * min(seconds, 20.0)) if kind == "sightings" else 1000)
    way = sending_too_much if kind == "large" else sending
    async with shop, real_hub(shop) as (hub, port):
        agent = shop.agent()
        await until(lambda: len(agent.keys) == 1 and len(agent.announcer.devices) == 3 and agent.node.link.up)
        await asyncio.sleep(0.5)
        quiet, flooded, left = Times(), Times(), passages_told(agent)
        await customers(shop, before, quiet, left)
        async with way(shop.broker.port, who.username, password, packets, per_s) as sender:
            await keep_coming(shop, flooded, left, warm_s)
            first = rss_kb(hub.pid)
            await keep_coming(shop, flooded, left, seconds - warm_s)
            end = rss_kb(hub.pid)
            seen = samples((await page_of(port, "/metrics"))[1].decode())
        scans = agent.lanes["1"].counters["scans"]
        counted = {
            "sent": float(sender.sent),
            "scans": float(scans),
            "late_decisions": 0.0 + agent.lanes["1"].counters["late_decision"],
        }
        for what in ("received", "inbox_dropped", "quarantined", "gaps", "duplicates"):
            counted[what] = seen.get(f"instore_hub_delivery_total{{what={what}}}", 0.0)
        counted |= {"cut_off": float(sender.cut_off), "broker_mb": rss_kb(shop.broker.pid) / 1024}
        counted["log_bytes"] = float((shop.folder / "realhub" / "log").stat().st_size)
        return Outcome(f"{per_s:,} messages a second from one client ({kind}) at the hub for {seconds:g} s", quiet, flooded,
                       first, end, counted)  # fmt: skip
