"""`instore rules`: for the manager who writes them. `check` before they go live, `try` to see what they would do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="The store's rules: ranks, good customers, special treatment, coupons.")


class PaidOn(StrEnum):
    """Where a purchase was paid."""

    TERMINAL = "terminal"
    SETTLEMENT = "settlement"


Config = Annotated[Path, typer.Option("--config", help="the hub's settings file")]


@app.command()
def check(config: Config = Path("hub.toml")) -> None:
    """Read all files of rules and messages; each mistake is named with its file, rule, line and column."""
    from hub.rules.checking import check_rules

    with told():
        typer.echo(check_rules(config))


@app.command("try")
def try_(
    customer: Annotated[str, typer.Option(help="a customer's ID")],
    config: Config = Path("hub.toml"),
    sensing: Annotated[
        str, typer.Option(help="readings of her terminal, such as ambient_temperature=31,heart_rate=110")
    ] = "",
    amount: Annotated[
        int | None, typer.Option(help="of a purchase, in minor units: what its exit code would bring")
    ] = None,
    paid_on: Annotated[PaidOn, typer.Option(help="where it was paid")] = PaidOn.TERMINAL,
    registered_on: Annotated[
        PaidOn | None, typer.Option(help="where its goods were registered; without it, nobody knows")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """What would happen if this customer came now: nothing is changed, nobody is told."""
    from hub.trial import Purchase, try_rules

    with told():
        where: Literal["terminal", "settlement", ""] = registered_on.value if registered_on is not None else ""
        purchase = Purchase(amount, paid_on.value, where) if amount is not None else None
        trial = try_rules(config, customer, sensing, purchase)
        typer.echo(trial.json() if json else trial.text())


@app.command()
def replay(
    config: Config = Path("hub.toml"),
    tried: Annotated[
        Path | None,
        typer.Option(
            "--with",
            metavar="DIR",
            help="a folder with the rules.toml, incentives.toml, coupons.toml or messages.toml to try; without it, the rules as they are now",
        ),
    ] = None,
    day: Annotated[str | None, typer.Option(help="the last day, such as 2026-11-21; without it, yesterday")] = None,
    days: Annotated[int, typer.Option(help="how many days up to then")] = 1,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Try rules on days that have been, before they go live: which alerts, which coupons, at what cost."""
    from hub.replay.trying import replay as play

    with told():
        found = play(config, last=day, days=days, tried=tried, quiet=json)
        typer.echo(found.json() if json else found.text())


@app.command()
def given(
    config: Config = Path("hub.toml"), json: Annotated[bool, typer.Option("--json", help="for machines")] = False
) -> None:
    """What exit codes have brought: how much of each incentive is out, and what is left of its budget."""
    from json import dumps

    from hub.incentive_report import given as report

    with told():
        found, table = report(config)
        typer.echo(dumps([each.json() for each in found]) if json else table)
