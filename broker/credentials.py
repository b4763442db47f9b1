"""Who may connect: one JSON file of principals with salted password hashes, for both brokers.

The hashes are PBKDF2-SHA512 with 64 bytes, salt and iterations beside them, as in Mosquitto's dynamic security file, so that
`broker.mosquitto` copies them over and nobody needs a second password. Passwords are 192 random bits and shown once, when
they are issued; against such a password more iterations protect nothing, and fewer keep a reconnecting store quick.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.errors import CredentialsError
from broker.files import write_atomically
from contract.access import Principal

ITERATIONS = 1000
"""0.7 ms on a desktop core, about 3 ms on a Raspberry Pi 4; then remembered."""
HASH_BYTES = 64
SALT_BYTES = 12
_REMEMBERED = 1024
_FORMAT = "instore.credentials.v1"


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A password as it is kept: never the password."""

    hash: bytes
    salt: bytes
    iterations: int

    @classmethod
    def of(cls, password: str) -> StoredPassword:
        salt = secrets.token_bytes(SALT_BYTES)
        return cls(_derive(password, salt, ITERATIONS), salt, ITERATIONS)

    def matches(self, password: str) -> bool:
        return hmac.compare_digest(_derive(password, self.salt, self.iterations), self.hash)

    def to_json(self) -> dict[str, Any]:
        """The three keys of a client in Mosquitto's dynamic security file."""
        return {
            "password": base64.b64encode(self.hash).decode(),
            "salt": base64.b64encode(self.salt).decode(),
            "iterations": self.iterations,
        }


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, HASH_BYTES)


class Credentials:
    """The file of principals. Every change is on disk, whole, when the call returns.

    One process changes the file; others see the change with `reload_if_changed`.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; a file that does not exist yet is an empty one. Raises CredentialsError."""
        self.path = path
        self._stored: dict[Principal, StoredPassword] = {}
        self._verified: OrderedDict[str, bytes] = OrderedDict()
        self._stamp: tuple[int, int, int] | None = None
        self.reload_if_changed()

    def __contains__(self, principal: Principal) -> bool:
        return principal in self._stored

    @property
    def principals(self) -> tuple[Principal, ...]:
        return tuple(sorted(self._stored, key=lambda principal: principal.username))

    def stored(self, principal: Principal) -> StoredPassword:
        """What is kept of a principal's password. Raises CredentialsError when there is no such principal."""
        try:
            return self._stored[principal]
        except KeyError:
            raise self._unknown(principal) from None

    def issue(self, principal: Principal) -> str:
        """A new password for a principal, new or not; the old one ends. It is returned once and kept nowhere."""
        password = secrets.token_urlsafe(24)
        self._save({**self._stored, principal: StoredPassword.of(password)})
        return password

    def withdraw(self, principal: Principal) -> None:
        """Ends a principal's access. Raises CredentialsError when there is no such principal."""
        if principal not in self._stored:
            raise self._unknown(principal)
        self._save({known: stored for known, stored in self._stored.items() if known != principal})

    def verify(self, username: str, password: str) -> Principal | None:
        """The principal of a user name and password, or None.

        A pair that was right once is remembered by a keyed digest, so that a hundred reconnecting clients do not hold up an
        event loop. An unknown user name costs as much time as a wrong password: the answer's time names nobody.
        """
        try:
            principal = Principal.of_username(username)
        except ValueError:
            principal = None
        stored = self._stored.get(principal) if principal else None
        if stored is None or principal is None:
            _NOBODY.matches(password)
            return None
        digest = hmac.digest(stored.hash, password.encode(), "sha256")
        if hmac.compare_digest(self._verified.get(username, b""), digest):
            return principal
        if not stored.matches(password):
            return None
        self._verified[username] = digest
        while len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return principal

    def reload_if_changed(self) -> bool:
        """Reads the file again when somebody changed it; True when it did. Raises CredentialsError."""
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return False
        self._stored = self._read() if stamp else {}
        self._stamp = stamp
        self._verified.clear()
        return True

    def _read(self) -> dict[Principal, StoredPassword]:
        try:
            return _parse(json.loads(self.path.read_text(encoding="utf-8")))
        except OSError as error:
            raise CredentialsError(
                f"{self.path}: {error.strerror}; this file holds the broker's users, check its path, owner and mode"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CredentialsError(
                f"{self.path}: this is no file of broker users ({error}); restore it from a copy, or delete it and issue"
                " every password anew"
            ) from None

    def _save(self, stored: dict[Principal, StoredPassword]) -> None:
        names = sorted(stored, key=lambda principal: principal.username)
        document = {"format": _FORMAT, "principals": {p.username: stored[p].to_json() for p in names}}
        try:
            write_atomically(self.path, json.dumps(document, indent=1).encode() + b"\n", mode=0o600)
        except OSError as error:
            raise CredentialsError(
                f"{self.path}: can't be written ({error.strerror}); check the folder's owner and free space"
            ) from None
        self._stored = stored
        self._stamp = _stamp(self.path)
        self._verified.clear()

    def _unknown(self, principal: Principal) -> CredentialsError:
        return CredentialsError(f"{self.path}: there is no user {principal.username}; issue a password for it first")


_NOBODY = StoredPassword(bytes(HASH_BYTES), bytes(SALT_BYTES), ITERATIONS)


def _parse(document: dict[str, Any]) -> dict[Principal, StoredPassword]:
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, expected {_FORMAT!r}")
    return {Principal.of_username(name): _parse_one(item) for name, item in document["principals"].items()}


def _parse_one(item: dict[str, Any]) -> StoredPassword:
    hashed, salt = base64.b64decode(item["password"], validate=True), base64.b64decode(item["salt"], validate=True)
    iterations = item["iterations"]
    if len(hashed) != HASH_BYTES or not salt or not isinstance(iterations, int) or not 1 <= iterations <= 1_000_000:
        raise ValueError("a password hash in it is damaged")
    return StoredPassword(hashed, salt, iterations)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}; check the folder's owner and mode") from None
    return found.st_mtime_ns, found.st_ino, found.st_size
