"""The few MQTT 3.1.1 packets that a gate before a broker must read itself. Bytes in, packets out; no I/O.

MalformedPacket is the only error.
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 8, 10, 12, 14
FROM_A_CLIENT = {PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT}
"""What may follow a CONNECT (table 2.1)."""
MQTT_3_1_1 = 4


class MalformedPacket(ValueError):
    """The peer sent what is no MQTT 3.1.1, or more than is allowed; the connection can't go on."""


class PacketCutter:
    """Cuts a client's stream of bytes into whole packets, a CONNECT first. Holds at most one packet of `max_bytes` and what came with it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._expects_connect = True

    def feed(self, data: bytes) -> None:
        self._held += data

    def next(self) -> bytes | None:
        """The next whole packet, or None until more bytes came. Raises MalformedPacket (section 2.2.3, and the limit)."""
        if self._expects_connect and self._held and self._held[0] != CONNECT << 4:
            raise MalformedPacket("the first packet is no CONNECT")
        length = 0
        for index in range(4):
            if len(self._held) < index + 2:
                return None
            byte = self._held[index + 1]
            length |= (byte & 127) << 7 * index
            if byte < 128:
                break
        else:
            raise MalformedPacket("the length of a packet has more than four bytes")
        total = index + 2 + length
        if total > self._max_bytes:
            raise MalformedPacket(f"a packet has {total} bytes, at most {self._max_bytes} are allowed")
        if len(self._held) < total:
            return None
        packet = bytes(self._held[:total])
        del self._held[:total]
        self._expects_connect = False
        return packet


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What of a CONNECT decides about admission (section 3.1)."""

    level: int
    clean: bool
    client_id: str
    username: str | None
    password: str | None
    keepalive_s: int
    will_topic: str | None


def kind(packet: bytes) -> int:
    """Packet type, 1 … 15."""
    return packet[0] >> 4


def parse_connect(packet: bytes) -> ConnectRequest:
    """A CONNECT packet. Raises MalformedPacket."""
    fields = _Fields(packet)
    if fields.text() != "MQTT":
        raise MalformedPacket("the protocol's name is not MQTT")
    level = fields.number(1)
    flags = fields.number(1)
    keepalive_s = fields.number(2)
    if level != MQTT_3_1_1:  # what follows may look different
        return ConnectRequest(level, True, "", None, None, keepalive_s, None)
    client_id = fields.text()
    will_topic = None
    if flags & 0x04:
        will_topic = fields.text()
        fields.binary()
    username = fields.text() if flags & 0x80 else None
    password = fields.text() if flags & 0x40 else None
    return ConnectRequest(level, bool(flags & 0x02), client_id, username, password, keepalive_s, will_topic)


def with_client_id(packet: bytes, client_id: str) -> bytes:
    """A CONNECT that `parse_connect` read with an empty client ID, with this one in its place."""
    fields = _Fields(packet)
    head, rest = fields.raw(10), fields.rest()[2:]
    text = client_id.encode()
    body = head + len(text).to_bytes(2, "big") + text + rest
    length = bytearray()
    left = len(body)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    return packet[:1] + bytes([*length, left]) + body


def parse_publish_head(packet: bytes) -> tuple[str, int, int]:
    """Topic, QoS and packet ID (0 at QoS 0) of a PUBLISH. Raises MalformedPacket, also for wildcards in the topic."""
    fields = _Fields(packet)
    qos = packet[0] >> 1 & 3
    topic = fields.text()
    if not topic or any(sign in topic for sign in "+#\0"):
        raise MalformedPacket(f"nothing can be published on {topic[:100]!r}")
    if qos == 3:
        raise MalformedPacket("QoS 3 does not exist")
    return topic, qos, fields.number(2) if qos else 0


def connack(code: int) -> bytes:
    """An answer to CONNECT without a session: 0 accepted, 1 … 5 refused (table 3.1)."""
    return bytes([CONNACK << 4, 2, 0, code])


def puback(packet_id: int) -> bytes:
    return bytes([PUBACK << 4, 2]) + packet_id.to_bytes(2, "big")


class _Fields:
    """Reads the fields of one packet from its variable header on."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self._at = 1
        while packet[self._at] > 127:
            self._at += 1
        self._at += 1

    def rest(self) -> bytes:
        return self._packet[self._at :]

    def raw(self, size: int) -> bytes:
        taken = self._packet[self._at : self._at + size]
        if len(taken) < size:
            raise MalformedPacket("a packet ends in the middle of a field")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.raw(size), "big")

    def binary(self) -> bytes:
        return self.raw(self.number(2))

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise MalformedPacket("a text in a packet is not UTF-8") from None
