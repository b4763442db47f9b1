"""The QR reader's driver against the simulated reader, over perfect and bad wires, pulled and plugged."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from devices.reader import QrReader, ReaderSettings
from devices.reader_frames import ScanDataType
from devices.status import PowerState
from firmware_sim.control import ControlClient
from firmware_sim.pty_port import ByteAtATime, Delayed, Lossy, Perfect
from firmware_sim.reader import ReaderSim, run_reader


class Driven:
    """A driver at `link`, with queues of what it told."""

    def __init__(self, link, **settings):
        self.scans = asyncio.Queue()
        self.statuses = asyncio.Queue()
        self.driver = QrReader(link, ReaderSettings(**settings), self.scans.put_nowait, self.statuses.put_nowait)
        self.task = asyncio.create_task(self.driver.run())

    async def scan(self, timeout_s=30.0):
        return await asyncio.wait_for(self.scans.get(), timeout_s)

    async def status(self, wanted, timeout_s=30.0):
        async with asyncio.timeout(timeout_s):
            while not wanted(status := await self.statuses.get()):
                pass
        return status

    async def online(self):
        return await self.status(lambda s: s.power is PowerState.ONLINE)

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@contextlib.asynccontextmanager
async def reader_process(tmp_path, settings=None, **options):
    """run_reader as a tester starts it, its control client, and a driver on its port."""
    link, control = tmp_path / "by-id" / "reader", tmp_path / "reader.sock"
    task = asyncio.create_task(run_reader(link, control, **options))
    driven = Driven(link, **(settings or {}))
    try:
        async with ControlClient(control) as client:
            await driven.online()
            yield driven, client
    finally:
        await driven.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.row("B6")
async def test_a_presented_code_is_a_scan(tmp_path):
    async with reader_process(tmp_path, aim=True) as (driven, client):
        assert await client.call({"do": "present", "code": "6BF+70790T9WJWG"}) == {"ok": True}
        scan = await driven.scan()
        sent = await client.event("sent")
        assert (scan.text, scan.symbology, scan.aim) == ("6BF+70790T9WJWG", ScanDataType.QRCODE, "]Q1")
        assert abs(scan.t_last_byte - sent["t"]) < 0.1
        assert time.monotonic() - scan.t_last_byte < 0.5


@pytest.mark.parametrize("wire", [Perfect(), ByteAtATime(0.0005), Delayed(11, max_s=0.003)])
@pytest.mark.parametrize("framing", ["crlf", "stx_etx_bcc"])
async def test_whole_wires(tmp_path, wire, framing):
    sim = ReaderSim(tmp_path / "reader", lambda _: None, framing=framing, wire=wire)
    sim.port.plug()
    driven = Driven(tmp_path / "reader", framing="terminator" if framing == "crlf" else framing)
    await driven.online()
    for n in range(5):
        await sim.handle({"do": "present", "code": f"コード {n}"})
        assert (await driven.scan()).text == f"コード {n}"
    await driven.stop()
    sim.close()


async def test_a_damaging_wire_never_yields_a_wrong_code(tmp_path):
    wire = Lossy(seed := 5, lose=0.2, damage=0.2)
    sim = ReaderSim(tmp_path / "reader", lambda _: None, framing="stx_etx_bcc", wire=wire)
    sim.port.plug()
    driven = Driven(tmp_path / "reader", framing="stx_etx_bcc")
    await driven.online()
    sent = [f"CODE{n:03}" for n in range(100)]
    for code in sent:
        await sim.handle({"do": "present", "code": code})
    wire._lose = wire._damage = 0.0  # the last one arrives, so that the end is known
    await sim.handle({"do": "present", "code": "END"})
    await sim.handle({"do": "present", "code": "LAST"})
    got = []
    while not got or got[-1] != "LAST":
        got.append((await driven.scan()).text)
    assert set(got) <= {*sent, "END", "LAST"}, f"seed {seed}"
    assert len(got) >= 50
    assert wire.damaged > 10
    await driven.stop()
    sim.close()


async def test_a_held_code_counts_once(tmp_path):
    async with reader_process(tmp_path, {"rearm_s": 1.0}) as (driven, client):
        await client.call({"do": "hold", "code": "MINE", "every_s": 0.02})
        for _ in range(10):
            await client.event("sent")
        await client.call({"do": "away"})
        await asyncio.sleep(1.6)  # the last copy may have been read late
        await client.call({"do": "present", "code": "MINE"})
        await client.event("sent")
        assert [(await driven.scan()).text for _ in range(2)] == ["MINE", "MINE"]
        status = await driven.status(lambda s: s.counters["scans"] >= 11)
        assert driven.scans.empty()
        assert status.counters["repeats"] == status.counters["scans"] - 2


async def test_noise_flood_and_half_frames_do_not_stop_it(tmp_path):
    async with reader_process(tmp_path) as (driven, client):
        await client.call({"do": "noise", "bytes": 50, "seed": 3})
        await client.call({"do": "flood", "bytes": 50_000})
        await client.call({"do": "present", "code": "GOOD"})
        assert (await driven.scan()).text == "GOOD"
        await client.call({"do": "half", "code": "LOSTHALF"})
        status = await driven.status(lambda s: s.counters["half_frames"] == 1, 4.0)
        assert status.counters["noise_bytes"] == 50
        assert status.counters["overlong"] == 1
        await client.call({"do": "present", "code": "二枚目", "encoding": "cp932"})
        assert (await driven.scan()).text == "二枚目"


async def test_unplugged_is_seen_and_replugged_needs_nobody(tmp_path):
    async with reader_process(tmp_path) as (driven, client):
        await client.call({"do": "half", "code": "CUTOFF"})
        started = time.monotonic()
        await client.call({"do": "unplug"})
        status = await driven.status(lambda s: s.power is PowerState.OFF_OFFLINE)
        assert time.monotonic() - started < 2.0
        assert "unplugged" in status.reason
        assert "unplugged" in (await client.call({"do": "present", "code": "X"}))["error"]
        started = time.monotonic()
        await client.call({"do": "plug"})
        await driven.online()
        assert time.monotonic() - started < 1.0
        await client.call({"do": "present", "code": "AGAIN"})
        assert (await driven.scan()).text == "AGAIN"


async def test_a_failing_application_does_not_stop_the_reader(tmp_path):
    sim = ReaderSim(tmp_path / "reader", lambda _: None)
    sim.port.plug()
    driven = Driven(tmp_path / "reader")
    await driven.online()
    good = driven.driver._on_scan
    driven.driver._on_scan = lambda scan: 1 / 0
    await sim.handle({"do": "present", "code": "BOOM"})
    await asyncio.sleep(0.05)
    driven.driver._on_scan = good
    await sim.handle({"do": "present", "code": "FINE"})
    assert (await driven.scan()).text == "FINE"
    await driven.stop()
    sim.close()
