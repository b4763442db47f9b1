"""Lines of text: the control sockets of the simulators, keys and lines at a handheld."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.control import ControlServer, commands
from handheld.keys import Command, Keys, Lines, NotUnderstood
from tests.fuzz.limits import SIZES, TIMES, chunked, damaged, often, soon

LINE = st.one_of(
    st.sampled_from([b"1", b"d 2", b"s", b"", b"d " + b"9" * 5000, b"9" * 5000, b"l", "d ٣".encode(), b'{"alert": "a", "answer": "accept"}',
                     b'{"alert": "\\ud800", "answer": "served"}', b"[" * 3000, b'{"alert": 1e999, "answer": []}']),
    st.binary(max_size=20),
)  # fmt: skip


@often(200)
@given(damaged(st.lists(LINE, max_size=6).map(b"\n".join).map(lambda text: text + b"\n")), SIZES, st.booleans())
def test_any_lines_at_a_handheld(data: bytes, sizes: list[int], as_json: bool) -> None:
    lines, keys = Lines(as_json), Keys()
    with soon():
        for piece in chunked(data, [size * 50 for size in sizes]):
            for found in lines.feed(piece) + keys.feed(piece):
                assert isinstance(found, Command) or len(found.detail) < 200
            assert len(lines._rest) <= 4096 + 2000


@pytest.mark.parametrize("line", [b"9" * 5000, b"d " + b"9" * 5000, b"d " + "٣".encode() * 100])
def test_a_number_of_thousands_of_digits_is_no_row(line: bytes) -> None:
    (found,) = Lines(as_json=False).feed(line + b"\n")
    assert isinstance(found, NotUnderstood)


HOSTILE = [b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"{}", b"null", b"[]", b'{"do": ["x"]}', b'{"do": "echo", "call": "\\ud800"}',
           b'{"do": "echo", "say": "\\udfff"}', b'{"do": "fail"}', b'{"do": "nan"}', b'{"do": "", "call": {"a": [1e999]}}', b"\x00", b'{"do": "echo"']  # fmt: skip


@pytest.mark.parametrize("seed", range(TIMES))
async def test_any_lines_at_a_control_socket(tmp_path: Path, seed: int) -> None:
    """Each line gets one line back, whatever it was, and the next one is served."""
    rng = Random(seed)
    table = {
        "echo": lambda request: {"said": request.get("say")},
        "fail": lambda request: 1 / 0,
        "nan": lambda request: {"x": float("nan")},
    }
    async with ControlServer(tmp_path / "c.sock", commands(table)) as server:  # type: ignore[arg-type]
        reader, writer = await asyncio.open_unix_connection(server.path, limit=1 << 20)
        try:
            for line in [
                *HOSTILE,
                *(rng.randbytes(30).replace(b"\n", b"") for _ in range(40)),
                b'{"do": "echo", "say": "on"}',
            ]:
                writer.write(line + b"\n")
                async with asyncio.timeout(30):
                    answer = json.loads(await reader.readline())
                assert "error" in answer or "said" in answer or "x" in answer, (seed, line[:40])
            assert answer == {"said": "on"}
        finally:
            writer.close()
            await writer.wait_closed()
