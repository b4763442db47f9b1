"""What can go wrong with a device, as types. Each message says what, where and what to do.

DeviceError
├── DeviceOffline      the wire's: port absent, lost, refused or in use           (UnifiedPOS E_OFFLINE, E_NOHARDWARE)
├── NoAnswer           the wire's: port open, but silence or damage instead of a reply      (UnifiedPOS E_TIMEOUT)
├── BadFrame           the peer's: bytes that are not the protocol                          (UnifiedPOS E_FAILURE)
├── DeviceRefused      the peer's: understood, and answered no                              (UnifiedPOS E_EXTENDED)
├── WriteBufferFull    ours or the peer's: more was written than the device takes           (UnifiedPOS E_BUSY)
└── IllegalMove        ours: a state machine was asked for a move its table does not have   (UnifiedPOS E_ILLEGAL)
"""

from __future__ import annotations

import errno
from pathlib import Path

__all__ = [
    "BadFrame",
    "DeviceError",
    "DeviceOffline",
    "DeviceRefused",
    "IllegalMove",
    "NoAnswer",
    "WriteBufferFull",
    "offline_from",
]


class DeviceError(Exception):
    """Root of everything that `devices` raises on purpose."""


class DeviceOffline(DeviceError):
    """The port of a device cannot be used. `path` is the port, `reason` a short phrase for a status line."""

    def __init__(self, path: str | Path, reason: str, advice: str = "") -> None:
        super().__init__(f"{path}: {reason}" + (f": {advice}" if advice else ""))
        self.path = str(path)
        self.reason = reason
        self.advice = advice


class NoAnswer(DeviceError):
    """The port is open but nothing usable came back within `waited_s` seconds."""

    def __init__(self, path: str | Path, waited_s: float, what: str) -> None:
        super().__init__(f"{path}: no usable answer to {what} within {waited_s:g} s: is the device powered?")
        self.path = str(path)
        self.waited_s = waited_s
        self.what = what


class BadFrame(DeviceError):
    """Bytes that do not form a frame. `reason` names the rule that was broken, `data` the start of the bytes."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(f"{reason}: {data[:32].hex(' ')}" if data else reason)
        self.reason = reason
        self.data = bytes(data[:256])


class DeviceRefused(DeviceError):
    """The device understood and said no. `code` is the device's own number (a Modbus exception code, say)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the device refused (code {code}): {reason}")
        self.code = code
        self.reason = reason


class WriteBufferFull(DeviceError):
    """More bytes wait for the device than `limit_bytes`: it is not taking them."""

    def __init__(self, path: str | Path, limit_bytes: int) -> None:
        super().__init__(f"{path}: over {limit_bytes} bytes wait to be written: the device takes none")
        self.path = str(path)
        self.limit_bytes = limit_bytes


class IllegalMove(DeviceError):
    """`move` is not in the table of `state`."""

    def __init__(self, machine: str, state: str, move: str) -> None:
        super().__init__(f"{machine}: {move!r} is no move from {state!r}")
        self.machine = machine
        self.state = state
        self.move = move


_ABSENT = ("no such port", "is the cable plugged in?")
_IN_USE = ("in use by another process", "stop the other program, or give this one another port")
_NOT_SERIAL = (
    "not a serial port, or it does not take these settings",
    "check the path, baud rate, parity and stop bits",
)
_BY_ERRNO = {
    errno.ENOENT: _ABSENT,
    errno.ENODEV: _ABSENT,
    errno.ENXIO: _ABSENT,
    errno.ENOTDIR: _ABSENT,
    errno.EACCES: ("permission denied", "add the user to group dialout (sudo usermod -aG dialout USER)"),
    errno.EPERM: ("permission denied", "add the user to group dialout (sudo usermod -aG dialout USER)"),
    errno.EBUSY: _IN_USE,
    errno.EAGAIN: _IN_USE,
    errno.ENOTTY: _NOT_SERIAL,
    errno.EINVAL: _NOT_SERIAL,
    errno.EISDIR: _NOT_SERIAL,
    errno.EIO: ("unplugged", "plug it back in; it is taken up again by itself"),
    errno.EBADF: ("unplugged", "plug it back in; it is taken up again by itself"),
}


def offline_from(path: str | Path, error: BaseException | int) -> DeviceOffline:
    """The `DeviceOffline` for an errno, an `OSError`, a `termios.error` or a `serial.SerialException`."""
    number = error if isinstance(error, int) else _errno_of(error)
    if number in _BY_ERRNO:
        return DeviceOffline(path, *_BY_ERRNO[number])
    return DeviceOffline(path, f"cannot be used ({error})")


def _errno_of(error: BaseException) -> int | None:
    """termios.error is no OSError but (number, text); pyserial wraps it as text only, with the original as context."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    if error.args and isinstance(error.args[0], int):
        return error.args[0]
    return _errno_of(error.__context__) if error.__context__ is not None else None
