"""The simulated printer as a tester uses it: its commands, its files, its counters over a kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from devices.escpos_build import build
from devices.escpos_document import Document, Qr, Text
from firmware_sim.control import ControlClient, ControlError
from firmware_sim.escpos_commands import CommandReader, RealTime, RealTimeScanner
from firmware_sim.escpos_paper import FontMissing, font_path
from firmware_sim.printer import PrinterSim, read_codes, run_printer
from firmware_sim.printer_tray import Tray

RECEIPT = build(Document((Text("テスト印字"), Qr("SIM-1")))).data
FENCE = b"\x1d(H\x06\x0000abcd"
ROOT = Path(__file__).parents[2]


class Wire:
    """A program at the printer's port, without any driver."""

    def __init__(self, link: Path) -> None:
        self.fd = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.heard = bytearray()

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    async def hear(self, wanted: bytes, timeout_s: float = 30.0) -> bytes:
        async with asyncio.timeout(timeout_s):
            while wanted not in self.heard:
                try:
                    self.heard += os.read(self.fd, 4096)
                except BlockingIOError:
                    await asyncio.sleep(0.002)
        heard = bytes(self.heard)
        self.heard.clear()
        return heard

    async def silence(self, for_s: float = 0.1) -> None:
        await asyncio.sleep(for_s)
        with pytest.raises(BlockingIOError):
            os.read(self.fd, 1)


@contextlib.asynccontextmanager
async def printer(tmp_path: Path, **options):
    link, control = tmp_path / "printer", tmp_path / "printer.sock"
    paths = {"out_dir": tmp_path / "out", "state_file": tmp_path / "state.json"}
    task = asyncio.create_task(run_printer(link, control, **paths, **options))
    try:
        async with ControlClient(control) as client:
            wire = Wire(link)
            try:
                yield client, wire
            finally:
                os.close(wire.fd)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_receipt_becomes_a_picture_a_text_and_an_event(tmp_path):
    async with printer(tmp_path) as (client, wire):
        wire.send(RECEIPT + FENCE)
        assert await wire.hear(b"\x37\x22abcd\x00")
        event = await client.event("printed")
        assert (event["n"], event["qr"], event["text"]) == (1, ["SIM-1"], "テスト印字\n[QR] SIM-1\n")
        assert Path(event["png"]).with_suffix(".txt").read_text() == event["text"]
        assert read_codes(Path(event["png"])) == ["SIM-1"]
        assert (await client.call({"do": "state"}))["cuts"] == 1


async def test_the_evidence_is_on_disk_before_the_answer(tmp_path):
    async with printer(tmp_path) as (_, wire):
        wire.send(RECEIPT + b"\x1dg2\x00\xb2\x00" + FENCE)
        assert b"\x5f1\x00" in await wire.hear(b"abcd\x00")
        assert (tmp_path / "out" / "receipt-00001.png").exists()
        assert '"cuts": 1' in (tmp_path / "state.json").read_text()


async def test_status_by_request_and_by_itself(tmp_path):
    async with printer(tmp_path) as (client, wire):
        wire.send(b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04")
        assert await wire.hear(b"\x12" * 4) == b"\x12" * 4
        wire.send(b"\x1da\x0e")
        await wire.hear(b"\x10\x00\x00\x0f")
        await client.call({"do": "near_end"})
        await wire.hear(b"\x10\x00\x03\x0f")
        wire.send(b"\x10\x04\x04")
        await wire.hear(b"\x1e")
        await client.call({"do": "paper_out"})
        await wire.hear(b"\x18\x00\x0f\x0f")
        wire.send(b"\x10\x04\x04")
        await wire.hear(b"\x7e")
        await client.call({"do": "paper_ok"})
        await client.call({"do": "cover_open"})
        await wire.hear(b"\x38\x00\x00\x0f")
        await client.call({"do": "power_cycle", "for_s": 0.01})
        await client.call({"do": "cover_close"})
        await wire.silence()  # the power cycle has switched automatic status off


async def test_without_paper_the_job_is_held_and_real_time_still_answered(tmp_path):
    async with printer(tmp_path) as (client, wire):
        await client.call({"do": "paper_out"})
        wire.send(RECEIPT + FENCE + b"\x1dr\x01")
        wire.send(b"\x10\x04\x01")
        assert await wire.hear(b"\x1a") == b"\x1a"
        await client.call({"do": "paper_ok"})
        await wire.hear(b"abcd\x00\x00")
        assert (await client.event("printed"))["n"] == 1


async def test_clearing_drops_the_held_job(tmp_path):
    async with printer(tmp_path) as (client, wire):
        await client.call({"do": "paper_out"})
        wire.send(RECEIPT + FENCE)
        wire.send(bytes.fromhex("10 14 08 01 03 14 01 06 02 08"))
        await wire.hear(b"\x37\x25\x00")
        await client.call({"do": "paper_ok"})
        await wire.silence()
        assert (await client.call({"do": "state"}))["receipts"] == 0


async def test_unknown_commands_are_counted_and_shown(tmp_path):
    async with printer(tmp_path) as (client, wire):
        wire.send(b"\x1b\x7f\x1dz\x02" + RECEIPT)
        event = await client.event("printed")
        assert event["qr"] == ["SIM-1"]
        assert set((await client.call({"do": "state"}))["unknown"]) == {"ESC \x7f (ESC 7F)", "GS z (GS 7A)", "02"}


async def test_a_raster_picture_and_other_codes(tmp_path):
    async with printer(tmp_path) as (client, wire):
        wire.send(b"\x1b@\x1dv0\x00\x02\x00\x10\x00" + b"\xaa\x55" * 16 + b"\x1dk\x04ABC\x00\x1dV\x00")
        event = await client.event("printed")
        assert event["qr"] == []
        assert (await client.call({"do": "state"}))["unknown"] == {"GS k": 1}


async def test_numbers_and_counter_continue_after_kill_9(tmp_path):
    code = (
        "import asyncio,sys\nfrom pathlib import Path\nfrom firmware_sim.printer import run_printer\np=Path(sys.argv[1])\n"
        "asyncio.run(run_printer(p/'printer',p/'printer.sock',out_dir=p/'out',state_file=p/'state.json'))"
    )
    for n in (1, 2):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path), cwd=ROOT)
        try:
            async with ControlClient(tmp_path / "printer.sock") as client:
                wire = Wire(tmp_path / "printer")
                wire.send(RECEIPT)
                assert (await client.event("printed"))["n"] == n
                os.close(wire.fd)
                assert (await client.call({"do": "state"}))["cuts"] == n
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()


def test_a_receipt_on_disk_without_its_count_is_counted(tmp_path):
    """Killed between the picture and the counter: the paper lies there, so it has been cut."""
    (tmp_path / "receipt-00007.png").write_bytes(b"")
    (tmp_path / "state.json").write_text('{"cuts": 20, "receipts": 6}')
    tray = Tray(tmp_path, tmp_path / "state.json")
    assert (tray.cuts, tray.receipts) == (21, 7)
    (tmp_path / "state.json").write_text("{")
    assert Tray(tmp_path, tmp_path / "state.json").receipts == 7


def test_no_font_is_a_sentence(monkeypatch):
    monkeypatch.setattr("firmware_sim.escpos_paper.FONT_PATHS", ("/nowhere/a.ttf",))
    monkeypatch.delenv("INSTORE_FONT", raising=False)
    with pytest.raises(FontMissing, match="fonts-ipafont-gothic"):
        font_path()


async def test_wrong_commands_are_answered_with_sentences(tmp_path):
    with pytest.raises(ControlError, match="tm-t88v"):
        PrinterSim(tmp_path / "p", print, out_dir=tmp_path, model="x")
    async with printer(tmp_path) as (client, _):
        assert "allowed are 0" in (await client.call({"do": "slow", "mm_per_s": 5000}))["error"]
        assert "paper_out" in (await client.call({"do": "fly"}))["error"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_commands_are_the_same_in_any_chunks(size: int) -> None:
    stream = RECEIPT + FENCE + b"\x1dk\x49\x03{BA\x1bD\x08\x00\x1dVB\x00\x10\x04\x01"
    whole, parts = CommandReader(), CommandReader()
    whole.feed(stream)
    expected = [command for command in iter(whole.next, None) if command.name != "text"]
    got = []
    for at in range(0, len(stream), size):
        parts.feed(stream[at : at + size])
        got += [command for command in iter(parts.next, None) if command.name != "text"]
    assert got == expected
    assert parts.waiting_bytes == 0


def test_real_time_commands_are_seen_even_inside_data() -> None:
    scanner = RealTimeScanner()
    found = [command for byte in b"\x1d(k\x10\x04\x01\x10\x05\x02" for command in scanner.feed(bytes((byte,)))]
    assert found == [RealTime("DLE EOT", 1), RealTime("DLE ENQ", 2)]
