"""Encryption and signature of web push against the published examples, and against a receiving side of its own."""

from __future__ import annotations

import random

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from hub.giving.push_encryption import BODY_MAX, PLAIN_MAX, encrypted, public_key, raw
from hub.giving.vapid import authorization, base64url, from_base64url, public_text, read_key
from tests.giving.far_ends import Browser, decoded, encoded, vapid_claims

# RFC 8291, section 5 and appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
AUTH, SALT = decoded("BTBZMqHH6r4Tts7J_aSIgg"), decoded("DGv6ra1nlYgDCS1FRnbzlw")
OURS = decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
BROWSERS = decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
BROWSERS_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
OURS_PUBLIC = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
BODY = ("DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_y"
        "l95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")  # fmt: skip
# RFC 8292, section 2.4
VAPID = ("vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3Njgs"
         "InN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9Ok"
         "SSHzvoD1oA, k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs")  # fmt: skip


def private(number: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())


@pytest.mark.row("B9")
def test_the_example_of_rfc_8291_comes_out_byte_by_byte():
    ours = private(OURS)
    assert encoded(raw(ours.public_key())) == OURS_PUBLIC
    assert encoded(encrypted(PLAIN, decoded(BROWSERS_PUBLIC), AUTH, ours=ours, salt=SALT)) == BODY


def test_the_receiving_side_of_these_tests_reads_the_example():
    browser = Browser(BROWSERS, AUTH)
    assert encoded(browser.public) == BROWSERS_PUBLIC
    assert browser.decrypt(decoded(BODY)) == PLAIN


@pytest.mark.row("B9")
def test_what_is_sent_is_read_by_a_browser_and_by_no_other():
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    browser, other = Browser(), Browser()
    for length in (0, 1, 254, 255, 256, PLAIN_MAX - 1, PLAIN_MAX, *(chance.randrange(PLAIN_MAX) for _ in range(20))):
        plain = chance.randbytes(length).rstrip(b"\x00")
        ours = ec.generate_private_key(ec.SECP256R1())
        body = encrypted(plain, browser.public, browser.auth, ours=ours, salt=chance.randbytes(16), block=256)
        assert len(body) <= BODY_MAX
        assert browser.decrypt(body) == plain
        with pytest.raises(InvalidTag):
            other.decrypt(body)
        place = chance.randrange(86, len(body))
        with pytest.raises(InvalidTag):
            browser.decrypt(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])


def test_texts_of_one_block_have_one_length():
    browser = Browser()
    sizes = {
        len(encrypted(bytes(n), browser.public, browser.auth, ours=ec.generate_private_key(ec.SECP256R1()), salt=bytes(16), block=256))
        for n in range(0, 256, 17)
    }  # fmt: skip
    assert len(sizes) == 1


@pytest.mark.parametrize("point", [b"", b"\x04" * 65, bytes(65), b"\x02" + bytes(64), b"\x04" + bytes(63)])
def test_a_key_that_is_none_is_refused(point):
    with pytest.raises(ValueError):
        public_key(point)


def test_too_much_is_refused():
    browser = Browser()
    ours = ec.generate_private_key(ec.SECP256R1())
    for plain, auth, salt in ((bytes(PLAIN_MAX + 1), browser.auth, bytes(16)), (b"", b"short", bytes(16)), (b"", browser.auth, b"")):  # fmt: skip
        with pytest.raises(ValueError):
            encrypted(plain, browser.public, auth, ours=ours, salt=salt)


@pytest.mark.row("B9")
def test_the_example_of_rfc_8292_holds_and_ours_says_the_same():
    assert vapid_claims(VAPID) == {
        "aud": "https://push.example.net",
        "exp": 1453523768,
        "sub": "mailto:push@example.com",
    }
    key = ec.generate_private_key(ec.SECP256R1())
    ours = authorization(
        key, "https://push.example.net/push/abc?x=1", "mailto:push@example.com", 1453523768 - 12 * 3600
    )
    signed = VAPID.partition("t=")[2].rpartition(".")[0]
    assert ours.partition("t=")[2].rpartition(".")[0] == signed
    assert vapid_claims(ours) == vapid_claims(VAPID)
    assert ours.endswith(f"k={public_text(key)}")


def test_a_header_that_somebody_has_changed_does_not_hold():
    key = ec.generate_private_key(ec.SECP256R1())
    ours = authorization(key, "https://push.example.net/push/abc", "mailto:push@example.com", 1453523768)
    other = authorization(key, "https://elsewhere.example.net/push/abc", "mailto:push@example.com", 1453523768)
    signature = ours.partition(",")[0].rpartition(".")[2]
    forged = other.replace(other.partition(",")[0].rpartition(".")[2], signature)
    with pytest.raises(InvalidSignature):
        vapid_claims(forged)


def test_base64url_with_and_without_its_padding():
    assert base64url(b"\xfb\xff") == "-_8"
    assert from_base64url("-_8") == from_base64url("-_8=") == b"\xfb\xff"
    for bad in ("-_8!", "a"):
        with pytest.raises(ValueError):
            from_base64url(bad)


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    first = read_key(tmp_path / "push.pem")
    assert public_text(read_key(tmp_path / "push.pem")) == public_text(first)
    assert (tmp_path / "push.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_of_another_kind_is_a_sentence(tmp_path):
    (tmp_path / "push.pem").write_text("no key")
    with pytest.raises(ValueError, match="no unencrypted P-256 private key"):
        read_key(tmp_path / "push.pem")
