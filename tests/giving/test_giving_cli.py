"""`instore giving`, and what an operator reads in metrics."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from delivery.link import Address
from delivery.node import Node
from hub.disk_probe import DiskProbe
from hub.giving.ways import Later, Never
from hub.metrics import Metrics
from instore.__main__ import app
from tests.giving.conftest import MAIL, PUSH, Away, Giver, agrees, leave, now_address
from tests.giving.far_ends import mail_server


def set_up(folder, port: int = 1, more: str = "") -> list[str]:
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL.replace("port = 1\n", f"port = {port}\n") + PUSH + more)
    return ["--config", str(folder / "hub.toml")]


async def command(*arguments: str):
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


@pytest.mark.row("B9")
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_trial_letter(folder, language):
    async with mail_server() as server:
        config = set_up(folder, server.port)
        told = await command("giving", "test", "--to", "me@example.com", "--language", language, *config)
    assert (told.exit_code, "sent" in told.output) == (0, True)
    ((to, message, _),) = server.letters
    assert to == ["me@example.com"]
    assert "K0000TEST0000" in message.get_body(("plain",)).get_content()


async def test_a_trial_that_fails_says_why(folder):
    config = set_up(folder)
    told = await command("giving", "test", "--to", "me@example.com", *config)
    assert told.exit_code == 1
    assert "127.0.0.1:1" in told.output
    told = await command("giving", "test", "--to", "nobody", *config)
    assert (told.exit_code, "no e-mail address" in told.output) == (1, True)


async def test_without_a_mail_server_it_is_a_sentence(folder):
    told = await command("giving", "test", "--to", "me@example.com", "--config", str(folder / "hub.toml"))
    assert told.exit_code == 2
    assert "members.mail: is not set" in told.output


@pytest.fixture
def configured(folder):
    """Before the hub starts."""
    return set_up(folder, more='[giving]\nways = ["push", "email"]\n')


async def test_what_waits_and_what_failed_is_listed_and_measured(configured, store):
    now_address(store, "hanako@example.com")
    agrees(store, "email", "push")
    giver = Giver(
        store, Away("push", Never("gone")), Away("email", Later("the mail server answered 451 to the letter"))
    )
    coupon = leave(store)
    await giver.turn()
    await giver.turn()
    told = await command("giving", "list", "--json", *configured)
    found = json.loads(told.output)
    assert [(each["coupon"], each["way"], each["state"], each["detail"]) for each in found] == [
        (coupon, "push", "failed", "gone"),
        (coupon, "email", "pending", "the mail server answered 451 to the letter"),
    ]
    plain = await command("giving", "list", *configured)
    assert "hanako" not in plain.output
    assert coupon in plain.output
    node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
    text = Metrics(store.hub, node, store.policy, DiskProbe(node)).text().decode()
    assert 'instore_hub_coupons_waiting{way="email"} 1.0' in text
    assert "giving_failed_push" in text
    assert store.hub.shown()["giving_failed_push"] == 1


@pytest.mark.parametrize(("added", "sentence"), [
    ("[giving]\nways = ['fax']", "giving.ways"), ("[giving]\nways = ['app', 'app']", "stands here twice"), ("[giving]\nways = []", "giving.ways"),
    ("[giving]\npublic_url = 'http://shop.example'", "no https address"), ("[giving]\nkept_days = 3", "giving.kept_days"),
    ("[push]\ncontact = 'nobody'", "push.contact"), ("[push]\n", "push.contact"),
    ("[push]\ncontact = 'mailto:a@b.c'\nservices = ['https://x']", "push.services"),
    ("[givin]\n", "givin"),
])  # fmt: skip
async def test_mistakes_in_the_settings_are_sentences(folder, added, sentence):
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{added}\n")
    told = await command("giving", "list", "--config", str(folder / "hub.toml"))
    assert told.exit_code == 2
    assert sentence in told.output
