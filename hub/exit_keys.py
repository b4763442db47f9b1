"""The store's keys for exit codes: private halves in files here, public halves given to the lanes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from config.load import SettingsError
from contract import exit_code
from contract.payloads import ExitKeys

log = structlog.get_logger()


@dataclass(frozen=True)
class KeyRing:
    """The first key signs, all are trusted: so a key is exchanged without a code becoming invalid."""

    signing: Ed25519PrivateKey
    kid: str
    public: dict[str, Ed25519PublicKey]

    def message(self, store: str) -> ExitKeys:
        """What lanes are told."""
        return ExitKeys(keys={kid: exit_code.public_text(key) for kid, key in self.public.items()}, store=store)


def read_keys(settings_file: Path, files: tuple[Path, ...]) -> KeyRing:
    """Read the key files; the first is made (mode 0600) if it is not there. Raises SettingsError."""
    if not files[0].exists():
        _make(settings_file, files[0])
    keys = [_read(settings_file, path) for path in files]
    public = {exit_code.key_id(key.public_key()): key.public_key() for key in keys}
    return KeyRing(keys[0], exit_code.key_id(keys[0].public_key()), public)


def _make(settings_file: Path, path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a power cut leaves no half a key.
        aside = path.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError as error:
        raise SettingsError(settings_file, [f"exit_code.key_files: {path} can't be made: {error.strerror}"]) from None
    log.info("made a new key for exit codes; keep a copy of it", path=str(path))


def _read(settings_file: Path, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SettingsError(settings_file, [f"exit_code.key_files: {path}: {error.strerror}"]) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            settings_file,
            [f"exit_code.key_files: {path} is no unencrypted Ed25519 private key in PEM "
             "(make one with: openssl genpkey -algorithm ed25519)"],
        )  # fmt: skip
    return key
