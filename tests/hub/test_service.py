"""The hub as a program: it starts without a broker, serves, stops; each mistake at the start is a sentence."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from config.hub_settings import load_hub
from config.load import SettingsError
from hub.service import run_hub


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def start(folder: Path):
    """Settings of a hub whose broker is away."""
    file, port = folder / "hub.toml", free_port()
    (folder / "hub-main.password").write_text("secret\n")
    (folder / "api-keys.toml").write_text('pos-1 = "0123456789abcdef"\n')
    text = file.read_text().replace("port = 1883", f"port = {free_port()}").replace("port = 8080", f"port = {port}")
    file.write_text(text)
    return file, port


async def until_healthy(port: int) -> dict:
    async with httpx.AsyncClient() as client:
        for _ in range(200):
            try:
                return (await client.get(f"http://127.0.0.1:{port}/healthz")).json()
            except httpx.TransportError:
                await asyncio.sleep(0.02)  # it is still starting; there is nothing else to await from outside
    raise AssertionError("the hub does not serve")


async def stopped(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_starts_without_a_broker_and_takes_sales(start):
    file, port = start
    task = asyncio.create_task(run_hub(load_hub(file), file))
    assert (await until_healthy(port))["database"] == "ok"
    sale = {"sale": "S-1", "amount_minor": 3000, "currency": "JPY", "paid_on": "settlement"}
    async with httpx.AsyncClient(headers={"Authorization": "Bearer 0123456789abcdef"}) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/api/v1/sales", json=sale)
        assert answer.status_code == 201
        broker = (await client.get(f"http://127.0.0.1:{port}/healthz")).json()["broker"]
    assert broker == "not connected yet" or "no broker at 127.0.0.1" in broker
    with pytest.raises(SettingsError, match="another hub runs on"):
        await run_hub(load_hub(file), file)
    await stopped(task)
    # The same file again, at once: nothing was left locked or bound.
    task = asyncio.create_task(run_hub(load_hub(file), file))
    await until_healthy(port)
    await stopped(task)


async def test_the_key_it_made_is_for_its_user_only(start):
    file, port = start
    task = asyncio.create_task(run_hub(load_hub(file), file))
    await until_healthy(port)
    await stopped(task)
    assert (file.parent / "exit-code-key.pem").stat().st_mode & 0o777 == 0o600


async def test_mistakes_at_the_start(start):
    file, port = start
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SettingsError, match=f"127.0.0.1:{port} can't be used"),
    ):
        await run_hub(load_hub(file), file)
    (file.parent / "hub-main.password").unlink()
    with pytest.raises(SettingsError, match=r"mqtt\.password_file"):
        await run_hub(load_hub(file), file)
    (file.parent / "hub-main.password").write_text("secret")
    (file.parent / "exit-code-key.pem").write_text("no key")
    with pytest.raises(SettingsError, match="no unencrypted Ed25519 private key"):
        await run_hub(load_hub(file), file)
    rules = file.parent / "rules.toml"
    rules.write_text(rules.read_text().replace("rank >= gold", "rank >= golden"))
    with pytest.raises(SettingsError, match="'golden' is not known"):
        await run_hub(load_hub(file), file)
