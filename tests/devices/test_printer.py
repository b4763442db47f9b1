"""The receipt printer's driver against the simulated printer: hostile wires, faults in the middle of a job, restarts.

What must hold everywhere: a receipt told as printed lies there, one told as failed never comes, and doing what the
results say gives exactly one receipt.
"""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from devices.errors import IllegalMove
from devices.escpos_build import build
from devices.escpos_document import Document, Pair, Qr, Text
from devices.printer import Evidence, JobState, OutputComplete, PrinterSettings
from devices.status import PowerState
from firmware_sim.printer import read_codes
from firmware_sim.pty_port import ByteAtATime, Delayed, Lossy, Perfect
from tests.devices.printer_bench import Store, coupon, store


@pytest.mark.row("C4")
async def test_a_coupon_is_printed_confirmed_and_readable(tmp_path):
    async with store(tmp_path) as it:
        assert await it.driver.cut_counter() == 0
        result = await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)
        assert (result.state, result.evidence) == (JobState.PRINTED, Evidence.PROCESS_ID)
        event = await asyncio.wait_for(it.printed.get(), 30)
        assert event["qr"] == ["CPN-1"]
        assert "200円引き\n" in event["text"]
        assert "3行目のご案内です line 3\n" in event["text"]
        assert await it.driver.cut_counter() == 1
        assert it.sim.engine.state()["unknown"] == {}


@pytest.mark.parametrize("wire", [ByteAtATime, lambda: Delayed(7, max_s=0.004)], ids=["bytes", "delayed"])
async def test_over_slow_wires(tmp_path, wire):
    async with store(tmp_path, wire_in=wire(), wire_out=wire()) as it:
        for n in range(3):
            assert (await it.driver.print_job(f"job-{n}", coupon(f"CPN-{n}"), timeout_s=5)).printed
        assert it.codes() == ["CPN-0", "CPN-1", "CPN-2"]


@pytest.mark.row("C4")
async def test_paper_out_in_mid_job_prints_one_when_paper_returns(tmp_path):
    async with store(tmp_path) as it:
        it.do("paper_out", after_lines=3)
        result = await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=5)
        assert (result.state, result.reason) == (JobState.UNKNOWN, "rec_empty")
        with pytest.raises(IllegalMove):
            await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=1)
        it.do("paper_ok")
        assert await asyncio.wait_for(it.events.get(), 30) == OutputComplete("job-1", Evidence.PROCESS_ID)
        assert (await it.driver.resolve("job-1", 0)).printed
        assert it.codes() == ["CPN-1"]


@pytest.mark.row("C4")
async def test_a_held_job_is_taken_back_and_printed_again(tmp_path):
    async with store(tmp_path) as it:
        it.do("paper_out", after_lines=3)
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=5)).state is JobState.UNKNOWN
        result = await it.driver.resolve("job-1", 0)
        assert (result.state, result.evidence) == (JobState.FAILED, Evidence.CLEARED)
        it.do("paper_ok")
        await it.until(lambda status: not status.flags)
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)).printed
        assert it.codes() == ["CPN-1"]


async def test_what_cannot_print_is_refused_before_a_byte_is_sent(tmp_path):
    async with store(tmp_path) as it:
        for fault, remedy, word in [
            ("paper_out", "paper_ok", "rec_empty"),
            ("cover_open", "cover_close", "cover_open"),
            ("cutter_error", "cutter_ok", "cutter_error"),
        ]:
            it.do(fault)
            await it.until(lambda status, word=word: word in status.flags)
            result = await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=1)
            assert (result.state, result.reason) == (JobState.FAILED, word)
            it.do(remedy)
            await it.until(lambda status: not status.flags)
        it.do("near_end")
        await it.until(lambda status: status.flags == {"rec_near_end"})
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)).printed
        it.do("unplug")
        await it.until(lambda status: status.power is PowerState.OFF_OFFLINE)
        assert (await it.driver.print_job("job-2", coupon("CPN-2"), timeout_s=1)).reason == "port_lost"
        assert it.codes() == ["CPN-1"]


async def test_an_unknown_status_still_prints(tmp_path):
    it = Store(tmp_path)
    it.do("silent", on=True)
    it.sim_task = asyncio.create_task(it.sim.run())
    await asyncio.sleep(0)
    await it.start_driver(online=False)
    try:
        assert it.driver.status.power is PowerState.UNKNOWN
        for n in range(2):
            result = await it.driver.print_job(f"job-{n}", coupon(f"CPN-{n}"), timeout_s=0.3)
            assert (result.state, result.reason) == (JobState.UNKNOWN, "timeout")
            held = await it.driver.print_job("next", coupon("no"), timeout_s=1)
            assert (held.state, held.reason) == (JobState.FAILED, "unsettled")
            assert (await it.driver.resolve(f"job-{n}", None)).state is JobState.UNKNOWN
        assert it.codes() == ["CPN-0", "CPN-1"]
    finally:
        await it.close()


@pytest.mark.row("C4")
async def test_confirmation_lost_then_the_cut_counter_proves_it(tmp_path):
    async with store(tmp_path) as it:
        before = await it.driver.cut_counter()
        it.do("silent", on=True)
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=0.3)).state is JobState.UNKNOWN
        it.do("silent", on=False)
        result = await it.driver.resolve("job-1", before)
        assert (result.state, result.evidence) == (JobState.PRINTED, Evidence.CUT_COUNTER)
        assert it.codes() == ["CPN-1"]


class Counting(Perfect):
    carried = 0

    def carry(self, data):
        self.carried += len(data)
        return super().carry(data)


@pytest.mark.row("C4")
async def test_restart_in_mid_job_while_the_printer_goes_on(tmp_path):
    """The program dies with the job at the printer, which prints on: the new run finds it printed, once."""
    wire = Counting()
    async with store(tmp_path, wire_in=wire) as it:
        before, sent = await it.driver.cut_counter(), wire.carried
        it.do("slow", mm_per_s=300)
        job = asyncio.create_task(it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=30))
        await it.sim_has(lambda _: wire.carried - sent >= len(build(coupon("CPN-1")).data))
        job.cancel()
        await it.kill_driver()
        await it.start_driver()
        result = await it.driver.resolve("job-1", before)
        assert result.printed
        assert it.codes() == ["CPN-1"]
        assert it.events.empty()


@pytest.mark.row("C4")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
async def test_restart_with_half_a_job_sent(tmp_path, share):
    """Killed in the middle of writing: half a receipt or half a command is taken back, and the coupon printed again."""
    async with store(tmp_path) as it:
        before = await it.driver.cut_counter()
        await it.kill_driver()
        whole = build(coupon("CPN-1")).data
        fd = os.open(it.link, os.O_WRONLY | os.O_NOCTTY)
        os.write(fd, whole[: int(len(whole) * share)])
        os.close(fd)
        await it.start_driver()
        result = await it.driver.resolve("job-1", before)
        assert (result.state, result.evidence) == (JobState.FAILED, Evidence.CUT_COUNTER)
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)).printed
        last = sorted(it.out_dir.glob("*.txt"))[-1].read_text()
        assert last.startswith("200円引き\n")  # nothing of the first half hangs on it
        assert it.codes().count("CPN-1") >= 1
        assert read_codes(sorted(it.out_dir.glob("*.png"))[-1]) == ["CPN-1"]


@pytest.mark.row("C4")
async def test_power_cut_in_mid_print_ends_in_one_reprint(tmp_path):
    async with store(tmp_path, {"void_slip": False}) as it:
        before = await it.driver.cut_counter()
        it.do("power_off", after_lines=4)
        result = await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=5)
        assert (result.state, result.reason) == (JobState.UNKNOWN, "no_answer")
        it.do("power_on")
        await it.until(lambda status: status.online)
        result = await it.driver.resolve("job-1", before)
        assert (result.state, result.evidence) == (JobState.FAILED, Evidence.CUT_COUNTER)
        assert (await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)).printed
        assert it.codes() == ["CPN-1"]
        it.do("paper_out")  # automatic status works again after the power cycle
        await it.until(lambda status: "rec_empty" in status.flags, timeout_s=1)


@pytest.mark.row("C4")
async def test_unplugged_in_mid_job(tmp_path):
    """The cable goes while the printer prints on; the counter says so after it is back."""
    async with store(tmp_path) as it:
        before = await it.driver.cut_counter()
        it.do("slow", mm_per_s=500)
        job = asyncio.create_task(it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=5))
        await asyncio.sleep(0.06)
        it.do("unplug")
        result = await job
        assert (result.state, result.reason) == (JobState.UNKNOWN, "port_lost")
        assert (await it.driver.resolve("job-1", before)).state is JobState.UNKNOWN  # nobody there to ask
        await asyncio.wait_for(it.printed.get(), 30)
        await asyncio.sleep(0.1)  # the feed to the cutter, 24 ms; then its confirmation goes into the void
        it.do("plug")
        await it.until(lambda status: status.online)
        result = await it.driver.resolve("job-1", before)
        assert (result.state, result.evidence) == (JobState.PRINTED, Evidence.CUT_COUNTER)
        assert it.codes() == ["CPN-1"]


async def test_a_dead_printer_shows_within_two_seconds_with_standard_settings(tmp_path):
    standard = PrinterSettings()
    async with store(tmp_path, {"poll_s": standard.poll_s, "answer_s": standard.answer_s}) as it:
        for fault, remedy in [("power_off", "power_on"), ("unplug", "plug")]:
            at = time.monotonic()
            it.do(fault)
            await it.until(lambda status: status.power is PowerState.OFF_OFFLINE, timeout_s=2)
            assert time.monotonic() - at < 2
            it.do(remedy)
            await it.until(lambda status: status.online, timeout_s=2)


@pytest.mark.parametrize("model", ["tm-t88iii", "plain"])
async def test_models_without_process_id(tmp_path, model):
    counter = 178 if model == "tm-t88iii" else None
    async with store(tmp_path, {"completion": "gs_r", "cut_counter": counter}, model=model) as it:
        result = await it.driver.print_job("job-1", coupon("CPN-1"), timeout_s=2)
        assert (result.state, result.evidence) == (JobState.PRINTED, Evidence.GS_R)
        it.do("silent", on=True)
        assert (await it.driver.print_job("job-2", coupon("CPN-2"), timeout_s=0.3)).state is JobState.UNKNOWN
        it.do("silent", on=False)
        result = await it.driver.resolve("job-2", 1 if counter else None)
        assert result.state is (JobState.PRINTED if counter else JobState.UNKNOWN)
        result = await it.driver.print_job("job-3", coupon("CPN-3"), timeout_s=0.3)
        assert it.codes() == ["CPN-1", "CPN-2", "CPN-3"]
        assert it.sim.engine.state()["unknown"] == {}


async def obey(it, job_id, coupon_id):
    """Do what the results say until the coupon is printed."""
    before = None
    while before is None:
        await asyncio.sleep(0.02)
        before = await it.driver.cut_counter()
    for _ in range(30):
        result = await it.driver.print_job(job_id, coupon(coupon_id), timeout_s=0.2)
        while result.state is JobState.UNKNOWN:
            result = await it.driver.resolve(job_id, before)
        if result.printed:
            break
        await asyncio.sleep(0.05)  # a damaged status may say "no paper" until the next
    return result


@pytest.mark.row("C4")
@pytest.mark.parametrize("seed", range(4))
async def test_lossy_replies_never_lose_or_double_a_receipt(tmp_path, seed):
    """Answers vanish or arrive with a flipped bit. Whoever does what the results say gets each coupon exactly once."""
    wire = Lossy(seed, lose=0.08, damage=0.08)
    settings = {"void_slip": False, "poll_s": 0.05, "answer_s": 0.03, "settle_s": 0.1}
    async with store(tmp_path, settings, wire_out=wire) as it:
        for n in range(6):
            assert (await obey(it, f"job-{n}", f"CPN-{n}")).printed, f"seed {seed}"
        assert it.codes() == [f"CPN-{n}" for n in range(6)], f"seed {seed}"
        assert wire.lost + wire.damaged > 0


async def test_a_damaged_line_to_the_printer_hangs_nothing(tmp_path):
    seed = 3
    async with store(tmp_path, wire_in=Lossy(seed, lose=0.2, damage=0.3)) as it:
        for n in range(3):
            result = await it.driver.print_job(f"job-{n}", coupon(f"CPN-{n}"), timeout_s=0.2)
            if result.state is JobState.UNKNOWN:
                result = await it.driver.resolve(f"job-{n}", None)
            assert result.state in JobState, f"seed {seed}"


async def test_garbage_between_the_replies(tmp_path):
    async with store(tmp_path, {"void_slip": False}) as it:
        for seed in range(3):
            it.do("garbage", bytes=200, seed=seed)
            assert (await obey(it, f"job-{seed}", f"CPN-{seed}")).printed, f"seed {seed}"
        assert it.codes() == [f"CPN-{seed}" for seed in range(3)]
        assert it.driver.status.counters["noise_bytes"] > 0


async def test_text_cannot_command_the_printer(tmp_path):
    async with store(tmp_path) as it:
        evil = "\x10\x04\x01\x10\x05\x02\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08\x1bp\x00\x01\x01\x1dV\x00\x1d(H"
        document = Document((Text(evil + "安全" + evil), Pair(evil + "L", evil + "R"), Qr("SAFE")))
        assert (await it.driver.print_job("job-1", document, timeout_s=2)).printed
        event = await asyncio.wait_for(it.printed.get(), 30)
        assert "安全" in event["text"]
        assert event["qr"] == ["SAFE"]
        assert it.sim.engine.state()["cuts"] == 1
        assert it.sim.engine.state()["unknown"] == {}


async def test_a_long_receipt_waits_while_the_printer_is_full(tmp_path):
    async with store(tmp_path) as it:
        it.do("slow", mm_per_s=1000)
        document = Document(tuple(Text(f"{n:03} " + "長い本文です。" * 6) for n in range(60)))
        result = await it.driver.print_job("job-1", document, timeout_s=10)
        assert result.printed
        event = await asyncio.wait_for(it.printed.get(), 30)
        assert event["text"].count("本文") == 360
        assert it.sim.engine.state()["overrun_bytes"] == 0
