"""Exit codes at the lane: checked alone, with public keys only (row C2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contract.exit_code import ExitClaims, public_key, verify

log = structlog.get_logger()

CLOCK_SET_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before the day this was written was never set (a Pi has no battery clock): expiry is then not judged."""


class Keyring:
    """The store's public keys. A key that can't be read is left out and told; the others go on."""

    def __init__(self, store: str, keys: Mapping[str, str]) -> None:
        self._store = store
        self._keys: dict[str, Ed25519PublicKey] = {}
        self.replace(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Mapping[str, str]) -> None:
        """Take new keys (key ID to base64url of 32 bytes) in place of the old ones."""
        read: dict[str, Ed25519PublicKey] = {}
        for kid, text in keys.items():
            try:
                read[kid] = public_key(text)
            except ValueError as error:
                log.error("a public key for exit codes can't be read", kid=kid, error=str(error))
        self._keys = read

    def verify(self, code: str, utc: datetime) -> ExitClaims:
        """The claims of a code that may be trusted. Raises ExitCodeError."""
        return verify(code, self._keys, store=self._store, now=utc if utc >= CLOCK_SET_AFTER else None)
