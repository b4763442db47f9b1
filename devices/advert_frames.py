"""Beacon frames inside Bluetooth advertisements: iBeacon, AltBeacon, Eddystone-UID and -EID, both ways. Pure.

Input is what bleak hands over: manufacturer data by company identifier, service data by UUID. BlueZ merges what one
address sends, so that an iBeacon and an Eddystone frame stand in the same advertisement: hence a list. Only frames that
announce themselves as one of ours and then break its layout count as malformed; other people's data is nobody's error.

Layouts: Apple "Proximity Beacon Specification" R1; AltBeacon 1.0 (github.com/AltBeacon/spec); Eddystone-UID and
Eddystone-EID (github.com/google/eddystone). All numbers big-endian, powers are signed bytes in dBm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

__all__ = [
    "APPLE",
    "EDDYSTONE_UUID",
    "BeaconFrame",
    "FrameKind",
    "Parsed",
    "Payload",
    "canonical_id",
    "encode_frame",
    "parse_advert",
]

APPLE: Final = 0x004C
#: AltBeacon may be sent under any company; ours go out under the Bluetooth SIG's number for tests.
ALTBEACON_COMPANY: Final = 0xFFFF
EDDYSTONE_UUID: Final = "0000feaa-0000-1000-8000-00805f9b34fb"

IBEACON_HEAD: Final = b"\x02\x15"
ALTBEACON_HEAD: Final = b"\xbe\xac"
_IBEACON_BYTES, _ALTBEACON_BYTES = 23, 24
_UID, _EID = 0x00, 0x30
_UID_BYTES, _UID_BYTES_WITH_RFU, _EID_BYTES = 18, 20, 10

#: Eddystone states the power at 0 m; its specification gives 41 dB as the loss over the first metre.
EDDYSTONE_LOSS_FIRST_METRE_DB: Final = 41

#: One entry per distinct payload on the air; beyond it parsing costs 3 microseconds instead of 0.1.
CACHE_FRAMES: Final = 8192


class FrameKind(str, Enum):
    """The value is the first part of a beacon's canonical identifier."""

    IBEACON = "ibeacon"
    ALTBEACON = "altbeacon"
    EDDYSTONE_UID = "eddystone-uid"
    EDDYSTONE_EID = "eddystone-eid"


@dataclass(frozen=True, slots=True)
class BeaconFrame:
    """`beacon_id` is canonical, see `canonical_id`; `measured_power_dbm` is the RSSI expected at 1 m, -168 to 127."""

    kind: FrameKind
    beacon_id: str
    measured_power_dbm: int


class Parsed(NamedTuple):
    """`malformed` counts frames that began like one of ours and broke off or had a wrong length."""

    frames: list[BeaconFrame]
    malformed: int


@dataclass(frozen=True, slots=True)
class Payload:
    """What an advertisement carries, keyed as in bleak's `AdvertisementData`."""

    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    service_data: Mapping[str, bytes] = field(default_factory=dict)


def parse_advert(manufacturer_data: Mapping[int, bytes], service_data: Mapping[str, bytes]) -> Parsed:
    """Every frame of ours in one advertisement. Never raises for bytes of any content."""
    frames: list[BeaconFrame] = []
    malformed = 0
    for company, data in manufacturer_data.items():
        found = _manufacturer_frame(company, bytes(data))
        if isinstance(found, BeaconFrame):
            frames.append(found)
        elif found is _MALFORMED:
            malformed += 1
    data = service_data.get(EDDYSTONE_UUID, b"")
    if data:
        found = _eddystone_frame(bytes(data))
        if isinstance(found, BeaconFrame):
            frames.append(found)
        elif found is _MALFORMED:
            malformed += 1
    return Parsed(frames, malformed)


class _Malformed:
    """The type of the one value that says: began like a frame of ours, and is none."""


_MALFORMED: Final = _Malformed()


@lru_cache(CACHE_FRAMES)
def _manufacturer_frame(company: int, data: bytes) -> BeaconFrame | _Malformed | None:
    if company == APPLE and data[:2] == IBEACON_HEAD:
        return _ibeacon(data) if len(data) == _IBEACON_BYTES else _MALFORMED
    if data[:2] == ALTBEACON_HEAD:
        return _altbeacon(data) if len(data) == _ALTBEACON_BYTES else _MALFORMED
    return None


def _ibeacon(data: bytes) -> BeaconFrame:
    uuid = UUID(bytes=data[2:18])
    major, minor = int.from_bytes(data[18:20]), int.from_bytes(data[20:22])
    return BeaconFrame(FrameKind.IBEACON, f"ibeacon:{uuid}:{major}:{minor}", _signed(data[22]))


def _altbeacon(data: bytes) -> BeaconFrame:
    return BeaconFrame(FrameKind.ALTBEACON, f"altbeacon:{data[2:22].hex()}", _signed(data[22]))


@lru_cache(CACHE_FRAMES)
def _eddystone_frame(data: bytes) -> BeaconFrame | _Malformed | None:
    """Frames of other types (URL 0x10, telemetry 0x20) are no business of ours."""
    if data[0] == _UID:
        if len(data) not in (_UID_BYTES, _UID_BYTES_WITH_RFU):  # some tags leave the two reserved bytes out
            return _MALFORMED
        name, kind = f"eddystone-uid:{data[2:12].hex()}:{data[12:18].hex()}", FrameKind.EDDYSTONE_UID
    elif data[0] == _EID:
        if len(data) != _EID_BYTES:
            return _MALFORMED
        name, kind = f"eddystone-eid:{data[2:10].hex()}", FrameKind.EDDYSTONE_EID
    else:
        return None
    return BeaconFrame(kind, name, _signed(data[1]) - EDDYSTONE_LOSS_FIRST_METRE_DB)


def canonical_id(text: str) -> str:
    """The one spelling of a beacon's identifier. Raises `ValueError` with a sentence for anything else.

    ibeacon:<uuid>:<major>:<minor>              lower-case UUID with dashes, 0 to 65535 twice
    altbeacon:<40 hex digits>
    eddystone-uid:<20 hex digits>:<12 hex digits>
    eddystone-eid:<16 hex digits>
    """
    kind, _, rest = text.strip().lower().partition(":")
    try:
        return _SPELL[FrameKind(kind)](rest.split(":"))
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{text!r} is no beacon identifier; expected ibeacon:<uuid>:<major>:<minor>, altbeacon:<40 hex digits>, "
            f"eddystone-uid:<20 hex digits>:<12 hex digits> or eddystone-eid:<16 hex digits>"
        ) from error


def encode_frame(beacon_id: str, measured_power_dbm: int) -> Payload:
    """The payload that `parse_advert` reads back as this frame. Raises `ValueError`.

    The power must fit a signed byte: -128 to 127, for Eddystone -169 to 86.
    """
    name = canonical_id(beacon_id)
    kind, *parts = name.split(":")
    if kind == FrameKind.IBEACON:
        numbers = b"".join(int(part).to_bytes(2) for part in parts[1:])
        data = IBEACON_HEAD + UUID(parts[0]).bytes + numbers + _signed_byte(measured_power_dbm)
        return Payload(manufacturer_data={APPLE: data})
    body = b"".join(bytes.fromhex(part) for part in parts)
    if kind == FrameKind.ALTBEACON:
        data = ALTBEACON_HEAD + body + _signed_byte(measured_power_dbm) + b"\0"
        return Payload(manufacturer_data={ALTBEACON_COMPANY: data})
    power = _signed_byte(measured_power_dbm + EDDYSTONE_LOSS_FIRST_METRE_DB)
    if kind == FrameKind.EDDYSTONE_UID:
        return Payload(service_data={EDDYSTONE_UUID: bytes([_UID]) + power + body + b"\0\0"})
    return Payload(service_data={EDDYSTONE_UUID: bytes([_EID]) + power + body})


def _spell_ibeacon(parts: list[str]) -> str:
    uuid, major, minor = parts
    return f"ibeacon:{UUID(uuid)}:{_two_bytes(major)}:{_two_bytes(minor)}"


def _spell_hex(kind: FrameKind, *digits: int) -> Callable[[list[str]], str]:
    def spell(parts: list[str]) -> str:
        if [len(part) for part in parts] != list(digits) or not all(map(_is_hex, parts)):
            raise ValueError(parts)
        return ":".join((kind.value, *parts))

    return spell


_SPELL: Final[Mapping[FrameKind, Callable[[list[str]], str]]] = {
    FrameKind.IBEACON: _spell_ibeacon,
    FrameKind.ALTBEACON: _spell_hex(FrameKind.ALTBEACON, 40),
    FrameKind.EDDYSTONE_UID: _spell_hex(FrameKind.EDDYSTONE_UID, 20, 12),
    FrameKind.EDDYSTONE_EID: _spell_hex(FrameKind.EDDYSTONE_EID, 16),
}


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdef" for char in text)


def _two_bytes(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 0xFFFF):
        raise ValueError(text)
    return int(text)


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _signed_byte(value: int) -> bytes:
    if not -128 <= value <= 127:
        raise ValueError(f"a power of {value} dBm does not fit the frame's signed byte")
    return value.to_bytes(1, signed=True)
