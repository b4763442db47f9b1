"""The far ends of serial lines, and our simulators of them: Modbus, status bytes, ESC/POS."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU

from devices import printer_status
from devices.errors import BadFrame
from devices.escpos_replies import BLOCK_LIMIT_BYTES, AutoStatus, InfoBlock, RealTimeStatus, ReplyParser
from devices.gate_core import GateCore
from devices.gate_map import IMAGE_SIZE, MAGIC, GateImage
from firmware_sim.escpos_commands import BUFFER_LIMIT_BYTES, CommandReader, RealTimeScanner
from firmware_sim.escpos_interpreter import Formatter
from firmware_sim.gate_modbus import BUFFER_LIMIT, ModbusRefusal, ModbusSlave, crc16
from tests.fuzz.limits import SIZES, chunked, damaged, often, soon

pytestmark = pytest.mark.row("C1")

WORD = st.integers(0, 0xFFFF)
IMAGE = st.lists(WORD, min_size=IMAGE_SIZE - 1, max_size=IMAGE_SIZE - 1).map(lambda words: [MAGIC, *words])
SMALL_IMAGE = st.lists(st.integers(0, 6), min_size=IMAGE_SIZE - 1, max_size=IMAGE_SIZE - 1).map(lambda w: [MAGIC, *w])


@often(150)
@given(st.lists(st.one_of(IMAGE, SMALL_IMAGE, st.lists(WORD, max_size=20)), max_size=8))
def test_any_registers_are_a_gate_or_a_bad_frame(readings: list[list[int]]) -> None:
    core = GateCore()
    for t, registers in enumerate(readings):
        with contextlib.suppress(BadFrame), soon():
            image = GateImage.decode(registers)
            assert GateImage.decode(image.encode()) == image
            core.update(image, float(t))


def request(body: bytes) -> bytes:
    return body + crc16(body)


REQUESTS = st.one_of(
    st.binary(min_size=1, max_size=8).map(lambda body: request(b"\x01" + body)),
    st.tuples(st.sampled_from([1, 2, 3, 4, 6]), WORD, WORD).map(
        lambda r: request(bytes([1, r[0]]) + r[1].to_bytes(2) + r[2].to_bytes(2))
    ),
    st.tuples(WORD, WORD, st.binary(max_size=255)).map(
        lambda r: request(b"\x01\x10" + r[0].to_bytes(2) + r[1].to_bytes(2) + bytes([len(r[2])]) + r[2])
    ),
)


class Board:
    """Registers that take everything that a slave should let through."""

    def coils(self) -> Sequence[bool]:
        return [True] * 9

    def discrete_inputs(self) -> Sequence[bool]:
        return [False] * 3

    def holding(self) -> Sequence[int]:
        return [0xFFFF] * 4

    def inputs(self) -> Sequence[int]:
        return [1] * IMAGE_SIZE

    def write(self, address: int, values: Sequence[int]) -> None:
        assert all(0 <= value <= 0xFFFF for value in values)
        if address + len(values) > 4:
            raise ModbusRefusal(2)


@often(250)
@given(damaged(st.lists(REQUESTS, max_size=5).map(b"".join)), SIZES)
def test_any_bytes_at_the_simulated_board(data: bytes, sizes: list[int]) -> None:
    slave = ModbusSlave(1, Board())
    with soon():
        for piece in chunked(data, sizes):
            for reply in slave.feed(piece, 0.0):
                assert crc16(reply[:-2]) == reply[-2:]
                assert len(reply) <= 256
            assert len(slave._buffer) <= BUFFER_LIMIT


@pytest.mark.parametrize("byte", [b"\x01", b"\x2b", b"\xff"])
def test_a_megabyte_at_once_costs_the_simulated_board_nothing(byte: bytes) -> None:
    slave = ModbusSlave(1, Board())
    with soon():
        slave.feed(byte * 2**20, 0.0)
    assert len(slave._buffer) <= BUFFER_LIMIT


@often(250)
@given(damaged(st.binary(max_size=60).map(lambda body: request(b"\x01\x04" + body))))
def test_the_modbus_library_raises_only_what_we_catch(data: bytes) -> None:
    framer = FramerRTU(DecodePDU(is_server=False))
    with contextlib.suppress(ModbusException), soon():
        framer.handleFrame(data, 1, 0)


@often(250)
@given(st.binary(max_size=200), SIZES, st.integers(1, 4))
def test_any_bytes_from_a_printer(data: bytes, sizes: list[int], asked: int) -> None:
    parser, condition = ReplyParser(), printer_status.Condition()
    with soon():
        for piece in chunked(data, sizes):
            for reply in parser.feed(piece):
                match reply:
                    case RealTimeStatus(bits=bits):
                        printer_status.plausible(asked, bits)
                        condition = printer_status.from_real_time(condition, asked, bits)
                    case AutoStatus(data=four):
                        condition = printer_status.from_auto_status(four) or condition
                    case InfoBlock():
                        assert reply.number is None or reply.number >= 0
            assert len(parser._partial) <= BLOCK_LIMIT_BYTES
    assert condition.flags is not None


QR = st.tuples(st.sampled_from(b"\x43\x45\x50\x51"), st.binary(max_size=40)).map(
    lambda q: b"\x1d(k" + (len(q[1]) + 2).to_bytes(2, "little") + b"\x31" + bytes([q[0]]) + q[1]
)
RASTER = st.tuples(st.integers(0, 3), st.integers(0, 90), st.integers(0, 9), st.integers(0, 2)).map(
    lambda r: b"\x1dv0" + bytes([r[0], r[1], 0, r[2], 0]) + b"\xaa" * (r[1] * r[2] + r[3] - 1)
)
CONTROL = st.tuples(st.sampled_from(b"\x1b\x1c\x1d\x10"), st.integers(0, 255), st.binary(max_size=9)).map(
    lambda c: bytes([c[0], c[1]]) + c[2]
)
TEXT = st.text(max_size=30).map(lambda text: text.encode("cp932", "replace"))


@often(120)
@given(
    damaged(
        st.lists(st.one_of(QR, RASTER, CONTROL, TEXT, st.just(b"\n"), st.just(b"\x1c&\x1cC\x01")), max_size=12).map(
            b"".join
        )
    ),
    SIZES,
)
def test_any_bytes_on_paper(data: bytes, sizes: list[int]) -> None:
    reader, scanner, formatter = CommandReader(), RealTimeScanner(), Formatter()
    with soon(3.0):
        for piece in chunked(data, sizes):
            scanner.feed(piece)
            reader.feed(piece)
            while (command := reader.next()) is not None:
                formatter.do(command)
                if formatter.cut:
                    formatter.take_receipt()
            assert reader.waiting_bytes <= BUFFER_LIMIT_BYTES
        formatter.take_receipt().picture()


@pytest.mark.parametrize("level", b"0123")
def test_more_than_a_symbol_holds_is_not_printed(level: int) -> None:
    """Up to 7089 digits can be stored; how many can be printed depends on the level and on what they are."""
    formatter, reader = Formatter(), CommandReader()
    data = b"\x31\x50\x30" + b"\x81" * 7000
    reader.feed(b"\x1d(k\x03\x00\x31\x45" + bytes([level]) + b"\x1d(k" + len(data).to_bytes(2, "little") + data)
    reader.feed(b"\x1d(k\x03\x00\x31\x51\x30")
    while (command := reader.next()) is not None:
        formatter.do(command)
    assert formatter.take_receipt().qr == []


def test_a_printer_that_is_never_told_to_cut_does_not_eat_the_memory() -> None:
    formatter, reader = Formatter(), CommandReader()
    with soon(10.0):
        for _ in range(300):
            reader.feed(b"ABC\n" * 100 + b"\x1bd\xff")
            while (command := reader.next()) is not None:
                formatter.do(command)
    assert formatter.paper.length_mm <= 5_000
    assert len(formatter.paper.text) < 5_000
