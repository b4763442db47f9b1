"""What all runs of a process share: the hub's settings, keys, rules, and a database with customers."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import config
from config.hub_settings import HubSettings, load_hub
from delivery.journal import Journal
from hub.database.schema import MIGRATIONS
from hub.exit_keys import KeyRing, read_keys
from hub.importing import import_file
from hub.rules.reload import RunningPolicy

CUSTOMERS, CLERKS = 200, 5
RAM = Path("/dev/shm")


@cache
def hub_parts() -> tuple[HubSettings, KeyRing, RunningPolicy]:
    """Settings, keys, shipped rules and a database with customers, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir=RAM if RAM.is_dir() else None))
    shipped = Path(config.__file__).parent / "shipped"
    for file in shipped.iterdir():
        shutil.copy(file, folder)
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=1)  # also at the end of a worker process
    pem = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (folder / "exit-code-key.pem").write_bytes(pem)
    settings = load_hub(folder / "hub.toml")
    keys = read_keys(folder / "hub.toml", settings.exit_code.key_files)
    (folder / "customers.csv").write_text(_customers(), encoding="utf-8")
    journal = Journal(settings.database, MIGRATIONS)
    import_file(journal.db, folder / "customers.csv", settings)
    journal.db.execute("UPDATE customer SET note = spent_minor")  # what she had spent before, for the books
    journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return settings, keys, RunningPolicy(settings)


def _customers() -> str:
    lines = ["customer,name,language,visits,average_purchase,points,rank,main_clerk,deputies,beacons"]
    for n in range(1, CUSTOMERS + 1):
        rank = ("regular", "silver", "gold")[n % 3]
        lines.append(
            f"K{n:04},Name {n},{'ja' if n % 2 else 'en'},{n % 50},{1000 * (n % 20)},{n},{rank},c{n % CLERKS + 1},"
            f"c{(n + 1) % CLERKS + 1},{beacon(n)}"
        )
    return "\n".join(lines)


def beacon(n: int) -> str:
    return f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}"
