"""The gate's own reading of MQTT: every prefix, every cut, every flipped byte."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import packets
from broker.packets import ConnectRequest, MalformedPacket, PacketCutter
from tests.broker.wire import Will, connect_packet, packet, publish_packet

CONNECT = connect_packet("clerk-c1:page", "clerk-c1", "secret", keepalive_s=30, will=Will("a/b", b"gone", qos=1))


def test_connect() -> None:
    request = packets.parse_connect(CONNECT)
    assert request == ConnectRequest(4, True, "clerk-c1:page", "clerk-c1", "secret", 30, "a/b")
    assert packets.parse_connect(connect_packet("x")) == ConnectRequest(4, True, "x", None, None, 60, None)


@pytest.mark.parametrize("size", [1, 60, 120, 200, 20_000])
def test_a_nameless_client_gets_a_name(size: int) -> None:
    def connect(client_id: str) -> bytes:
        return connect_packet(client_id, "clerk-c1", "secret", will=Will("a/b", bytes(size)))

    assert packets.with_client_id(connect(""), "clerk-c1:auto-1") == connect("clerk-c1:auto-1")


@pytest.mark.parametrize("level", [3, 5, 200])
def test_other_protocol_levels_are_told_apart_before_anything_else(level: int) -> None:
    assert packets.parse_connect(connect_packet("x", level=level)).level == level


def test_every_prefix_of_a_connect_is_incomplete_and_every_cut_body_malformed() -> None:
    for size in range(len(CONNECT)):
        cutter = PacketCutter(1000)
        cutter.feed(CONNECT[:size])
        assert cutter.next() is None
    for size in range(len(CONNECT) - 2):
        with pytest.raises(MalformedPacket):
            packets.parse_connect(packet(0x10, CONNECT[2 : 2 + size]))


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(1, 50), min_size=1))
def test_packets_come_out_whole_however_the_bytes_arrive(bodies: list[bytes], cuts: list[int]) -> None:
    sent = [CONNECT, *(publish_packet("a", body) for body in bodies)]
    stream, cutter, got = b"".join(sent), PacketCutter(1000), []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        turn += 1
        cutter.feed(stream[at : at + size])
        at += size
        while (found := cutter.next()) is not None:
            got.append(found)
    assert got == sent


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_malformed(data: bytes) -> None:
    cutter = PacketCutter(150)
    cutter.feed(CONNECT + data)
    with contextlib.suppress(MalformedPacket):
        while (found := cutter.next()) is not None:
            if packets.kind(found) == packets.CONNECT:
                packets.parse_connect(found)
            if packets.kind(found) == packets.PUBLISH:
                packets.parse_publish_head(found)


def test_a_packet_over_the_limit_is_refused_by_its_head() -> None:
    cutter = PacketCutter(100)
    cutter.feed(publish_packet("a", bytes(100))[:4].replace(b"\x30", b"\x10", 1))
    with pytest.raises(MalformedPacket, match="at most 100 are allowed"):
        cutter.next()


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b"])
def test_nothing_is_published_on_wildcards(topic: str) -> None:
    with pytest.raises(MalformedPacket, match="nothing can be published"):
        packets.parse_publish_head(publish_packet(topic, b""))


def test_publish_head() -> None:
    assert packets.parse_publish_head(publish_packet("a/b", b"x", qos=1, packet_id=77)) == ("a/b", 1, 77)
    assert packets.parse_publish_head(publish_packet("a/b", b"x" * 200)) == ("a/b", 0, 0)
