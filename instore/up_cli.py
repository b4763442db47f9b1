"""`instore up` and `instore web`: a store from one file (row B13)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from instore import started
from instore.errors import told

STORE = Path("store.toml")


def up(
    config: Annotated[Path, typer.Option("--config", help="the store's file")] = STORE,
    only: Annotated[
        list[str] | None, typer.Option(help="a machine by its name, or a part: broker, hub, web, agent:NAME; several")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="read everything, say what is wrong, run nothing")] = False,
    new: Annotated[
        Path | None, typer.Option(metavar="DIR", help="make a folder with a store's file to begin with, and end")
    ] = None,
    export_machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="write the file for another machine, with its passwords, and end")
    ] = None,
    qr: Annotated[
        bool | None, typer.Option("--qr/--no-qr", help="show the members' page as a QR code; without: in a terminal")
    ] = None,
) -> None:
    """Run a store, or this machine's part of it, from one file; everything is started again when it ends."""
    from instore.up import files, plan, telling
    from instore.up.new import new_store

    with told():
        if new is not None:
            typer.echo(new_store(new))
            return
        if not config.exists() and config == STORE:
            raise ValueError(
                "there is no store.toml here; make one with `instore up --new DIR`, or name yours with --config"
            )
        # Machines' files are written where the users are kept.
        made = plan.plan_of(config, only or (plan.home_of(config) if export_machine is not None else ()))
        if export_machine is not None:
            typer.echo(telling.exported(made, export_machine, files.export(made, export_machine)))
            return
        if check:
            from instore.up.checking import check_all

            check_all(made)
            typer.echo(telling.overview(made))
            for caution in telling.cautions(made):
                typer.echo(f"! {caution}")
            typer.echo(f"{config}: good")
            return
        from instore.up.run import run_up

        started()
        asyncio.run(run_up(made, qr=sys.stdout.isatty() if qr is None else qr))


def web(
    hub: Annotated[str, typer.Option(metavar="HOST:PORT", help="where the hub's pages are")],
    listen: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8443,
    broker: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="the broker's WebSocket, for clerks' pages at /mqtt")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate, for HTTPS")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="its key")] = None,
) -> None:
    """The way to the hub's pages from outside, with HTTPS."""
    from instore.logs import configure
    from instore.web_front import FrontSettings, run_front

    configure()
    with told():
        if (tls_cert is None) != (tls_key is None):
            raise ValueError("--tls-cert and --tls-key belong together")
        to = _host_port(broker) if broker is not None else None
        started()
        asyncio.run(run_front(FrontSettings(listen, port, _host_port(hub), to, tls_cert, tls_key)))


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no address; expected HOST:PORT such as 192.168.0.10:8080")
    return host.strip("[]"), int(port)
