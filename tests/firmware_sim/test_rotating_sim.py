"""Simulated rotating beacons: the firmware's own computing against published identifiers, and against the hub's."""

from __future__ import annotations

import random

import pytest

from firmware_sim.beacons_rotating import Rotating
from firmware_sim.beacons_world import AdapterPlace, BeaconSpec, World
from firmware_sim.radio import Radio
from hub.eid.computing import eid

KEY = "0102030405060708090a111213141516"


@pytest.mark.row("C5")
@pytest.mark.parametrize(("counter", "said"), [(0, "a9b76a71c5f89290"), (2000, "4144413e45fefa58")])
def test_published_identifiers(counter, said):
    """github.com/RadiusNetworks/ephemeral_calc, spec/encryptor_spec.rb"""
    assert Rotating.of(f"eid:{KEY}:10", counter, 0.0).frame(0.0) == f"eddystone-eid:{said}"


@pytest.mark.row("C5")
@pytest.mark.parametrize("exponent", range(16))
def test_beacon_and_hub_agree(exponent):
    rng = random.Random(exponent)
    for _ in range(40):
        key, counter, later = rng.randbytes(16), rng.getrandbits(32), rng.uniform(0, 1e6)
        beacon = Rotating.of(f"eid:{key.hex()}:{exponent}", counter, 5.0)
        said = eid(key, exponent, int(counter + later))
        assert beacon.frame(5.0 + later) == f"eddystone-eid:{said.hex()}"


def test_accelerated_time():
    beacon = Rotating.of(f"eid:{KEY}:10", 0, 100.0, speed=60.0)
    assert [beacon.quantum(100.0 + s) for s in (0, 17, 17.1, 34.2)] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("frame", "speed"),
    [("eid:", 1.0), ("eid:00:10", 1.0), (f"eid:{KEY}:16", 1.0), (f"eid:{KEY}", 1.0), (f"eid:{KEY}:1", 0.0), (f"eid:{KEY}:1", 1e9)],
)  # fmt: skip
def test_what_is_no_rotating_beacon(frame, speed):
    with pytest.raises(ValueError, match=r"rotating beacon|speed"):
        BeaconSpec("a", frame, (0, 0), speed=speed)


def test_address_and_identifier_change_together():
    world = World([AdapterPlace("hci0", (0, 0))], Radio(sigma_db=0, deep_fade_share=0, loss=0), 1)
    world.add(BeaconSpec("a", f"eid:{KEY}:2", (1, 0)), 0.0)
    heard = []
    while (due := world.next_due()) is not None and due <= 20:
        heard += [(r.heard.address, tuple(r.heard.service_data.values())) for r in world.advance(due)]
    pairs = list(dict.fromkeys(heard))
    assert len(pairs) == 5  # quanta of four seconds
    assert len({address for address, _ in pairs}) == len({said for _, said in pairs}) == 5
