"""bluetoothd's rules, against the table measured on a real 5.66 and read in later sources."""

import pytest

from firmware_sim.bluez_state import Adapter, Added, BluezError, Changed, Heard, Removed

LEVELS = [-60, -61, -63, -63, -66, -68, -75]
ADDRESS = "AA:BB:CC:00:00:01"
IBEACON = {0x004C: bytes.fromhex("0215") + bytes(21)}
EDDYSTONE = {"0000feaa-0000-1000-8000-00805f9b34fb": bytes(20)}
PATTERN = [(0, 0xFF, b"\x4c\x00\x02\x15")]


def told(adapter: Adapter) -> list[int | None]:
    """The RSSI that bleak would have at each callback, None where a callback repeats the old one."""
    found: list[int | None] = []
    for n, level in enumerate(LEVELS):
        for signal in adapter.hear(Heard(ADDRESS, level, IBEACON), float(n)):
            assert isinstance(signal, (Added, Changed))
            found.append(signal.properties.get("RSSI"))
    return found


@pytest.mark.parametrize(
    ("fidelity", "values", "expected"),
    [
        ("bluez-5.66", {"DuplicateData": False}, LEVELS),
        ("bluez-5.66", {"DuplicateData": False, "RSSI": -127}, LEVELS),
        ("bluez-5.66", {"DuplicateData": True}, LEVELS),
        ("bluez", {"DuplicateData": False}, [-60, -68]),
        ("bluez", {"DuplicateData": False, "RSSI": -127}, LEVELS),
        ("bluez", {"DuplicateData": True}, [-60, None, None, None, None, -68, None]),
    ],
)
def test_levels_told_while_scanning_actively(fidelity, values, expected):
    adapter = Adapter("hci0", "00:00:00:00:00:01", fidelity)
    adapter.set_filter(":1.5", {"Transport": "le", **values})
    adapter.start(":1.5")
    assert told(adapter) == expected


@pytest.mark.parametrize("fidelity", ["bluez-5.66", "bluez"])
def test_passive_scanning_tells_steps_of_8_db_and_only_what_matches(fidelity):
    adapter = Adapter("hci0", "00:00:00:00:00:01", fidelity)
    adapter.register(":1.5", "/monitor")
    assert adapter.activate(":1.5", "/monitor", PATTERN)
    assert told(adapter) == [-60, -68]
    assert adapter.hear(Heard("AA:BB:CC:00:00:02", -60, {6: b"1"}), 9.0) == []


def test_without_a_scan_or_with_a_deaf_radio_nothing_is_told():
    adapter = Adapter("hci0", "00:00:00:00:00:01")
    assert told(adapter) == []
    adapter.start(":1.5")
    adapter.deaf = True
    assert told(adapter) == []


def test_frames_of_one_address_are_merged():
    adapter = Adapter("hci0", "00:00:00:00:00:01")
    adapter.start(":1.5")
    adapter.hear(Heard(ADDRESS, -60, IBEACON), 0.0)
    (signal,) = adapter.hear(Heard(ADDRESS, -61, {}, EDDYSTONE), 1.0)
    assert isinstance(signal, Changed)
    assert signal.properties == {"RSSI": -61, "ServiceData": EDDYSTONE, "UUIDs": list(EDDYSTONE)}
    assert adapter.devices[ADDRESS].data() == {"ManufacturerData": IBEACON, "ServiceData": EDDYSTONE}


def test_a_device_unheard_for_30_s_is_removed():
    adapter = Adapter("hci0", "00:00:00:00:00:01")
    adapter.start(":1.5")
    adapter.hear(Heard(ADDRESS, -60, IBEACON), 100.0)
    assert adapter.expire(129.9) == []
    assert adapter.expire(130.0) == [Removed("/org/bluez/hci0/dev_AA_BB_CC_00_00_01")]


def test_the_end_of_discovery_withdraws_the_levels():
    adapter = Adapter("hci0", "00:00:00:00:00:01")
    adapter.start(":1.5")
    adapter.hear(Heard(ADDRESS, -60, IBEACON), 0.0)
    discovering, device = adapter.client_gone(":1.5")
    assert isinstance(discovering, Changed)
    assert discovering.properties == {"Discovering": False}
    assert isinstance(device, Changed)
    assert device.invalidated == ("RSSI", "TxPower")


def test_what_bluetoothd_refuses():
    adapter = Adapter("hci0", "00:00:00:00:00:01")
    with pytest.raises(BluezError, match="Failed: No discovery started"):
        adapter.stop(":1.5")
    adapter.in_progress = True
    with pytest.raises(BluezError, match="InProgress"):
        adapter.start(":1.5")
    adapter.power(False)
    with pytest.raises(BluezError, match="NotReady"):
        adapter.start(":1.5")
    adapter.power(True)
    adapter.start(":1.5")  # the power cycle has cleared it, as on a real one
    adapter.refuse_monitors = True
    with pytest.raises(BluezError, match="UnknownMethod"):
        adapter.register(":1.5", "/monitor")
