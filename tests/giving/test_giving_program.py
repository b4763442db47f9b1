"""The hub as a process of its own with a letter under way: killed, it goes on; held up by a mail server, it holds up nobody."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from config.hub_settings import load_hub
from delivery.journal import Journal
from hub.database import givings
from hub.database.schema import MIGRATIONS
from tests.delivery.real import until
from tests.giving.conftest import agrees, leave, now_address
from tests.giving.far_ends import mail_server
from tests.hub.conftest import Store
from tests.hub.test_service import free_port, until_healthy

_RUN = """
import asyncio, pathlib, sys
from config.hub_settings import load_hub
from hub.service import run_hub
file = pathlib.Path(sys.argv[1])
asyncio.run(run_hub(load_hub(file), file))
"""


async def program(file: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, str(file), stdout=asyncio.subprocess.DEVNULL
    )


async def ended(process: asyncio.subprocess.Process, how: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(how)
    async with asyncio.timeout(30):
        await process.wait()


@pytest.mark.row("B9")
async def test_killed_with_a_letter_under_way_the_next_process_sends_it(folder, tmp_path):
    file, port = folder / "hub.toml", free_port()
    (folder / "hub-main.password").write_text("secret\n")
    (folder / "api-keys.toml").write_text('pos-1 = "0123456789abcdef"\n')
    async with mail_server() as server:
        text = (
            file.read_text(encoding="utf-8")
            .replace("port = 1883", f"port = {free_port()}")
            .replace("port = 8080", f"port = {port}")
        )
        file.write_text(f'{text}\n[giving]\nways = ["email"]\n[members.mail]\nhost = "127.0.0.1"\nport = {server.port}\n'
                        'sender = "coupons@store.test"\nsecurity = "none"\ntimeout_s = 30\n', encoding="utf-8")  # fmt: skip
        store = Store(folder)
        store.now = datetime.now(UTC)
        store.journal.db.execute("INSERT INTO customer (customer, name, email) VALUES ('C9', '花子', 'x@example.com')")
        agrees(store, "email", customer="C9")
        now_address(store, "hanako@example.com", "C9")
        coupon = leave(store, customer="C9")
        store.stop()

        server.held = asyncio.Event()
        process = await program(file)
        try:
            async with asyncio.timeout(30):
                await server.begun.wait()
            began = time.monotonic()
            assert (await until_healthy(port))["database"] == "ok"
            async with httpx.AsyncClient(headers={"Authorization": "Bearer 0123456789abcdef"}) as client:
                sale = {"sale": "S-9", "amount_minor": 10, "currency": "JPY", "paid_on": "settlement"}
                assert (await client.post(f"http://127.0.0.1:{port}/api/v1/sales", json=sale)).status_code == 201
            assert time.monotonic() - began < 5  # while the mail server says nothing
        finally:
            await ended(process, signal.SIGKILL)
        server.held.set()
        server.held = None
        transport = server.smtp.transport if server.smtp is not None else None
        await until(lambda: transport is None or transport.is_closing(), 10)
        taken = len(server.letters)  # the far end may take it, and nobody hears of that

        process = await program(file)
        try:
            await until(lambda: len(server.letters) > taken, 15)
            await until(lambda: read(folder, coupon) == "sent", 5)
        finally:
            await ended(process)
    assert server.tries == 2
    assert len({message["Message-ID"] for _, message, _ in server.letters}) == 1
    assert [to for to, _, _ in server.letters][-1] == ["hanako@example.com"]


def read(folder: Path, coupon: str) -> str:
    journal = Journal(load_hub(folder / "hub.toml").database, MIGRATIONS)
    found = givings.way(journal.db, coupon, "email")
    journal.close()
    return found.state if found else ""
