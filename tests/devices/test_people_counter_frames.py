"""The counter module's lines: whole, in pieces, damaged; and what two readings say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import BadFrame, DeviceRefused
from devices.people_counter_frames import COUNTER_MAX, Replies, Reply, advance, command


def test_the_manuals_example():
    """ADAM-4000 Series User's Manual, "Read Counter or Frequency Value": #120 is answered by >000002FE, which is 766."""
    assert command(0x12, 0) == b"#120\r"
    assert Replies().feed(b">000002FE\r") == [Reply(766)]


@pytest.mark.parametrize(("address", "counter"), [(-1, 0), (256, 0), (1, 2), (1, -1)])
def test_impossible_questions(address, counter):
    with pytest.raises(ValueError, match="0 to 255"):
        command(address, counter)


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_reply_in_two_pieces(cut):
    replies, whole = Replies(), b">0000001A\r"
    assert replies.feed(whole[:cut]) == []
    assert replies.feed(whole[cut:]) == [Reply(26)]


def test_byte_by_byte_with_noise_between():
    replies = Replies()
    found = [each for byte in b"\x00\x11>\x00FFFFFFFF\n\r\r" for each in replies.feed(bytes([byte]))]
    assert found == [Reply(COUNTER_MAX)]


@pytest.mark.parametrize(
    "line", [b">", b">123", b">123456789", b"!014080", b">0000000G", b"000002FE", b">-0000001", b"?", b"?1"]
)
def test_what_is_no_reply(line):
    (found,) = Replies().feed(line + b"\r")
    assert isinstance(found, BadFrame)


def test_a_refusal_names_what_may_be_wrong():
    (found,) = Replies().feed(b"?01\r")
    assert isinstance(found, DeviceRefused)
    assert "is it a counter module?" in str(found)


def test_a_line_without_an_end_is_dropped():
    replies = Replies()
    found = replies.feed(b"A" * 1000)
    assert found
    assert all(isinstance(each, BadFrame) for each in found)
    replies.reset()
    assert replies.feed(b">00000001\r") == [Reply(1)]


@given(st.binary(max_size=300))
def test_nothing_raises(data):
    for found in Replies().feed(data):
        assert isinstance(found, Reply | BadFrame | DeviceRefused)


@pytest.mark.parametrize(
    ("was", "now", "passed", "lost"),
    [
        (0, 0, 0, False),
        (5, 9, 4, False),
        (COUNTER_MAX, 0, 1, False),
        (COUNTER_MAX - 3, 6, 10, False),
        (1000, 0, 0, True),
        (1000, 3, 3, True),
        (COUNTER_MAX // 2, 10, 10, True),
    ],
)
def test_between_two_readings(was, now, passed, lost):
    assert advance(was, now) == (passed, lost)


@pytest.mark.parametrize("seed", range(20))
def test_however_it_is_cut_the_readings_are_the_same(seed):
    rng = random.Random(seed)
    values = [rng.getrandbits(32) for _ in range(20)]
    stream = b"".join(f">{value:08X}\r".encode() for value in values)
    replies, found = Replies(), []
    while stream:
        size = rng.randint(1, 12)
        found += replies.feed(stream[:size])
        stream = stream[size:]
    assert found == [Reply(value) for value in values]
