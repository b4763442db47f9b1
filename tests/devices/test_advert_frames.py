"""Beacon frames: known bytes, round trips, every prefix, any bytes."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.advert_frames import (
    APPLE,
    EDDYSTONE_UUID,
    BeaconFrame,
    FrameKind,
    Payload,
    canonical_id,
    encode_frame,
    parse_advert,
)

IBEACON_ID = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:65535"
IBEACON = bytes.fromhex("0215 2f234454cf6d4a0fadf2f4911ba9ffa6 0001 ffff c5")
ALTBEACON = bytes.fromhex("beac" + "00112233445566778899aabbccddeeff00112233" + "bb01")
UID = bytes.fromhex("00 ee 00010203040506070809 aabbccddeeff 0000")


def _hex(count: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=count, max_size=count).map(bytes.hex)


words = st.integers(0, 0xFFFF)
ids = st.one_of(
    st.builds(lambda u, a, b: f"ibeacon:{UUID(bytes=u)}:{a}:{b}", st.binary(min_size=16, max_size=16), words, words),
    _hex(20).map("altbeacon:{}".format),
    st.builds("eddystone-uid:{}:{}".format, _hex(10), _hex(6)),
    _hex(8).map("eddystone-eid:{}".format),
)


def parse(payload: Payload):
    return parse_advert(payload.manufacturer_data, payload.service_data)


@pytest.mark.row("A4")
def test_known_bytes_of_each_kind():
    assert parse_advert({APPLE: IBEACON}, {}).frames == [BeaconFrame(FrameKind.IBEACON, IBEACON_ID, -59)]
    assert parse_advert({0x0118: ALTBEACON}, {}).frames == [
        BeaconFrame(FrameKind.ALTBEACON, "altbeacon:00112233445566778899aabbccddeeff00112233", -69)
    ]
    name = "eddystone-uid:00010203040506070809:aabbccddeeff"
    expected = [BeaconFrame(FrameKind.EDDYSTONE_UID, name, -59)]  # -18 dBm at 0 m
    assert parse_advert({}, {EDDYSTONE_UUID: UID}).frames == expected
    assert parse_advert({}, {EDDYSTONE_UUID: UID[:18]}).frames == expected


def test_frames_that_bluez_merged_all_come_out():
    found = parse_advert({APPLE: IBEACON, 0x0118: ALTBEACON}, {EDDYSTONE_UUID: UID})
    assert [frame.kind for frame in found.frames] == ["ibeacon", "altbeacon", "eddystone-uid"]
    assert found.malformed == 0


@given(ids, st.integers(-128, 86))
def test_round_trip(beacon_id: str, power_dbm: int):
    found = parse(encode_frame(beacon_id, power_dbm))
    assert [(f.beacon_id, f.measured_power_dbm) for f in found.frames] == [(beacon_id, power_dbm)]
    assert found.malformed == 0
    assert canonical_id(beacon_id.upper()) == beacon_id


@given(ids)
def test_every_prefix_is_no_frame_and_counted_once_it_was_recognisable(beacon_id: str):
    payload = encode_frame(beacon_id, -59)
    for company, whole in payload.manufacturer_data.items():
        for length in range(len(whole)):
            found = parse_advert({company: whole[:length]}, {})
            assert (found.frames, found.malformed) == ([], int(length >= 2))
    for uuid, whole in payload.service_data.items():
        complete = 18 if beacon_id.startswith("eddystone-uid") else len(whole)
        for length in range(len(whole)):
            found = parse_advert({}, {uuid: whole[:length]})
            if length != complete:
                assert (found.frames, found.malformed) == ([], int(length >= 1))


@given(st.dictionaries(words, st.binary(max_size=40)), st.dictionaries(st.text(), st.binary(max_size=40)), st.binary())
def test_any_bytes_parse_without_an_error(manufacturer, service, eddystone):
    found = parse_advert(manufacturer, service | {EDDYSTONE_UUID: eddystone})
    assert found.malformed >= 0


def test_frames_of_others_are_no_error():
    handoff, url = bytes.fromhex("0c0e00aa"), bytes.fromhex("10ee0265")
    assert parse_advert({APPLE: handoff, 6: b"\1\2"}, {EDDYSTONE_UUID: url}) == ([], 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ibeacon",
        "nfc:1",
        "altbeacon:00",
        "ibeacon:zz:1:2",
        "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1",
        "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:65536",
        "eddystone-uid:00:11",
        "eddystone-eid:00112233445566zz",
    ],
)
def test_a_wrong_identifier_is_told_with_what_is_allowed(text: str):
    with pytest.raises(ValueError, match="is no beacon identifier; expected ibeacon:<uuid>"):
        canonical_id(text)


def test_a_power_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="200 dBm"):
        encode_frame(IBEACON_ID, 200)
