"""The store's own key for push services: who is pushing, and whom to ask (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from config.load import SettingsError
from hub.giving.push_encryption import raw

log = structlog.get_logger()

HOLDS_S = 12 * 3600
"""RFC 8292, section 2: a token holds for a day at most."""


def read_key(path: Path) -> EllipticCurvePrivateKey:
    """The key of this file; made (mode 0600) if it is not there. Raises SettingsError, about the key's file."""
    if not path.exists():
        _make(path)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SettingsError(path, [f"push.key_file: {error.strerror}"]) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise SettingsError(
            path,
            ["push.key_file is no unencrypted P-256 private key in PEM "
             "(make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)"],
        )  # fmt: skip
    return key


def _make(path: Path) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".new")  # a power cut leaves no half a key
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError as error:
        raise SettingsError(path, [f"push.key_file can't be made: {error.strerror}"]) from None
    log.info("made a new key for web push; keep a copy of it", path=str(path))


def public_text(key: EllipticCurvePrivateKey) -> str:
    """The public half, as browsers take it (`applicationServerKey`)."""
    return base64url(raw(key.public_key()))


def authorization(key: EllipticCurvePrivateKey, endpoint: str, contact: str, now_s: float) -> str:
    """The header `Authorization` of a push to this endpoint. `now_s`: UNIX time."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(now_s) + HOLDS_S, "sub": contact}
    signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
    signature = base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))  # RFC 7518, section 3.4
    return f"vapid t={signed}.{signature}, k={public_text(key)}"


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """With or without padding. Raises ValueError."""
    plain = text.rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)


def _json(value: dict[str, object]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())
