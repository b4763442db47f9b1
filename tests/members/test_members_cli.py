"""`instore members`: the clerk's side of a claim, while the hub runs on the same file (row A2)."""

from __future__ import annotations

from datetime import UTC, datetime

from typer.testing import CliRunner

from instore.__main__ import app
from tests.hub.conftest import Store
from tests.members.conftest import Phone


async def test_a_clerk_lets_her_in_from_the_command_line(phone: Phone, store: Store) -> None:
    store.now = datetime.now(UTC)  # the command's clock is the real one
    config = ["--config", str(store.folder / "hub.toml")]
    number = (await phone.post("/sign-in", {"email": "hanako@example.com"})).json()["claim"]["number"]
    unknown = (await phone.post("/sign-in", {"email": "nobody@example.com"})).json()["claim"]["number"]
    told = CliRunner().invoke(app, ["members", "waiting", *config])
    assert f"{number[:4]} {number[4:]}  C0001 山田 花子" in told.output
    assert f"{unknown[:4]} {unknown[4:]}  該当する会員情報なし / no record" in told.output
    told = CliRunner().invoke(app, ["members", "confirm", unknown, "--clerk", "c01", *config])
    assert told.exit_code == 2
    assert "give her ID" in told.output
    told = CliRunner().invoke(app, ["members", "confirm", unknown, "--clerk", "c01", "--customer", "C0001", *config])
    assert (told.exit_code, told.output) == (
        0,
        "C0001 山田 花子: まもなくお客様の端末がログインされます / the terminal is signed in within seconds\n",
    )
    assert (await phone.get("/claim")).json() == {"state": "confirmed"}
    assert (await phone.me())["customer"] == "C0001"
