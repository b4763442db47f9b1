"""Every decoder as a function of bytes, which raises nothing that its callers do not expect: for `tests.fuzz.guided`."""

from __future__ import annotations

import contextlib
import json
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU

import config
from broker import packets
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings, load_hub
from config.load import SettingsError, parse, read_toml
from config.rules import IncentivesFile, RulesFile
from contract import topics
from contract.envelope import decode
from contract.errors import ContractError
from contract.exit_code import ExitCodeError, _read_claims, verify
from contract.exit_digits import read_digits
from contract.messages import CHANNELS
from delivery.journal import Journal
from devices.advert_frames import APPLE, EDDYSTONE_UUID, parse_advert
from devices.errors import BadFrame
from devices.escpos_replies import BLOCK_LIMIT_BYTES, ReplyParser
from devices.gate_core import GateCore
from devices.gate_map import IMAGE_SIZE, GateImage
from devices.keypad_frames import KeypadFramer
from devices.nfc_frames import FrameReader
from devices.nfc_ndef import BadTag, find_target, read_tag, text_of
from devices.people_counter_frames import FRAME_MAX_BYTES, Replies
from devices.reader_frames import LIMIT_BYTES, ReaderFramer
from edge.lane_codec import from_json, to_json
from edge.lane_types import Lane
from hub.database.schema import MIGRATIONS
from hub.importing import ImportFailed, import_file
from hub.members.fields import read_person
from hub.members.gateway import _parts
from hub.rules.condition import Condition, ConditionError, Names
from hub.rules.policy import CUSTOMER, PURCHASE
from hub.shopping.codes import CodeRefused, product_code
from tests.broker.wire import connect_packet, publish_packet
from tests.edge.lane_bench import KEY, KID, STORE, exit_code

SHIPPED = Path(config.__file__).parent / "shipped"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PIECE = 7
"""Serial lines deliver bytes in pieces."""


@dataclass(frozen=True)
class Decoder:
    """`seeds`: something valid to begin with."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...] = ()


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def adverts(data: bytes) -> None:
    company = int.from_bytes(data[:2], "little")
    for manufacturer, service in (({APPLE: data}, {}), ({company: data[2:]}, {}), ({}, {EDDYSTONE_UUID: data})):
        parse_advert(manufacturer, service)


def reader(data: bytes) -> None:
    for framing in ("terminator", "stx_etx", "stx_etx_bcc"):
        framer = ReaderFramer(framing)  # type: ignore[arg-type]
        for at, piece in enumerate(_cut(data)):
            framer.feed(piece, at / 10)
            assert len(framer._frame) <= LIMIT_BYTES + 16


def printer(data: bytes) -> None:
    parser = ReplyParser()
    for piece in _cut(data):
        parser.feed(piece)
        assert len(parser._partial) <= BLOCK_LIMIT_BYTES


def gate(data: bytes) -> None:
    """Registers, as many readings as there are."""
    core = GateCore()
    words = struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])
    for at in range(0, len(words), IMAGE_SIZE):
        with contextlib.suppress(BadFrame):
            core.update(GateImage.decode(words[at : at + IMAGE_SIZE]), float(at))


def modbus(data: bytes) -> None:
    with contextlib.suppress(ModbusException):
        FramerRTU(DecodePDU(is_server=False)).handleFrame(data, 1, 0)


def keypad(data: bytes) -> None:
    framer = KeypadFramer()
    for at, piece in enumerate(_cut(data)):
        framer.feed(piece, at / 2)
        assert framer.typed <= 24


def nfc_frames(data: bytes) -> None:
    framer = FrameReader()
    for piece in _cut(data):
        framer.feed(piece)
        assert len(framer._buffer) <= 2048


def nfc_tag(data: bytes) -> None:
    """Answers of a tag, one after the other, each with its length before it; and a message of one."""
    for decoder in (find_target, text_of):
        with contextlib.suppress(BadTag):
            decoder(data)
    exchange, rest = read_tag((1, data[0] if data else 0)), data[1:]
    with contextlib.suppress(BadTag, StopIteration):
        next(exchange)
        for _ in range(1000):
            size = rest[0] if rest else 0
            answer, rest = rest[1 : 1 + size], rest[1 + size :]
            exchange.send(answer)
        raise AssertionError("it goes on for ever")


def people_counter(data: bytes) -> None:
    replies = Replies()
    for piece in _cut(data):
        replies.feed(piece)
        assert len(replies._frame) <= FRAME_MAX_BYTES


def exit_codes(data: bytes) -> None:
    text = data.decode("ascii", "replace")
    for code in (text, "IS1:" + text):
        with contextlib.suppress(ExitCodeError):
            verify(code, {KID: KEY.public_key()}, store=STORE, now=NOW)
    with contextlib.suppress(ExitCodeError):
        _read_claims(data)  # as if the signature were good
    read_digits(data.decode("utf-8", "replace"))


def messages(data: bytes) -> None:
    """The first byte says of which kind."""
    if data:
        channel = CHANNELS[data[0] % len(CHANNELS)]
        ids = dict.fromkeys(topics.fields(channel), "x1")
        with contextlib.suppress(ContractError):
            decode(topics.topic(channel, STORE, **ids), data[1:])
    with contextlib.suppress(ContractError):
        decode(data.decode("utf-8", "replace"), b"{}")


def terminal_frames(data: bytes) -> None:
    topic, payload = _parts(data.decode("utf-8", "replace"))
    if topic is not None:
        with contextlib.suppress(ContractError):
            decode(topic, payload)


def mqtt(data: bytes) -> None:
    cutter = packets.PacketCutter(1000)
    cutter.feed(data)
    with contextlib.suppress(packets.MalformedPacket):
        while (found := cutter.next()) is not None:
            match packets.kind(found):
                case packets.CONNECT:
                    packets.parse_connect(found)
                case packets.PUBLISH:
                    packets.parse_publish_head(found)


def product_codes(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(CodeRefused):
        product_code(text)


def member_form(data: bytes) -> None:
    try:
        form = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(form, dict):
        person, problems = read_person(form, 2026)
        assert (person is None) == bool(problems)


@contextlib.contextmanager
def _written(name: str, data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def settings(data: bytes) -> None:
    with _written("settings.toml", data) as path, contextlib.suppress(SettingsError):
        document = read_toml(path)
        for kind in (HubSettings, EdgeSettings, RulesFile, IncentivesFile):
            with contextlib.suppress(SettingsError):
                parse(document, kind, path)


_NAMES = Names({**CUSTOMER, **PURCHASE}, {"silver": 1, "gold": 2})


def conditions(data: bytes) -> None:
    with contextlib.suppress(ConditionError):
        Condition(data.decode("utf-8", "replace"), _NAMES).find({**CUSTOMER, **PURCHASE})


class _Customers:
    """A hub's tables, made once."""

    def __init__(self) -> None:
        self._journal: Journal | None = None

    def __call__(self, data: bytes) -> None:
        journal = self._journal = self._journal or Journal(":memory:", MIGRATIONS)
        with _written("customers.csv", data) as path, contextlib.suppress(ImportFailed):
            import_file(journal.db, path, load_hub(SHIPPED / "hub.toml"))
        assert not journal.db.in_transaction

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


customers = _Customers()


def stored_lane(data: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        from_json(data.decode("utf-8", "replace"))


_IBEACON = bytes.fromhex("0215 2f234454cf6d4a0fadf2f4911ba9ffa6 0001 ffff c5")
DECODERS: dict[str, Decoder] = {
    "adverts": Decoder(adverts, (_IBEACON, b"\x18\x01\xbe\xac" + bytes(22), b"\x00\xee" + bytes(18), b"\x30\xee" + bytes(8))),
    "reader": Decoder(reader, (b"\x02]Q1IS1:6BF\x03a\r", b"4901234567894\r\n")),
    "printer": Decoder(printer, (b"\x12\x14\x00\x0f", b"\x37\x22abc\x00", b"_X\x00\x11\x13")),
    "gate": Decoder(gate, (struct.pack(f">{IMAGE_SIZE}H", 0x4947, *[1] * (IMAGE_SIZE - 1)),)),
    "modbus": Decoder(modbus, (b"\x01\x04\x02\x00\x01\x78\xf0",)),
    "keypad": Decoder(keypad, (b"123456789012#", b"12*34A\r")),
    "nfc_frames": Decoder(nfc_frames, (bytes.fromhex("0000ff00ff00" "0000ff06fad50332010607e800"),)),
    "nfc_tag": Decoder(nfc_tag, (b"\x20\x02\x90\x00\x02\x90\x00\x11" + bytes.fromhex("000f20003b00340406e104040000009000"),)),
    "people_counter": Decoder(people_counter, (b"!01000000FF\r", b"#010\r")),
    "exit_codes": Decoder(exit_codes, (exit_code().encode(), b"1234 5678 9012")),
    "messages": Decoder(messages, tuple(bytes([n]) + b'{"specversion":"1.0","data":{}}' for n in range(len(CHANNELS)))),
    "terminal_frames": Decoder(terminal_frames, (
        b'{"topic":"instore/ginza/customer/C1/presence","message":{"id":"m1","data":{}}}', b'{"topic":"\\ud800","message":{"a":[1e999]}}')),
    "mqtt": Decoder(mqtt, (connect_packet("c", "u", "p"), publish_packet("a/b", b"x"))),
    "product_codes": Decoder(product_codes, (b"4901234567894", b"]E04901234567894")),
    "member_form": Decoder(member_form, ('{"name":"山田","phone":"+81 90 1234 5678","email":"a@b.jp","birth_year":1990}'.encode(),)),
    "settings": Decoder(settings, tuple((SHIPPED / name).read_bytes() for name in ("hub.toml", "edge-exit.toml", "rules.toml"))),
    "conditions": Decoder(conditions, (b'visits >= 3 && paid_on == "terminal"', b"amount > 1000 || rank >= gold")),
    "customers": Decoder(customers, ((SHIPPED / "customers.csv").read_bytes(),)),
    "stored_lane": Decoder(stored_lane, (to_json(Lane(scan="s", code="c", command=7)).encode(),)),
}  # fmt: skip
