"""`instore members`: at the counter, a clerk who has seen the person lets her terminal in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="会員登録の確認 / Members who registered on the web page.")
Config = Annotated[Path, typer.Option(help="the hub's settings file")]


@app.command()
def waiting(config: Config = Path("hub.toml")) -> None:
    """確認待ちの番号と会員情報。 The numbers that terminals show now, with the record that each may belong to."""
    from hub.members.clerk import waiting as read

    with told():
        for claim, name in read(config):
            who = (
                f"{claim.customer} {name}"
                if claim.customer
                else "該当する会員情報なし / no record with this address or number"
            )
            typer.echo(f"{claim.number[:4]} {claim.number[4:]}  {who}")


@app.command()
def confirm(
    number: Annotated[str, typer.Argument(help="お客様の端末に表示された番号 / as the customer's terminal shows it")],
    clerk: Annotated[str, typer.Option(help="確認した担当者 / who has seen the person and a card")],
    customer: Annotated[
        str | None,
        typer.Option(help="お客様番号(該当なし・別の場合) / the record, where the hub knows none or another"),
    ] = None,
    config: Config = Path("hub.toml"),
) -> None:
    """この番号の端末をお客様本人として登録します。 The terminal that shows this number belongs to the customer of the record."""
    from hub.members.clerk import confirm as let_in

    with told():
        record, name = let_in(config, number, clerk, customer)
        typer.echo(
            f"{record} {name}: まもなくお客様の端末がログインされます / the terminal is signed in within seconds"
        )
