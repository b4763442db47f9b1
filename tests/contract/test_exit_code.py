"""Exit codes: what is signed is read back; whatever was changed, cut, borrowed or kept too long is refused with its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import base45
import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from contract import exit_code
from contract.exit_code import ExitClaims, ExitCodeError, issue, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KID = exit_code.key_id(KEY.public_key())
KEYS = {KID: KEY.public_key()}
NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
CLAIMS = ExitClaims("ginza", "S-000123", NOW, NOW + timedelta(minutes=30), "0011223344556677")
CODE = issue(CLAIMS, KEY, KID)


def refused(code: str, *, store: str = "ginza", now: datetime | None = NOW, keys=KEYS) -> str:
    with pytest.raises(ExitCodeError) as found:
        verify(code, keys, store=store, now=now)
    assert str(found.value)
    return found.value.reason


ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
times = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(lambda t: t.replace(microsecond=0, tzinfo=UTC))


@pytest.mark.row("C2")
@given(store=ids, sale=ids, issued=times, code_id=st.binary(min_size=8, max_size=8), life_s=st.integers(1, 10**6))
def test_what_was_issued_is_read_back(store, sale, issued, code_id, life_s):
    claims = ExitClaims(store, sale, issued, issued + timedelta(seconds=life_s), code_id.hex())
    code = issue(claims, KEY, KID)
    assert verify(code, KEYS, store=store, now=issued) == claims
    assert len(code) <= 350


def test_a_code_is_small_and_of_qr_alphanumeric_characters():
    assert len(CODE) < 190
    assert set(CODE) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def test_other_libraries_read_it_as_a_cwt():
    key = cwt.COSEKey.from_pem(_pem(KEY), kid=bytes.fromhex(KID))
    assert cwt.decode(base45.b45decode(CODE[4:]), key, no_verify=True)[7] == bytes.fromhex(CLAIMS.code_id)
    fresh = datetime.now(UTC).replace(microsecond=0)
    code = issue(ExitClaims("ginza", "S-1", fresh, fresh + timedelta(hours=1), CLAIMS.code_id), KEY, KID)
    claims = cwt.decode(base45.b45decode(code[4:]), key)
    assert claims == {1: "ginza", 2: "S-1", 4: int(fresh.timestamp()) + 3600, 6: int(fresh.timestamp()), 7: claims[7]}


def _pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.row("C2")
def test_every_flipped_bit_is_refused():
    frame = base45.b45decode(CODE[4:])
    for bit in range(len(frame) * 8):
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        reason = refused("IS1:" + base45.b45encode(bytes(changed)).decode())
        assert reason in {"malformed", "bad_signature", "unknown_key"}


def test_every_truncation_and_every_tail_is_refused():
    for end in range(len(CODE)):
        assert refused(CODE[:end]) in {"malformed", "bad_signature"}
    for tail in ("\n", " ", "0", "000", CODE):
        assert refused(CODE + tail) in {"malformed", "bad_signature"}


@given(st.text(max_size=700))
def test_no_text_does_anything_but_be_refused(text):
    assert refused(text) == "malformed"
    assert refused("IS1:" + text) == "malformed"


@given(st.binary(max_size=300))
def test_no_bytes_behind_the_prefix_do_anything_but_be_refused(raw):
    assert refused("IS1:" + base45.b45encode(raw).decode()) == "malformed"


@given(st.binary(max_size=120))
def test_whatever_a_key_of_ours_signed_is_still_checked(body):
    header = exit_code._HEADER + bytes.fromhex(KID)
    frame = exit_code._START + bytes.fromhex(KID) + b"\xa0" + cbor2.dumps(body)
    frame += cbor2.dumps(KEY.sign(exit_code._to_be_signed(header, body)))
    assert refused("IS1:" + base45.b45encode(frame).decode()) == "malformed"


@pytest.mark.row("C2")
def test_reasons():
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert refused(CODE, store="shibuya") == "wrong_store"
    assert refused(CODE, now=CLAIMS.expires + timedelta(seconds=60)) == "expired"
    assert refused(CODE, keys={}) == "unknown_key"
    assert refused(issue(CLAIMS, other, KID)) == "bad_signature"
    assert refused("9" * 601) == "malformed"


def test_edges_of_the_leeway():
    assert verify(CODE, KEYS, store="ginza", now=CLAIMS.expires + timedelta(seconds=59))


@pytest.mark.parametrize("behind", [timedelta(seconds=61), timedelta(hours=2), timedelta(days=400)])
def test_a_code_from_the_future_shows_that_a_clock_was_wrong_and_holds_nobody(behind):
    assert verify(CODE, KEYS, store="ginza", now=CLAIMS.issued - behind) == CLAIMS


def test_a_clock_that_was_never_set_does_not_judge_times():
    assert verify(CODE, KEYS, store="ginza", now=None) == CLAIMS
    assert refused(CODE, store="shibuya", now=None) == "wrong_store"


def test_claims_that_no_lane_would_take_are_not_issued():
    for wrong in (
        ExitClaims("gin/za", "S", NOW, NOW, CLAIMS.code_id),
        ExitClaims("ginza", "", NOW, NOW, CLAIMS.code_id),
        ExitClaims("ginza", "S", NOW, NOW, "00"),
    ):
        with pytest.raises(ValueError):
            issue(wrong, KEY, KID)


def test_keys_travel_as_text():
    assert exit_code.public_key(exit_code.public_text(KEY.public_key())) == KEY.public_key()
    with pytest.raises(ValueError):
        exit_code.public_key("short")
    assert len(exit_code.new_code_id()) == 16
