"""The hub as a program with members' terminals connected: it tells them to come back when it stops (rows A2, C11)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
import structlog
import websockets

from config.hub_settings import load_hub
from config.load import SettingsError
from hub.service import run_hub
from tests.members.conftest import Phone


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture
def settings(folder: Path) -> tuple[Path, int]:
    """Settings of a hub whose broker is away."""
    file, port = folder / "hub.toml", free_port()
    (folder / "hub-main.password").write_text("secret\n")
    (folder / "api-keys.toml").write_text('pos-1 = "0123456789abcdef"\n')
    text = file.read_text(encoding="utf-8").replace("port = 1883", f"port = {free_port()}")
    file.write_text(text.replace("port = 8080", f"port = {port}"), encoding="utf-8")
    return file, port


@pytest.mark.row("A2")
async def test_without_a_broker_members_register_and_a_stop_ends_their_connections(settings: tuple[Path, int]) -> None:
    file, port = settings
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(run_hub(load_hub(file), file))
        phone = Phone(f"http://127.0.0.1:{port}")
        async with asyncio.timeout(20):
            while True:
                try:
                    await phone.get("/about")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
            customer = await phone.register()
            async with phone.socket() as terminal:
                page = await phone.http.get(f"http://127.0.0.1:{port}/member/")
                assert "app.js" in page.text
                task.cancel()
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await terminal.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012  # service restart (RFC 6455's registry): come back
            with pytest.raises(asyncio.CancelledError):
                await task
        await phone.http.aclose()
    assert not [each for each in logs if each["log_level"] == "error"]
    assert customer not in str(logs)


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ("[members]\nconsents = 'nowhere.toml'", "nowhere.toml: there is no such file"),
        ("[members]\ncircel = 1", "did you mean 'circle'"),
        ("[members.circle]\nlatitude_deg = 91\nlongitude_deg = 0\nradius_m = 50", "members.circle.latitude_deg"),
        ("[members.mail]\nhost = 'x'\nsender = 'x@y'\nusername = 'x'", "username and password_file belong together"),
        ("[members.mail]\nhost = 'x'\nsender = 'x@y'\nusername = 'x'\npassword_file = 'nowhere'", "members.mail.password_file"),
        ("[members.mail]\nhost = 'x'\nsender = 'x@y'\nusername = 'x'\npassword_file = 'p'\nsecurity = 'none'", "not sent in the clear"),
    ],
)  # fmt: skip
async def test_mistakes_in_the_settings(settings: tuple[Path, int], added: str, sentence: str) -> None:
    file, _ = settings
    with file.open("a", encoding="utf-8") as more:
        more.write(f"\n{added}\n")
    with pytest.raises(SettingsError, match=sentence):
        await run_hub(load_hub(file), file)


async def test_the_stores_own_texts(settings: tuple[Path, int]) -> None:
    file, _ = settings
    own = (file.parent / "consents.toml").read_text(encoding="utf-8").replace("coupons-1", "coupons-2")
    (file.parent / "own.toml").write_text(own, encoding="utf-8")
    with file.open("a", encoding="utf-8") as more:
        more.write("\n[members]\nconsents = 'own.toml'\n")
    from config.member_settings import load_consents

    assert load_consents(load_hub(file).members.consents).coupons.id == "coupons-2"
