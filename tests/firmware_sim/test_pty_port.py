"""The simulated end of a serial line: wires, pacing, plugging."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from firmware_sim.pty_port import ByteAtATime, Delayed, Lossy, Perfect, PtyPort

DATA = bytes(range(256)) * 2


async def read_all(fd: int, size: int, timeout_s: float = 30.0) -> bytes:
    got = bytearray()
    async with asyncio.timeout(timeout_s):
        while len(got) < size:
            try:
                got += os.read(fd, 4096)
            except BlockingIOError:
                await asyncio.sleep(0.001)
    return bytes(got)


def open_link(port: PtyPort) -> int:
    return os.open(port.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


@pytest.mark.parametrize("wire", [Perfect(), ByteAtATime(), Delayed(7, max_s=0.002)])
async def test_whole_wires_carry_every_byte_in_order(tmp_path, wire):
    async with PtyPort(tmp_path / "dev", on_bytes=lambda _: None, wire_out=wire) as port:
        fd = open_link(port)
        port.write(DATA)
        assert await read_all(fd, len(DATA)) == DATA
        os.close(fd)


def test_a_lossy_wire_is_the_same_for_the_same_seed():
    one, two = Lossy(3, lose=0.3, damage=0.3), Lossy(3, lose=0.3, damage=0.3)
    assert [one.carry(b"abc") for _ in range(50)] == [two.carry(b"abc") for _ in range(50)]
    assert one.lost > 0
    assert one.damaged > 0


async def test_pacing_makes_wire_time_real(tmp_path):
    async with PtyPort(tmp_path / "dev", on_bytes=lambda _: None, baud=9600) as port:
        fd = open_link(port)
        started = time.monotonic()
        port.write(b"x" * 96)
        await read_all(fd, 96)
        assert 0.1 <= time.monotonic() - started < 0.3  # 96 bytes x 10 bits / 9600 baud = 0.1 s
        os.close(fd)


async def test_a_killed_simulators_link_is_replaced_and_a_file_is_not(tmp_path):
    link = tmp_path / "dev"
    link.symlink_to("/dev/pts/does-not-exist")
    async with PtyPort(link, on_bytes=lambda _: None):
        assert link.exists()
    assert not link.is_symlink()
    link.write_text("not ours")
    with pytest.raises(FileExistsError, match="in the way"):
        PtyPort(link, on_bytes=lambda _: None).plug()


async def test_nobody_reading_drops_and_counts(tmp_path):
    async with PtyPort(tmp_path / "dev", on_bytes=lambda _: None) as port:
        for _ in range(40):
            port.write(b"x" * 65_536)
        assert port.dropped_bytes > 0
    port.write(b"x")  # unplugged: dropped, never an error
