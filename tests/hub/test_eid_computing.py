"""Eddystone-EID against what others have published, and against itself."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hub.eid.computing import EID_BYTES, eid, eids, identity_key, temporary_key
from hub.eid.keys import name_of, read_key

RADIUS_KEY = bytes.fromhex("0102030405060708090a111213141516")


@pytest.mark.row("C5")
@pytest.mark.parametrize(
    ("key", "exponent", "counter", "said"),
    [
        # github.com/RadiusNetworks/ephemeral_calc, spec/encryptor_spec.rb: no time, and 2000 s later
        (RADIUS_KEY, 10, 0, "a9b76a71c5f89290"),
        (RADIUS_KEY, 10, 2000, "4144413e45fefa58"),
        # the chain of keys to identifier of an independent Python implementation, with its registration below
        (bytes.fromhex("7c91330e61dfea4606b5b3ecb4457d76"), 0, 0, "436bfe57d5a09505"),
    ],
)
def test_published_identifiers(key, exponent, counter, said):
    assert eid(key, exponent, counter).hex() == said


@pytest.mark.row("C5")
def test_published_second_step():
    """From a published temporary key: exponent 12, counter 1,518,080,946 (a Node scanner's own test)."""
    temporary = bytes.fromhex("b7c2d909d27d22df8343271162480210")
    assert [each.hex() for each in eids(temporary, 12, [1518080946 >> 12])] == ["7dd8169dae94258c"]


@pytest.mark.row("C5")
@pytest.mark.parametrize(
    ("private", "beacon_public", "key"),
    [
        (
            "61136adab1bf302f1c49e860196aeefd8fbaa41518b4c226372d6cc469c47278",
            "c63e6f89aab47552c8d621a59c81d0af203f6570a4bd7a267a08a17561c8bc2b",
            "f40d6f18e5882260e847e99ca33ac44f",
        ),
        (
            "4041414141414141414141414141414141414141414141414141414141414141",
            "5f2ff6357762b9c188343259a9bd899a9a667d170143c0bc1ae905e877914a0e",
            "7c91330e61dfea4606b5b3ecb4457d76",
        ),
    ],
)
def test_published_registrations(private, beacon_public, key):
    assert identity_key(bytes.fromhex(private), bytes.fromhex(beacon_public), resolver=True).hex() == key


@pytest.mark.row("C5")
def test_the_beacon_comes_to_the_same_key():
    beacon = "6ea13b5ef3cc642fd6102c1d85c096b510f56efc488114a4562a987bf4525628"
    resolver_public = "29769a045dcb811ba3025985b9de91eb9a57dadbceb68a1e6a3c2b1af4868e1f"
    found = identity_key(bytes.fromhex(beacon), bytes.fromhex(resolver_public), resolver=False)
    assert found.hex() == "f40d6f18e5882260e847e99ca33ac44f"


def test_a_public_key_that_gives_no_secret_is_refused():
    with pytest.raises(ValueError, match="shared secret of zero"):
        identity_key(bytes([7]) * 32, bytes(32), resolver=True)


def _by_the_book(key: bytes, exponent: int, counter: int) -> bytes:
    """The specification's two tables of bytes, written down once more and step by step."""

    def aes(key: bytes, block: list[int]) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(bytes(block))

    top = [counter >> 24 & 255, counter >> 16 & 255]
    temporary = aes(key, [0] * 11 + [0xFF, 0, 0, *top])
    cleared = counter - counter % 2**exponent
    return aes(temporary, [0] * 11 + [exponent, *(cleared >> shift & 255 for shift in (24, 16, 8, 0))])[:8]


@pytest.mark.row("C5")
@pytest.mark.parametrize("exponent", range(16))
def test_every_exponent_and_counter_by_the_book(exponent):
    rng = random.Random(exponent)
    edges = [0, 1, 0xFFFF, 0x10000, 0x10001, 2**31, 2**32 - 1]
    for counter in edges + [rng.getrandbits(32) for _ in range(50)]:
        key = rng.randbytes(16)
        assert eid(key, exponent, counter) == _by_the_book(key, exponent, counter), counter
        assert len(eid(key, exponent, counter)) == EID_BYTES


@pytest.mark.parametrize("exponent", range(16))
def test_it_says_the_same_for_a_whole_quantum_and_then_something_else(exponent):
    key, start = bytes(range(16)), 7 << exponent
    whole = {eid(key, exponent, start + n) for n in (0, (1 << exponent) // 2, (1 << exponent) - 1)}
    assert len(whole) == 1
    assert whole.isdisjoint({eid(key, exponent, start - 1), eid(key, exponent, start + (1 << exponent))})


def test_the_counter_goes_round_after_136_years():
    assert eid(RADIUS_KEY, 10, 2**32 + 5) == eid(RADIUS_KEY, 10, 5)


@pytest.mark.parametrize(("key", "exponent"), [(b"short", 10), (bytes(17), 10), (bytes(16), 16), (bytes(16), -1)])
def test_impossible_keys_and_exponents(key, exponent):
    with pytest.raises(ValueError, match=r"16 bytes|exponent"):
        eid(key, exponent, 0)
    with pytest.raises(ValueError, match="16 bytes"):
        temporary_key(b"", 0)


# --- as it is written down

NOW = 1_800_000_000.0


def test_a_key_as_it_is_written_down():
    key = read_key(" 0102030405060708090A111213141516/10/2026-03-01T09:00:00+09:00 ", NOW)
    assert (key.identity_key, key.exponent, key.zero_s) == (RADIUS_KEY, 10, 1772323200.0)
    later = read_key("0102030405060708090a111213141516/10/2026-03-01T09:00:00+09:00=65280", NOW)
    assert later.zero_s == key.zero_s - 65280
    assert later.name == key.name == name_of(RADIUS_KEY)


def test_the_name_says_nothing_of_the_key():
    assert name_of(RADIUS_KEY).startswith("eid:")
    assert RADIUS_KEY.hex()[:8] not in name_of(RADIUS_KEY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no rotating beacon"),
        ("00", "is no rotating beacon"),
        ("01" * 16 + "/10", "is no rotating beacon"),
        ("01" * 17 + "/10/2026-03-01T09:00:00Z", "is no rotating beacon"),
        ("zz" * 16 + "/10/2026-03-01T09:00:00Z", "is no rotating beacon"),
        ("01" * 16 + "/16/2026-03-01T09:00:00Z", "exponent 16"),
        ("01" * 16 + "/10/2026-03-01T09:00:00", "with its offset"),
        ("01" * 16 + "/10/yesterday-noon", "with its offset"),
        ("01" * 16 + "/10/2126-03-01T09:00:00Z", "still to come"),
        ("01" * 16 + "/10/2026-03-01T09:00:00Z=4294967296", "32 bits"),
        ("01" * 16 + "/10/2026-03-01T09:00:00Z=", "is no rotating beacon"),
    ],
)
def test_what_is_no_key_is_said_without_showing_it(text, says):
    with pytest.raises(ValueError, match=says) as error:
        read_key(text, NOW)
    assert "0101" not in str(error.value)
