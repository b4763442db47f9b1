"""`instore giving`: whether coupons can be brought to customers who are not at a printer."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="クーポンの電子配信 / Coupons by app, notification and e-mail.")
Config = Annotated[Path, typer.Option(help="the hub's settings file")]


class Language(StrEnum):
    """Of the letter."""

    JA = "ja"
    EN = "en"


@app.command("test")
def trial(
    to: Annotated[str, typer.Option(help="宛先 / the address to write to")],
    language: Language = Language.JA,
    config: Config = Path("hub.toml"),
) -> None:
    """お試しのメールを1通送ります。 Send one letter with a coupon that is worth nothing. Exit code 0: the mail server has taken it."""
    from hub.giving.trying import try_letter
    from hub.giving.ways import Sent

    with told():
        result = asyncio.run(try_letter(config, to, language.value))
    typer.echo(
        f"送信しました / sent: {result.why}" if isinstance(result, Sent) else f"送信できません / not sent: {result.why}"
    )
    if not isinstance(result, Sent):
        raise typer.Exit(1)


@app.command("list")
def waiting(
    config: Config = Path("hub.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """配信待ち・失敗の一覧。 What waits, and what has failed and why, the newest first."""
    from dataclasses import asdict

    from hub.giving.trying import open_ways

    with told():
        found = open_ways(config)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        typer.echo(f"{each.changed[:19]}Z  {each.coupon}  {each.way:5}  {each.state:7}  {each.tries}  {each.detail}")
