"""NFC: the module's frames, what tags hold, and a driver with a simulated module on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.nfc import NfcReader, NfcSettings
from devices.nfc_frames import ACK, Ack, Failed, FrameReader, Reply, frame
from devices.nfc_ndef import BadTag, find_target, read_tag, text_of
from devices.status import DeviceStatus, PowerState
from firmware_sim.nfc import NfcSim, _frame, text_message

CODE = "IS1:" + "6BF+70.9H" * 20


def test_the_frames_of_the_manual() -> None:
    """UM0701-02: GetFirmwareVersion is 00 00 FF 02 FE D4 02 2A 00, and its answer for a PN532 of version 1.6."""
    assert frame(0x02) == bytes.fromhex("0000ff02fed4022a00")
    answer = bytes.fromhex("0000ff06fad50332010607e800")
    assert FrameReader().feed(ACK + answer) == [Ack(), Reply(0x03, bytes.fromhex("32010607"))]
    assert FrameReader().feed(bytes.fromhex("0000ff01ff7f8100")) == [Failed()]
    with pytest.raises(ValueError, match="does not fit"):
        frame(0x40, bytes(300))


@given(st.lists(st.binary(max_size=250), max_size=5), st.randoms(use_true_random=False))
def test_any_pieces_make_the_same_frames(answers: list[bytes], rng: Random) -> None:
    wire = b"".join(ACK + _frame(0x41, answer) for answer in answers)
    reader, found, at = FrameReader(), [], 0
    while at < len(wire):
        size = rng.randint(1, 40)
        found += reader.feed(wire[at : at + size])
        at += size
    assert found == [each for answer in answers for each in (Ack(), Reply(0x41, answer))]


@pytest.mark.parametrize("seed", range(30))
def test_noise_between_frames_costs_at_most_the_frame_it_touches(seed: int) -> None:
    rng, reader = Random(seed), FrameReader()
    good = 0
    for _ in range(200):
        noise = bytes(rng.choices([b for b in range(256) if b not in (0x00, 0xFF)], k=rng.randrange(30)))
        good += Reply(0x41, b"hello") in reader.feed(noise + _frame(0x41, b"hello"))
    assert good == 200, f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_do_no_harm(seed: int) -> None:
    rng, reader = Random(seed), FrameReader()
    for _ in range(300):
        for each in reader.feed(rng.randbytes(rng.randrange(60)) + rng.choice([b"", b"\x00\xff", ACK])):
            assert isinstance(each, Ack | Reply | Failed)
    assert len(reader._buffer) <= 1024 + 300
    broken = bytearray(_frame(0x41, b"hello"))
    broken[rng.randrange(5, len(broken) - 1)] ^= 1 << rng.randrange(8)
    fresh = FrameReader()
    assert fresh.feed(bytes(broken)) == []
    assert fresh.counters["bad_checksum"] >= 1


# --- what is on the tag


@pytest.mark.row("B6")
@pytest.mark.parametrize("text", ["", "IS1:A", CODE, "日本語", "x" * 900])
def test_a_text_record_is_read(text: str) -> None:
    assert text_of(text_message(text)) == text


def test_only_a_text_is_taken() -> None:
    for message in (b"", b"\xd1", b"\xd1\x01\x04U\x04a.b", b"\xd1\x01\xffT\x02enX", bytes.fromhex("f10101540258"),
                    b"\xd1\x01\x04T\x02en\xff"):  # fmt: skip
        with pytest.raises(BadTag):
            text_of(message)
    link_first = b"\x91\x01\x04U\x04a.b" + b"\x51\x01\x06T\x02enabc"
    assert text_of(link_first) == "abc"
    assert text_of(b"\xd1\x01\x09T\x82en" + "漢字".encode("utf-16")) == "漢字"


@given(st.binary(max_size=200))
def test_any_message_is_a_text_or_refused(message: bytes) -> None:
    try:
        assert isinstance(text_of(message), str)
    except BadTag:
        pass


@given(st.lists(st.binary(max_size=60), max_size=40), st.sampled_from([0x00, 0x20]))
def test_any_answers_of_a_tag_end(answers: list[bytes], sak: int) -> None:
    exchange = read_tag((1, sak))
    next(exchange)
    message = None
    try:
        for answer in answers + [b""] * 300:
            assert len(exchange.send(answer)) <= 20
    except StopIteration as done:
        message = done.value
    except BadTag:
        message = b""
    assert message is not None, "it goes on for ever"
    assert len(message) <= 1024


@given(st.binary(max_size=30))
def test_any_answer_about_targets_is_one_or_none(data: bytes) -> None:
    try:
        found = find_target(data)
    except BadTag:
        return
    assert found is None or len(found) == 2


# --- the driver


class Near:
    """A driver and a module."""

    def __init__(self, sim: NfcSim) -> None:
        self.sim = sim
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.statuses: list[DeviceStatus] = []
        self._changed = asyncio.Event()

    def on_status(self, status: DeviceStatus) -> None:
        self.statuses.append(status)
        self._changed.set()

    async def power(self, wanted: PowerState) -> None:
        async with asyncio.timeout(30):
            while not self.statuses or self.statuses[-1].power is not wanted:
                self._changed.clear()
                await self._changed.wait()

    async def hold(self, text: str, **more: Any) -> str:
        self.sim.handle({"do": "hold", "text": text, "for_s": 3, **more})
        async with asyncio.timeout(30):
            return await self.texts.get()


@asynccontextmanager
async def near(folder: Path) -> AsyncIterator[Near]:
    link = folder / "nfc"
    made = Near(NfcSim(link, lambda event: None))
    settings = NfcSettings(poll_s=0.01, answer_s=0.1, rearm_s=0.3)
    driver = NfcReader(link, settings, lambda text, t: made.texts.put_nowait(text), made.on_status)
    task = asyncio.create_task(driver.run())
    made.sim.port.plug()
    try:
        await made.power(PowerState.ONLINE)
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.sim.close()


@pytest.mark.row("B6")
@pytest.mark.parametrize("kind", [4, 2])
async def test_a_phone_or_a_card_held_near_gives_its_code_once(tmp_path: Path, kind: int) -> None:
    async with near(tmp_path) as made:
        assert await made.hold(CODE, type=kind) == CODE
        assert await made.hold("IS1:OTHER", type=kind) == "IS1:OTHER"
        await asyncio.sleep(0.1)
        assert made.texts.empty(), "it is still held there, and told once"


async def test_what_cannot_be_read_does_no_harm(tmp_path: Path) -> None:
    async with near(tmp_path) as made:
        for damage in ("record", "length", "away"):
            for kind in (4, 2):
                made.sim.handle({"do": "hold", "text": CODE, "damage": damage, "type": kind, "for_s": 1})
                asked = made.sim.asked
                async with asyncio.timeout(30):
                    while made.sim.asked < asked + 12:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
        made.sim.handle({"do": "away"})
        made.sim.handle({"do": "noise", "bytes": 3000})
        assert await made.hold(CODE) == CODE
        assert made.texts.empty()


async def test_a_damaged_or_lost_answer_is_asked_again(tmp_path: Path) -> None:
    async with near(tmp_path) as made:
        made.sim.handle({"do": "corrupt", "replies": 2, "lose": 1})
        assert await made.hold(CODE) == CODE


async def test_a_module_that_falls_silent_or_is_unplugged_comes_back(tmp_path: Path) -> None:
    async with near(tmp_path) as made:
        made.sim.handle({"do": "silent", "on": True})
        await made.power(PowerState.OFF_OFFLINE)
        assert made.statuses[-1].flags == {"no_answer"}
        made.sim.handle({"do": "silent", "on": False})
        await made.power(PowerState.ONLINE)
        made.sim.handle({"do": "unplug"})
        await made.power(PowerState.OFF_OFFLINE)
        made.sim.handle({"do": "plug"})
        await made.power(PowerState.ONLINE)
        assert await made.hold(CODE) == CODE
