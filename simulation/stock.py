"""What all runs of a process share: the hub's settings, keys, rules, and a database with customers."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import config
from config.hub_settings import HubSettings, load_hub
from delivery.journal import Journal
from hub.database import times
from hub.database.schema import MIGRATIONS
from hub.days import store_day
from hub.exit_keys import KeyRing, read_keys
from hub.importing import import_file
from hub.rules.reload import RunningPolicy
from simulation import members, tables

RAM = Path("/dev/shm")
START = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)
"""When all runs begin: nine in the morning in Tokyo."""
AGENT_LOST_S = 15.0
"""An agent that is lost for so long: the hub calls a clerk to its lanes."""
APP_WAIT_S, GIVE_UP_S = 20, 360
"""A terminal has so long to keep a coupon before the next way is tried; a letter is given up after so long."""
EXIT_CODE_S = 60
"""An exit code that a terminal shows, and the number that stands for it, holds for so long."""
PAYMENT_S = 60
"""A payment on the terminal is over after so long."""


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
    (folder / "coupons.toml").write_text(tables.COUPONS, encoding="utf-8")
    (folder / "incentives.toml").write_text(tables.INCENTIVES, encoding="utf-8")
    with (folder / "hub.toml").open("a", encoding="utf-8") as more:
        more.write(
            f'\n[shopping]\npayment_s = {PAYMENT_S}\nexit_code_s = {EXIT_CODE_S}\n[shopping.payment]\nprovider = "simulated"\n'
        )
        more.write(f'[members.mail]\nhost = "mail.simulated"\nsender = "shop@mail.simulated"\nsecurity = "none"\n[push]\n'
                   f'contact = "mailto:shop@mail.simulated"\nservices = ["{members.PUSH_HOST}"]\n'
                   f"[giving]\napp_wait_s = {APP_WAIT_S}\ngive_up_hours = {GIVE_UP_S / 3600}\n")  # fmt: skip
    settings = load_hub(folder / "hub.toml")
    settings = settings.model_copy(update={"lane": settings.lane.model_copy(update={"agent_lost_s": AGENT_LOST_S})})
    keys = read_keys(folder / "hub.toml", settings.exit_code.key_files)
    (folder / "customers.csv").write_text(members.as_csv(), encoding="utf-8")
    journal = Journal(settings.database, MIGRATIONS)
    import_file(journal.db, folder / "customers.csv", settings, today=store_day(START, settings.store.zone))
    members.enter(journal.db, times.text(START), START.timestamp())
    journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return settings, keys, _Unchanged(settings)


class _Unchanged(RunningPolicy):
    """Its files don't change while stores run: nobody needs to look."""

    def check(self) -> bool:
        return False
