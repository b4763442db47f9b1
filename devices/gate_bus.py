"""Modbus RTU to one gate board, by pymodbus: one request at a time, no retries, every failure one of our errors.

pymodbus repeats a request that was not answered. For a gate that is a second opening, measured 14 in 100 at 10 % damaged
replies. So `retries=0`, and who calls decides what silence means.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from devices.errors import BadFrame, DeviceOffline, DeviceRefused, NoAnswer, offline_from
from devices.gate_map import COMMAND_ADDRESS, IMAGE_ADDRESS, IMAGE_SIZE, UNIT, Command, GateImage
from devices.serial_port import SerialPort

__all__ = ["ModbusBus"]

#: pymodbus logs every silence and every failed opening; here each is an error that is told once, by its reader.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

READ_INPUTS, WRITE_REGISTERS = 0x04, 0x10
#: Where an open stands in the written frame: unit, function, address, count, bytes, seq (4), command (high, low).
OPEN_BYTE, OPENS = 12, (Command.OPEN_EXIT, Command.OPEN_ENTRY)
LONGEST_EXCHANGE_BYTES = 8 + 5 + 2 * IMAGE_SIZE
BITS_PER_BYTE = 11
#: Modbus over Serial Line 1.02, 2.5.1.1: silence of 3.5 bytes between frames, 1.75 ms above 19200 baud.
FAST_GAP_S = 0.00175

_EXCEPTIONS = {
    1: "it knows no such function",
    2: "it has no such register",
    3: "it does not take that value",
    4: "it failed",
    6: "it is busy",
}


class ModbusBus:
    """Opens, reads and commands the board at `path`. Also a port that `keep_open` can keep open.

    `on_lost(error)` when an open port is lost; `on_command(t)` when an open command was handed to the system.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        baud: int,
        parity: str,
        stopbits: int,
        reply_s: float,
        on_lost: Callable[[DeviceOffline], None],
        on_command: Callable[[float], None] | None,
    ) -> None:
        self.path = str(path)
        self._line: dict[str, Any] = {"baudrate": baud, "parity": parity, "stopbits": stopbits}
        self._reply_s = reply_s + LONGEST_EXCHANGE_BYTES * BITS_PER_BYTE / baud
        self._gap_s = FAST_GAP_S if baud > 19200 else 3.5 * BITS_PER_BYTE / baud
        self._on_lost, self._on_command = on_lost, on_command
        self._client: AsyncModbusSerialClient | None = None
        self._loss: asyncio.Future[DeviceOffline] | None = None
        self._device = 0
        self._quiet_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._client is not None

    async def open(self) -> None:
        """Raises `DeviceOffline`, with the reason that pymodbus keeps to itself."""
        if self._client is not None:
            return
        client = AsyncModbusSerialClient(
            self.path,
            timeout=self._reply_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._packet,
            trace_connect=self._connected,
            **self._line,
        )
        try:
            up = await client.connect()
            self._device = os.stat(self.path).st_rdev if up else 0
        except Exception as error:  # termios.error, ValueError …: whatever an odd port makes pyserial raise
            client.close()
            raise offline_from(self.path, error) from error
        if not up:
            client.close()
            await self._say_why()
        self._client = client
        self._loss = asyncio.get_running_loop().create_future()
        for _ in range(2):  # pymodbus finishes its set-up in the next turns of the loop; not to be closed before
            await asyncio.sleep(0)

    async def lost(self) -> DeviceOffline:
        if self._loss is None:
            return DeviceOffline(self.path, "not open")
        return await asyncio.shield(self._loss)

    def path_is_ours(self) -> bool:
        try:
            return self._client is not None and os.stat(self.path).st_rdev == self._device
        except OSError:
            return False

    def lose(self, error: DeviceOffline) -> None:
        if self._client is not None:
            self._shut(error)
            self._on_lost(error)

    def close(self) -> None:
        self._shut(DeviceOffline(self.path, "closed"))

    async def read_image(self) -> GateImage:
        """Raises `NoAnswer`, `BadFrame`, `DeviceRefused`, `DeviceOffline`."""
        reply = await self._ask(
            READ_INPUTS, lambda client: client.read_input_registers(IMAGE_ADDRESS, count=IMAGE_SIZE, device_id=UNIT)
        )
        return GateImage.decode(reply.registers)

    async def write_command(self, block: list[int]) -> None:
        """Once. Raises as `read_image`; after `NoAnswer` the board may have taken it."""
        await self._ask(WRITE_REGISTERS, lambda client: client.write_registers(COMMAND_ADDRESS, block, device_id=UNIT))

    async def _ask(
        self, function: int, request: Callable[[AsyncModbusSerialClient], Awaitable[ModbusPDU]]
    ) -> ModbusPDU:
        client = self._client
        if client is None:
            raise DeviceOffline(self.path, "not open", "it is taken up again by itself")
        loop = asyncio.get_running_loop()
        if (wait_s := self._quiet_at - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        try:
            reply = await request(client)
        except ConnectionException as error:
            raise DeviceOffline(self.path, "unplugged") from error
        except ModbusException as error:
            raise NoAnswer(self.path, self._reply_s, "a Modbus request") from error
        finally:
            self._quiet_at = loop.time() + self._gap_s
        if reply.function_code & 0x7F != function:  # Modbus RTU numbers nothing: a late reply to the request before
            raise BadFrame(f"a reply to function {reply.function_code}, asked was {function}")
        if reply.isError():
            code = int(reply.exception_code)
            raise DeviceRefused(code, _EXCEPTIONS.get(code, "for a reason of its own"))
        return reply

    async def _say_why(self) -> None:
        """pymodbus only says that it could not open: open once more by ourselves, to learn why."""
        port = SerialPort(self.path, on_bytes=lambda _: None)
        await port.open()
        port.close()
        raise DeviceOffline(self.path, "cannot be used", "check baud rate, parity and stop bits")

    def _packet(self, sending: bool, data: bytes) -> bytes:
        if sending and self._on_command is not None and data[1] == WRITE_REGISTERS and data[OPEN_BYTE] in OPENS:
            # pymodbus writes in the next turn of the loop, after what is due by then: stamp one turn later
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._stamp)
        return data

    def _stamp(self) -> None:
        if self._on_command is not None:
            self._on_command(time.monotonic())

    def _connected(self, up: bool) -> None:
        if not up:
            self.lose(DeviceOffline(self.path, "unplugged", "plug it back in; it is taken up again by itself"))

    def _shut(self, why: DeviceOffline) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        client.close()
        if self._loss is not None and not self._loss.done():
            self._loss.set_result(why)
