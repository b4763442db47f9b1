"""One stream of mixed replies, in any chunks, with noise and losses."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.escpos_replies import (
    BLOCK_LIMIT_BYTES,
    AutoStatus,
    BuffersCleared,
    FlowControl,
    InfoBlock,
    PaperStatus,
    ProcessId,
    RealTimeStatus,
    Reply,
    ReplyParser,
)

STREAM: list[tuple[bytes, Reply]] = [
    (b"\x12", RealTimeStatus(0x12)),
    (b"\x7e", RealTimeStatus(0x7E)),
    (b"\x10\x00\x00\x0f", AutoStatus(b"\x10\x00\x00\x0f")),
    (b"\x38\x00\x0f\x0f", AutoStatus(b"\x38\x00\x0f\x0f")),
    (b"\x00", PaperStatus(0)),
    (b"\x0f", PaperStatus(0x0F)),
    (b"\x13", FlowControl(False)),
    (b"\x11", FlowControl(True)),
    (b"\x37\x22Ab~ \x00", ProcessId(b"Ab~ ")),
    (b"\x37\x25\x00", BuffersCleared()),
    (b"\x5f120\x00", InfoBlock(b"120")),
]


@given(st.lists(st.sampled_from(STREAM), max_size=30), st.integers(1, 9))
def test_replies_are_told_apart_in_any_chunks(parts: list[tuple[bytes, Reply]], size: int) -> None:
    data = b"".join(part for part, _ in parts)
    parser = ReplyParser()
    replies = [reply for at in range(0, len(data), size) for reply in parser.feed(data[at : at + size])]
    assert replies == [reply for _, reply in parts]
    assert parser.noise_bytes == 0


def test_flow_control_may_stand_inside_a_block_and_inside_automatic_status() -> None:
    parser = ReplyParser()
    assert parser.feed(b"\x37\x22A\x13bc\x11d\x00") == [FlowControl(False), FlowControl(True), ProcessId(b"Abcd")]
    assert parser.feed(b"\x10\x00\x13\x00\x0f") == [FlowControl(False), AutoStatus(b"\x10\x00\x00\x0f")]


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_byte_costs_one_status_only(lost: int) -> None:
    parser = ReplyParser()
    broken = bytearray(b"\x18\x00\x0f\x0f")
    del broken[lost]
    replies = parser.feed(bytes(broken) + b"\x10\x00\x00\x0f\x10\x00\x00\x0f")
    assert AutoStatus(b"\x10\x00\x00\x0f") in replies


def test_a_block_without_end_is_given_up_and_counted() -> None:
    parser = ReplyParser()
    assert parser.feed(b"\x5f" + b"1" * (BLOCK_LIMIT_BYTES + 40)) != [InfoBlock(b"1")]
    assert parser.noise_bytes > BLOCK_LIMIT_BYTES
    assert parser.feed(b"\x00\x37\x25\x00")[-1] == BuffersCleared()


def test_a_strange_block_is_counted() -> None:
    parser = ReplyParser()
    assert parser.feed(b"\x3dabc\x00") == []
    assert parser.unknown_blocks == 1


@pytest.mark.parametrize("text", [b"", b"12a", b"1" * 11])
def test_a_counter_that_is_no_number_is_none(text: bytes) -> None:
    assert InfoBlock(text).number is None


def test_noise_never_raises_and_never_grows() -> None:
    seed = 20
    dice = random.Random(seed)
    parser = ReplyParser()
    for _ in range(2_000):
        parser.feed(bytes(dice.randrange(256) for _ in range(dice.randrange(20))))
        assert len(parser._partial) <= BLOCK_LIMIT_BYTES, f"seed {seed}"


def test_noise_in_between_is_recovered_from() -> None:
    """Damage costs what it hits; the next whole process ID after a status byte is understood."""
    parser = ReplyParser()
    parser.feed(b"\x80\xff\x5fgarb")
    assert parser.feed(b"\x00\x37\x22abcd\x00")[-1] == ProcessId(b"abcd")
