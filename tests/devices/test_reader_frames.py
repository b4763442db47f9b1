"""The reader's protocol, byte by byte: framings, chunkings, noise, limits, charsets, repeats."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reader_frames import ReaderFramer, RepeatFilter, Scan, ScanDataType
from firmware_sim.reader import FRAMINGS, NOISE, encode

DRIVER_FRAMING = {"cr": "terminator", "lf": "terminator", "crlf": "terminator"}
CODES = ["A", "6BFOXN*TS0BI$ZD4N9:9S6RCVN5+O30K3/XIV0W23NTDE", "https://例.jp/クーポン?x=1", "]not an AIM", "二度"]


def framer(framing: str, **options: object) -> ReaderFramer:
    return ReaderFramer(DRIVER_FRAMING.get(framing, framing), **options)  # type: ignore[arg-type]


def feed(driver: ReaderFramer, data: bytes, sizes: random.Random | None = None) -> list[Scan]:
    scans, at = [], 0
    while at < len(data):
        size = sizes.randint(1, 9) if sizes else 1
        scans += driver.feed(data[at : at + size], now=float(at))
        at += size
    return scans


@pytest.mark.parametrize("framing", FRAMINGS)
def test_any_chunking_gives_the_same_scans(framing):
    data = b"".join(encode(code.encode(), framing) for code in CODES)
    whole = framer(framing).feed(data, 0.0)
    assert [scan.text for scan in whole] == CODES  # back to back in one read
    for seed in range(100):
        driver = framer(framing, half_frame_s=1e9)
        got = feed(driver, data, random.Random(seed))
        assert [scan.text for scan in got] == CODES, f"seed {seed}"
        assert driver.counters["noise_bytes"] == 0


@pytest.mark.parametrize("framing", FRAMINGS)
def test_no_prefix_of_a_frame_is_a_scan_and_the_next_one_is_whole(framing):
    frame = encode("コード123".encode(), framing)
    end = len(frame) - (framing == "crlf")  # CR alone ends a frame too
    for cut in range(end):
        driver = framer(framing)
        assert driver.feed(frame[:cut], 0.0) == []
        assert [s.text for s in driver.feed(frame, 2.0)] == ["コード123"]  # 2 s later: the half is dropped
        assert driver.counters["half_frames"] == (cut > 0)


def test_the_time_is_that_of_the_last_byte():
    driver = framer("cr")
    driver.feed(b"AB", 1.0)
    (scan,) = driver.feed(b"C\r", 1.5)
    assert (scan.text, scan.t_last_byte) == ("ABC", 1.5)


@pytest.mark.parametrize(
    ("aim", "kind"),
    [
        ("]Q1", ScanDataType.QRCODE),
        ("]Q3", ScanDataType.GS1QRCODE),
        ("]E0", ScanDataType.EAN13),
        ("]z0", ScanDataType.OTHER),
    ],
)
def test_an_aim_identifier_gives_the_symbology(aim, kind):
    (scan,) = framer("cr").feed(f"{aim}HELLO]Q1\r".encode(), 0.0)
    assert (scan.text, scan.symbology, scan.aim) == ("HELLO]Q1", kind, aim)
    (scan,) = framer("cr", strip_aim=False).feed(f"{aim}HELLO\r".encode(), 0.0)
    assert (scan.text, scan.symbology, scan.aim) == (f"{aim}HELLO", ScanDataType.UNKNOWN, "")


def test_gs1_separators_are_data():
    (scan,) = framer("cr").feed(b"]Q3" + b"0104912345123459\x1d10ABC\r", 0.0)
    assert scan.raw == b"0104912345123459\x1d10ABC"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_noise_is_dropped_and_counted(framing):
    clean = encode(b"HELLO", framing)
    driver = framer(framing)
    assert [s.text for s in driver.feed(NOISE + clean + NOISE + clean, 0.0)] == ["HELLO", "HELLO"]
    assert driver.counters["noise_bytes"] == 2 * len(NOISE)


def test_noise_inside_data_is_dropped():
    driver = framer("cr")
    assert driver.feed(b"HE\x00\x11L\x13LO\r", 0.0)[0].text == "HELLO"
    assert driver.counters["noise_bytes"] == 3


@pytest.mark.parametrize("framing", FRAMINGS)
def test_over_long_input_is_dropped_to_its_end(framing):
    driver = framer(framing)
    longest = b"X" * 4_296
    data = encode(b"X" * 50_000, framing) + encode(b"]Q1" + longest, framing) + encode(b"NEXT", framing)
    scans = driver.feed(data, 0.0)
    assert [scan.raw for scan in scans] == [longest, b"NEXT"]
    assert driver.counters["overlong"] == 1


def test_after_an_over_long_burst_silence_starts_anew():
    driver = framer("cr")
    driver.feed(b"X" * 9_999, 0.0)
    assert driver.feed(b"NEXT\r", 2.0)[0].text == "NEXT"
    assert driver.counters["half_frames"] == 0  # counted as overlong already


def test_half_a_frame_is_counted_without_another_byte():
    driver = framer("stx_etx_bcc")
    driver.feed(b"\x02HALF\x03", 0.0)
    driver.tick(1.9)
    assert driver.counters["half_frames"] == 0
    driver.tick(2.0)
    assert driver.counters["half_frames"] == 1


def test_a_checksum_may_be_any_byte_stx_included():
    seen = set()
    for value in range(0x20, 0x7F):
        for more in (b"", b"0", b"A"):
            frame = encode(bytes([value]) + more, "stx_etx_bcc")
            seen.add(frame[-1])
            (scan,) = framer("stx_etx_bcc").feed(frame, 0.0)
            assert scan.raw == bytes([value]) + more
    assert encode(b"01", "stx_etx_bcc")[-1] == 0x02
    assert framer("stx_etx_bcc").feed(encode(b"01", "stx_etx_bcc") * 2, 0.0)[1].raw == b"01"


def test_a_wrong_checksum_is_dropped_and_counted():
    driver = framer("stx_etx_bcc")
    bad = bytearray(encode(b"HELLO", "stx_etx_bcc"))
    bad[2] ^= 1
    assert [s.text for s in driver.feed(bytes(bad) + encode(b"GOOD", "stx_etx_bcc"), 0.0)] == ["GOOD"]
    assert driver.counters["bad_checksum"] == 1


def test_shift_jis_is_understood_and_raw_bytes_are_kept():
    raw = "会員カード".encode("cp932")
    (scan,) = framer("cr").feed(raw + b"\r", 0.0)
    assert (scan.text, scan.raw) == ("会員カード", raw)
    driver = framer("cr")
    (scan,) = driver.feed(b"A\x81\r", 0.0)
    assert scan.raw == b"A\x81"
    assert driver.counters["bad_text"] == 1


@given(st.lists(st.binary(max_size=40), max_size=30), st.sampled_from(["terminator", "stx_etx", "stx_etx_bcc"]))
def test_no_bytes_break_the_framer(chunks, framing):
    driver = ReaderFramer(framing, limit_bytes=20)
    for n, chunk in enumerate(chunks):
        for scan in driver.feed(chunk, n * 0.7):
            assert 0 < len(scan.raw) + len(scan.aim) <= 23
    good = driver.feed(encode(b"GOOD", {"terminator": "cr"}.get(framing, framing)), 1e6)
    assert good[-1].text == "GOOD"


def scan_at(code: bytes, now: float) -> Scan:
    return Scan(code.decode(), code, ScanDataType.UNKNOWN, "", now)


def test_a_held_code_counts_once_until_it_was_away():
    held = RepeatFilter()
    assert held.is_new(scan_at(b"A", 0.0))
    assert not any(held.is_new(scan_at(b"A", t / 4)) for t in range(1, 40))  # held for 10 s
    assert not held.is_new(scan_at(b"A", 9.75 + 1.4))
    assert held.is_new(scan_at(b"A", 9.75 + 1.4 + 1.5))  # was away
    assert held.is_new(scan_at(b"B", 12.7))
    assert held.is_new(scan_at(b"A", 12.8))  # another code came between
    assert held.repeats == 40
