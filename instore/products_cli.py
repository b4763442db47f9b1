"""`instore products`: what the store sells."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from instore.customers_cli import HUB, Config, Json, _database
from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="The products that customers register on their terminals.")


@app.command("import")
def products_import(file: Path, config: Config = HUB) -> None:
    """Take products from a CSV or JSON file; refused lines are named with field and reason. The hub may run."""
    from hub.progress import progress
    from hub.shopping.products import import_products

    with told():
        with _database(config, make=True) as db, progress(file.name) as step:
            report = import_products(db, file, step)
        typer.echo(report)
        raise SystemExit(1 if report.refused else 0)


@app.command("list")
def products_list(
    search: Annotated[str, typer.Option(help="part of code, name or category")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="at most so many")] = 50,
    config: Config = HUB,
    json: Json = False,
) -> None:
    """Products in order of their codes."""
    from hub import listing
    from hub.database import products

    with told(), _database(config) as db:
        found = [asdict(row) for row in products.some(db, search, limit)]
        typer.echo(json_module.dumps(found, ensure_ascii=False) if json else listing.table(found))
