"""`instore customers` and `instore clerks`: lists in and out, one customer's record, her data, and how she is forgotten."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Annotated

import typer

from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="The store's customers.")
clerks = typer.Typer(no_args_is_help=True, help="The store's clerks: who they are, their groups, who has left.")
Config = Annotated[Path, typer.Option(help="the hub's settings file")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]
HUB = Path("hub.toml")


@contextmanager
def _database(config: Path, *, make: bool = False) -> Iterator[Connection]:
    """The hub's database; the hub may run. One that is not there is made only for an import, the first thing in a new store."""
    from config.hub_settings import load_hub
    from delivery.journal import Journal
    from hub.database.schema import MIGRATIONS

    settings = load_hub(config)
    if not make and not settings.database.exists():
        raise ValueError(f"{settings.database}: there is no such database; has the hub ever run with these settings?")
    journal = Journal(settings.database, MIGRATIONS)
    try:
        yield journal.db
    finally:
        journal.close()


@app.command("import")
def customers_import(file: Path, config: Config = HUB) -> None:
    """Take customers from a CSV or JSON file; refused lines are named with field and reason. The hub may run."""
    from hub.importing import import_customers

    with told():
        report = import_customers(config, file)
        typer.echo(report)
        raise SystemExit(1 if report.refused else 0)


@app.command("export")
def customers_export(
    customer: Annotated[str | None, typer.Argument(metavar="ID", help="everything known of this customer")] = None,
    all: Annotated[
        Path | None, typer.Option("--all", metavar="FILE", help="all customers as .csv or .json, to be imported again")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="one customer's data there, not on the screen")
    ] = None,
    config: Config = HUB,
) -> None:
    """One customer's data as JSON (her right to know), or all customers as a file that imports again."""
    from hub.exporting import NobodyThere, export_all, export_one, private_text
    from hub.progress import progress

    with told():
        if (customer is None) == (all is None):
            raise ValueError("say whose data (an ID), or --all FILE")
        with _database(config) as db:
            if all is not None:
                with progress(all.name) as step:
                    typer.echo(f"{all}: {export_all(db, all, step)} customers")
                return
            try:
                text = json_module.dumps(export_one(db, customer or ""), ensure_ascii=False, indent=1)
            except NobodyThere as nobody:
                raise ValueError(str(nobody)) from None
        if to is None:
            typer.echo(text)
        else:
            private_text(to, text + "\n")


@app.command("list")
def customers_list(
    search: Annotated[str, typer.Option(help="part of ID, name, phone or e-mail")] = "",
    rank: Annotated[str, typer.Option(help="only this rank")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 50,
    config: Config = HUB,
    json: Json = False,
) -> None:
    """Customers in order of their IDs."""
    from hub import listing

    with told(), _database(config) as db:
        found = listing.customers(db, search, rank, limit)
        typer.echo(json_module.dumps(found, ensure_ascii=False) if json else listing.table(found))


@app.command("show")
def customers_show(customer: str, config: Config = HUB, json: Json = False) -> None:
    """One customer's record: rank and why, clerks, totals, the newest purchases."""
    from config.hub_settings import load_hub
    from hub import listing

    with told(), _database(config) as db:
        found = listing.customer(db, customer, load_hub(config).store.zone)
        if found is None:
            raise ValueError(f"nobody has the ID {customer!r}")
        typer.echo(json_module.dumps(found, ensure_ascii=False) if json else listing.card(found))


@app.command("forget")
def customers_forget(
    customer: str,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    search: Annotated[
        list[Path] | None, typer.Option(help="a file or folder to search for her as well, such as one of logs")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="write the proof there as well")] = None,
    config: Config = HUB,
) -> None:
    """Erase a customer everywhere, while the hub runs or not, and prove it: JSON; exit code 0 only when nothing is left."""
    from config.hub_settings import load_hub
    from hub.erasure import forget
    from hub.exporting import private_text

    with told():
        settings = load_hub(config)
        if not settings.database.exists():
            raise ValueError(f"{settings.database}: there is no such database")
        if not yes:
            typer.confirm(f"Erase {customer} for good? Her sales stay without her.", abort=True)
        found = forget(settings, customer, search or [])
        text = json_module.dumps(found, ensure_ascii=False, indent=1)
        typer.echo(text)
        if certificate is not None:
            private_text(certificate, text + "\n")
        raise SystemExit(1 if found["found"] or found["left_in"] else 0)


@clerks.command("import")
def clerks_import(file: Path, config: Config = HUB) -> None:
    """Take clerks from a CSV or JSON file: clerk, name, groups, left_on. The hub may run."""
    from hub.clerks import import_clerks
    from hub.progress import progress

    with told():
        with _database(config, make=True) as db, progress(file.name) as step:
            report = import_clerks(db, file, step)
        typer.echo(report)
        raise SystemExit(1 if report.refused else 0)


@clerks.command("export")
def clerks_export(file: Path, config: Config = HUB) -> None:
    """All clerks as .csv or .json."""
    from hub.clerks import export_clerks

    with told(), _database(config) as db:
        typer.echo(f"{file}: {export_clerks(db, file)} clerks")


@clerks.command("list")
def clerks_list(config: Config = HUB, json: Json = False) -> None:
    """All clerks with their groups."""
    from hub import listing
    from hub.clerks import as_records

    with told(), _database(config) as db:
        found = as_records(db)
        shown = [{**each, "groups": " ".join(each["groups"])} for each in found]
        typer.echo(json_module.dumps(found, ensure_ascii=False) if json else listing.table(shown))
