"""The terminal handheld against a real Mosquitto with the contract's access control (rows A7, A10, A12, C6)."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from contract.payloads import AlertAnswer, Bilingual
from handheld.alert_book import Entry, Pending, Rules
from handheld.inbox import BadNews
from handheld.keys import Command
from handheld.link import Address, Forbidden, Packet, connect
from handheld.screen import Scene
from handheld.terminal import REFUSED_EXIT, Handheld, HandheldSettings
from tests.handheld.far_end import STORE, HubVoice, Store, alert, embedded_store, encoded
from tests.handheld.programs import lines_until, nobody_stays, start

__all__ = ["nobody_stays"]

QUICK = Rules(repeat_after_s=0.2, repeat_at_most_s=0.4, confirm_s=0.5)


class SpyFace:
    """Remembers what it was told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.scene: Scene | None = None
        self.buzzes: list[str] = []
        self.states: list[tuple[str, str]] = []
        self.sents: list[Pending] = []
        self.bads: list[BadNews] = []
        self.notes: list[Bilingual] = []
        self._changed = asyncio.Event()

    def __enter__(self) -> SpyFace:
        return self

    def __exit__(self, *_: object) -> None: ...

    def refresh(self, scene: Scene) -> None:
        self.scene = scene
        self._changed.set()

    def buzz(self, entry: Entry) -> None:
        self.buzzes.append(entry.id)

    def connection(self, state: str, why: Bilingual | None) -> None:
        self.states.append((state, why.en if why else ""))

    def sent(self, pending: Pending) -> None:
        self.sents.append(pending)

    def bad(self, news: BadNews, count: int) -> None:
        self.bads.append(news)

    def note(self, why: Bilingual) -> None:
        self.notes.append(why)

    def rows(self) -> list[tuple[str, str]]:
        return [(entry.id, entry.status.value) for entry in self.scene.entries] if self.scene else []

    async def until(self, wanted: Any, timeout_s: float = 30.0) -> None:
        async def wait() -> None:
            while not wanted():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(wait(), timeout_s)


def settings(store: Store, /, **changes: Any) -> HandheldSettings:
    fields: dict[str, Any] = {
        "clerk": "c01", "store": STORE, "host": "127.0.0.1", "port": store.tcp_port,
        "password": store.passwords["clerk-c01"], "rules": QUICK, "retry_s": (0.05, 0.2), "keepalive_s": 2,
    }  # fmt: skip
    return HandheldSettings(**(fields | changes))


@asynccontextmanager
async def running(own: HandheldSettings) -> AsyncIterator[tuple[Handheld, SpyFace]]:
    face = SpyFace()
    handheld = Handheld(own, face)
    task = asyncio.create_task(handheld.run())
    try:
        yield handheld, face
    finally:
        handheld.stop.set()
        await task


@pytest.mark.row("A7", "A12", "C6")
async def test_an_alert_is_shown_buzzes_once_and_is_accepted(store: Store, hub: HubVoice) -> None:
    async with running(settings(store)) as (handheld, face):
        await hub.until_status("ready")
        hub.say(alert("a1"), message_id="offer-1")
        await face.until(lambda: face.rows() == [("a1", "open")])
        hub.say(alert("a1"))
        handheld.command(Command("accept"))
        answer = await hub.until_answer("a1", "accept")
        assert answer.cause == "offer-1"
        assert answer.source == "clerk/c01"
        hub.say(alert("a1", revision=2, state="accepted", holder="c01"))
        await face.until(lambda: face.rows() == [("a1", "mine")])
        handheld.command(Command("served"))
        await hub.until_answer("a1", "served")
        assert face.buzzes == ["a1"]
    await hub.until_status("disconnected")


@pytest.mark.row("C6")
async def test_an_answer_is_repeated_until_the_alert_changes(store: Store, hub: HubVoice) -> None:
    async with running(settings(store)) as (handheld, face):
        await hub.until_status("ready")
        hub.say(alert("a1"))
        await face.until(lambda: face.rows() == [("a1", "open")])
        handheld.command(Command("decline", row=None))
        await face.until(lambda: len(face.sents) >= 3)
        hub.say(alert("a1", revision=2, state="declined"))
        await face.until(lambda: face.rows() == [("a1", "declined")])
        answers = {message.id for message in hub.heard if isinstance(message.data, AlertAnswer)}
        assert len(answers) == 1


@pytest.mark.row("C6")
async def test_taken_by_another_and_a_key_that_comes_too_late(store: Store, hub: HubVoice) -> None:
    async with running(settings(store)) as (handheld, face):
        await hub.until_status("ready")
        hub.say(alert("a1", state="accepted", holder="c02"))
        await face.until(lambda: face.rows() == [("a1", "taken")])
        handheld.command(Command("accept", row=1))
        assert "not possible" in face.notes[0].en
        assert face.buzzes == []


@pytest.mark.row("A12")
async def test_broken_messages_are_counted_and_the_next_good_one_is_shown(store: Store, hub: HubVoice) -> None:
    async with running(settings(store)) as (_, face):
        await hub.until_status("ready")
        for payload in (
            b"no json",
            b"{}",
            b"\xff",
            encoded(alert(), clerk="c01")[1].replace(b'"source":"hub"', b'"source":"eve"'),
        ):
            hub.say_raw(f"instore/{STORE}/clerk/c01/alert", payload)
        hub.say(alert("a1"), clerk="c02")
        hub.say(alert("a2"))
        await face.until(lambda: face.rows() == [("a2", "open")])
        assert [bad.reason for bad in face.bads] == ["not_json", "schema", "not_json", "wrong_source"]
        assert face.scene is not None
        assert face.scene.refused == 4


async def test_a_broker_that_is_killed_is_shown_and_comes_back(store: Store) -> None:
    async with running(settings(store)) as (_, face):
        await face.until(lambda: face.scene and face.scene.trouble is None)
        store.kill()
        await face.until(lambda: face.scene and face.scene.trouble is not None)
        assert face.scene is not None
        assert f"127.0.0.1:{store.tcp_port}" in face.scene.trouble.en  # type: ignore[union-attr]
        await asyncio.to_thread(store.start)
        async with HubVoice(store) as hub:
            await hub.until_status("ready")
            hub.say(alert("a1"))
            await face.until(lambda: face.rows() == [("a1", "open")])
    assert [state for state, _ in face.states][-2:] == ["connected", "disconnected"]


async def test_the_hub_going_and_coming_is_shown_and_brings_a_new_ready(store: Store, hub: HubVoice) -> None:
    hub.status("lost")
    async with running(settings(store)) as (_, face):
        await face.until(lambda: face.scene and face.scene.hub_ready is False)
        await hub.until_status("ready")
        hub.forget()
        hub.status("ready")
        await face.until(lambda: face.scene and face.scene.hub_ready is True)
        await hub.until_status("ready")


async def test_wrong_password_ends_with_a_sentence(store: Store) -> None:
    face = SpyFace()
    code = await asyncio.wait_for(Handheld(settings(store, password="wrong"), face).run(), 30)
    assert code == REFUSED_EXIT
    state, sentence = face.states[0]
    assert state == "refused"
    assert "clerk-c01" in sentence
    assert "password" in sentence
    assert "wrong" not in sentence


async def test_another_store_is_forbidden_with_a_sentence(store: Store) -> None:
    face = SpyFace()
    code = await asyncio.wait_for(Handheld(settings(store, store="osaka"), face).run(), 30)
    assert (code, face.states[0][0]) == (REFUSED_EXIT, "forbidden")
    assert "instore/osaka/clerk/c01/alert" in face.states[0][1]


@pytest.mark.row("A12")
async def test_a_clerk_cannot_read_another_clerks_alerts(store: Store) -> None:
    address = Address("127.0.0.1", store.tcp_port, "clerk-c01", store.passwords["clerk-c01"], "clerk-c01:test")
    will = Packet(f"instore/{STORE}/clerk/c01/status", b"", True)
    with pytest.raises(Forbidden):
        async with connect(address, will, {f"instore/{STORE}/clerk/c02/alert": 1}):
            pass


async def test_a_broker_that_never_answers_is_away(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1], "clerk-c01", "x", "clerk-c01:test", timeout_s=0.2)
        with pytest.raises(Exception, match="no answer"):
            async with connect(address, Packet("a", b""), {}):
                pass


async def test_no_delay_is_set_on_the_socket(store: Store) -> None:
    address = Address("127.0.0.1", store.tcp_port, "clerk-c01", store.passwords["clerk-c01"], "clerk-c01:test")
    will = Packet(f"instore/{STORE}/clerk/c01/status", b"{}", True)
    async with connect(address, will, {f"instore/{STORE}/clerk/c01/alert": 1}) as session:
        assert isinstance(session.client, paho.Client)
        assert session.client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # type: ignore[union-attr]


async def test_the_same_on_the_embedded_broker(tmp_path: Path) -> None:
    async with embedded_store(tmp_path) as store, HubVoice(store) as hub:
        async with running(settings(store)) as (handheld, face):
            await hub.until_status("ready")
            hub.say(alert("a1"))
            await face.until(lambda: face.rows() == [("a1", "open")])
            handheld.command(Command("accept"))
            await hub.until_answer("a1", "accept")
        await hub.until_status("disconnected")
        face = SpyFace()
        assert await asyncio.wait_for(Handheld(settings(store, password="wrong"), face).run(), 30) == REFUSED_EXIT
        assert face.states[0][0] == "refused"


# --- the program as a process


@pytest.mark.row("A10", "A12")
async def test_json_lines_for_machines(store: Store, hub: HubVoice) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await start(store, "json", stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    await lines_until(process, "connection", state="connected")
    hub.say(
        alert("a1", kind="special_treatment", message=Bilingual(ja="お飲み物をお持ちください。", en="Bring a drink."))
    )
    shown = await lines_until(process, "alert", status="open")
    assert shown["alert"]["message"]["ja"] == "お飲み物をお持ちください。"
    assert shown["waited_s"] == pytest.approx(5, abs=2)
    process.stdin.write(b'rubbish\n{"alert": "a1", "answer": "accept"}\n')
    assert "JSON" in (await lines_until(process, "note"))["detail"]
    await lines_until(process, "answer", alert="a1", answer="accept")
    await hub.until_answer("a1", "accept")
    hub.say(alert("a1", revision=2, state="accepted", holder="c01", kind="special_treatment"))
    await lines_until(process, "alert", status="mine")
    process.stdin.close()
    hub.say(alert("a1", revision=3, state="closed", kind="special_treatment"))
    await lines_until(process, "alert", status="over")
    process.send_signal(signal.SIGTERM)
    await lines_until(process, "connection", state="disconnected")
    assert await process.wait() == 0
    await hub.until_status("disconnected")


async def test_auto_accept_without_any_input(store: Store, hub: HubVoice) -> None:
    process = await start(store, "json", "100", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE)
    await lines_until(process, "connection", state="connected")
    hub.say(alert("a1"))
    await hub.until_answer("a1", "accept")
    process.kill()
    await process.communicate()
    await hub.until_status("lost")


@pytest.mark.row("A12")
async def test_a_person_at_a_terminal_presses_enter(store: Store, hub: HubVoice) -> None:
    outer, inner = pty.openpty()
    screen = bytearray()
    process = await start(
        store, "screen", stdin=inner, stdout=inner, env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
    )
    os.close(inner)
    loop, shown = asyncio.get_running_loop(), asyncio.Event()

    def readable() -> None:
        shown.set()
        try:
            screen.extend(os.read(outer, 65536))
        except OSError:
            loop.remove_reader(outer)

    loop.add_reader(outer, readable)
    try:
        await hub.until_status("ready")
        hub.say(alert("a1"))
        async with asyncio.timeout(30):
            while b"Hanako Sato" not in screen or b"\x07" not in screen:
                shown.clear()
                await shown.wait()
        assert "佐藤 花子".encode() in screen
        os.write(outer, b"\n")
        await hub.until_answer("a1", "accept")
        os.write(outer, b"q")
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        loop.remove_reader(outer)
        os.close(outer)
