"""Reading a text from whatever is held near: which commands to send, and what the answers mean. Pure, a generator.

A phone that shows its exit code by short-range wireless plays an NFC Forum Type 4 tag (NFC Forum, Type 4 Tag 1.2): select the
NDEF application D2760000850101, its capability container E103, the NDEF file named there, and read it in pieces. A sticker or a
card is mostly a Type 2 tag: pages of 4 bytes from page 4 on, with the message in a TLV 03. Both then hold an NDEF message; its
first text record (NFC Forum RTD Text 1.0) is what is wanted. Everything has a bound; nothing of a stranger's bytes is trusted.
"""

from __future__ import annotations

from collections.abc import Generator

__all__ = ["MESSAGE_MAX", "BadTag", "Target", "find_target", "read_tag", "text_of"]

Target = tuple[int, int]
"""Number of the target at the module, and its SAK (ISO/IEC 14443-3): bit 0x20 tells a Type 4 tag."""
Exchange = Generator[bytes, bytes, bytes]
"""Yields what to send to the tag, gets its answer, returns the NDEF message."""

MESSAGE_MAX = 1024
"""An exit code has some 170 characters, 330 at most."""
PIECE = 0xF0
"""Bytes of one READ BINARY; with status word and frame they fit the module's 253."""
PAGES_MAX = 256
ISO_DEP = 0x20
OK = b"\x90\x00"
SELECT_APPLICATION = bytes.fromhex("00a4040007d276000085010100")
CAPABILITY_CONTAINER = b"\xe1\x03"


class BadTag(Exception):
    """What is held near is no tag of ours, or was taken away in the middle."""


def find_target(data: bytes) -> Target | None:
    """From the answer to InListPassiveTarget at 106 kbit/s type A: number of targets, then for each Tg, SENS_RES (2), SEL_RES …

    None: nothing is held near. Raises BadTag.
    """
    if not data or data[0] == 0:
        return None
    if len(data) < 5:
        raise BadTag("an answer about a target that is cut short")
    return data[1], data[4]


def read_tag(target: Target) -> Exchange:
    """The NDEF message of this target. Raises BadTag inside the generator."""
    return (yield from (_type_4() if target[1] & ISO_DEP else _type_2()))


def _type_4() -> Exchange:
    yield from _command(SELECT_APPLICATION, "it has no NDEF application")
    yield from _command(_select(CAPABILITY_CONTAINER), "it has no capability container")
    container = yield from _command(_read(0, 15), "its capability container can't be read")
    # CCLEN(2) version(1) MLe(2) MLc(2), then the TLV 04 06 file(2) size(2) read(1) write(1)
    if len(container) < 15 or container[7:9] != b"\x04\x06" or container[13] != 0:
        raise BadTag("its capability container names no NDEF file that may be read")
    piece = min(PIECE, int.from_bytes(container[3:5]) or PIECE)
    yield from _command(_select(container[9:11]), "its NDEF file can't be selected")
    length = int.from_bytes((yield from _command(_read(0, 2), "its NDEF file can't be read"))[:2])
    if not 0 < length <= MESSAGE_MAX:
        raise BadTag(f"its NDEF message has {length} bytes")
    message = b""
    while len(message) < length:
        more = yield from _command(_read(2 + len(message), min(piece, length - len(message))), "its message ends early")
        if not more:
            raise BadTag("its message ends early")
        message += more
    return message[:length]


def _type_2() -> Exchange:
    memory = b""
    for page in range(4, PAGES_MAX, 4):
        memory += _whole((yield bytes((0x30, page))), 16)
        message = _find_message(memory)
        if message is not None:
            return message
    raise BadTag("no NDEF message in its memory")


def _find_message(memory: bytes) -> bytes | None:
    """The value of the first TLV 03; None: more pages must be read. Raises BadTag."""
    at = 0
    while at < len(memory):
        kind = memory[at]
        if kind == 0x00:  # padding
            at += 1
            continue
        if kind == 0xFE:
            raise BadTag("its memory holds no NDEF message")
        if at + 1 >= len(memory):
            return None
        length, head = memory[at + 1], 2
        if length == 0xFF:
            if at + 4 > len(memory):
                return None
            length, head = int.from_bytes(memory[at + 2 : at + 4]), 4
        if kind == 0x03:
            if not 0 < length <= MESSAGE_MAX:
                raise BadTag(f"its NDEF message has {length} bytes")
            end = at + head + length
            return memory[at + head : end] if end <= len(memory) else None
        at += head + length
    return None


def _command(command: bytes, why: str) -> Exchange:
    answer = yield command
    if answer[-2:] != OK:
        raise BadTag(f"{why} (status {answer[-2:].hex()})")
    return answer[:-2]


def _select(file: bytes) -> bytes:
    return b"\x00\xa4\x00\x0c\x02" + file


def _read(offset: int, count: int) -> bytes:
    return b"\x00\xb0" + offset.to_bytes(2) + bytes((count,))


def _whole(answer: bytes, count: int) -> bytes:
    if len(answer) < count:
        raise BadTag("a page is cut short")
    return answer[:count]


def text_of(message: bytes) -> str:
    """The first text record of an NDEF message. Raises BadTag when there is none.

    A record: flags (MB ME CF SR IL and 3 bits of TNF), length of its type, length of its payload (1 or 4 bytes), perhaps the
    length of its ID, then type, ID, payload. A text is type `T` of TNF 1: a byte (bit 7 UTF-16, bits 5-0 length of the language),
    the language, the text.
    """
    at = 0
    while at + 3 <= len(message):
        flags, type_length = message[at], message[at + 1]
        if flags & 0x10:
            length, at = message[at + 2], at + 3
        else:
            length, at = int.from_bytes(message[at + 2 : at + 6]), at + 6
        id_length = 0
        if flags & 0x08:
            id_length = message[at] if at < len(message) else 0
            at += 1
        kind, at = message[at : at + type_length], at + type_length + id_length
        payload, at = message[at : at + length], at + length
        if at > len(message):
            raise BadTag("a record is cut short")
        if flags & 0x20:
            raise BadTag("a record in chunks, which texts of ours are not")
        if flags & 0x07 == 1 and kind == b"T" and payload:
            return _text(payload)
        if flags & 0x40:
            break
    raise BadTag("no text record in its message")


def _text(payload: bytes) -> str:
    skip = 1 + (payload[0] & 0x3F)
    try:
        return payload[skip:].decode("utf-16" if payload[0] & 0x80 else "utf-8")
    except UnicodeDecodeError:
        raise BadTag("its text is no text") from None
