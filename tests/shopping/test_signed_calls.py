"""Calls of a POS server are signed: any other is refused (row B4)."""

from __future__ import annotations

import pytest

from hub.shopping.signing import CallRefused, checked, signed

pytestmark = pytest.mark.row("B4")


# --- signed calls


def headers(**changes: str) -> dict[str, str]:
    return {**signed("s" * 32, "POST", "/p", b"{}", now_s=1000, nonce="n" * 16), **changes}


def test_a_signed_call_is_taken() -> None:
    assert checked("s" * 32, "POST", "/p", b"{}", headers(), now_s=1200, skew_s=300) == "n" * 16


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"body": b"{ }"}, "bad_signature"),
        ({"path": "/q"}, "bad_signature"),
        ({"method": "PUT"}, "bad_signature"),
        ({"secret": "t" * 32}, "bad_signature"),
        ({"headers": headers(**{"instore-timestamp": "1001"})}, "bad_signature"),
        ({"headers": headers(**{"instore-nonce": "m" * 16})}, "bad_signature"),
        ({"headers": headers(**{"instore-signature": "0" * 64})}, "bad_signature"),
        ({"headers": headers(**{"instore-signature": "é"})}, "bad_signature"),
        ({"headers": headers(**{"instore-signature": ""})}, "unsigned"),
        ({"headers": headers(**{"instore-timestamp": "soon"})}, "unsigned"),
        ({"headers": headers(**{"instore-timestamp": "-1"})}, "unsigned"),
        ({"headers": headers(**{"instore-nonce": "short"})}, "unsigned"),
        ({"headers": {}}, "unsigned"),
        ({"secret": ""}, "unsigned"),
        ({"now_s": 1301.0}, "clock"),
        ({"now_s": 699.0}, "clock"),
    ],
)
def test_any_other_call_is_refused(change: dict, kind: str) -> None:
    call = {"secret": "s" * 32, "method": "POST", "path": "/p", "body": b"{}", "headers": headers(), "now_s": 1000.0}
    with pytest.raises(CallRefused) as error:
        checked(**{**call, **change}, skew_s=300)
    assert error.value.kind == kind
