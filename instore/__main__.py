"""The command `instore`: one for installers, clerks, testers and managers.

Everything heavy is imported inside its command, so that each starts as fast as it can.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from instore import (
    credentials_cli,
    customers_cli,
    doctor_cli,
    giving_cli,
    members_cli,
    products_cli,
    rules_cli,
    sim_cli,
    started,
    up_cli,
)
from instore.errors import told
from instore.logs import configure

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="MQTT edge system for the hardware of a store: beacons, readers, printers, gates, handhelds.",
)
contract = typer.Typer(no_args_is_help=True, help="What is said over MQTT: documents made from the one table.")
bench = typer.Typer(no_args_is_help=True, help="Measurements, each a ratio taken in one run.")
app.add_typer(customers_cli.app, name="customers")
app.add_typer(customers_cli.clerks, name="clerks")
app.add_typer(members_cli.app, name="members")
app.add_typer(giving_cli.app, name="giving")
app.add_typer(products_cli.app, name="products")
app.add_typer(contract, name="contract")
app.add_typer(bench, name="bench")
app.add_typer(rules_cli.app, name="rules")
app.add_typer(sim_cli.app, name="sim")
app.add_typer(credentials_cli.app, name="credentials")
app.command()(up_cli.up)
app.command()(up_cli.web)
app.command()(doctor_cli.doctor)


class Language(StrEnum):
    """Of a screen."""

    JA = "ja"
    EN = "en"


Config = Annotated[Path, typer.Option("--config", help="settings file (TOML)")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]


def run(program: Coroutine[Any, Any, Any]) -> Any:
    """Run a long-lived program on uvloop, which costs a third less processor time here."""
    import uvloop

    configure(verbose=bool(os.environ.get("INSTORE_DEBUG")))
    started()
    with told():
        return uvloop.run(program)


@app.command()
def edge(config: Config) -> None:
    """Run an edge agent: scan beacons, drive lanes, relay over MQTT."""
    from config.edge_settings import load_edge
    from edge.agent import run_edge

    with told():
        settings = load_edge(config)
        run(run_edge(settings, config))


@app.command()
def hub(config: Config) -> None:
    """Run the store's hub: customers, rules, decisions, pages."""
    from config.hub_settings import load_hub
    from hub.service import run_hub

    with told():
        settings = load_hub(config)
        run(run_hub(settings, config))


@app.command()
def broker(
    store: Annotated[str, typer.Option(help="the store's ID")] = "store",
    credentials: Annotated[Path, typer.Option(help="file of users, see `instore credentials`")] = Path(
        "credentials.json"
    ),
    host: Annotated[
        str, typer.Option(help="address to listen on; only loopback with the embedded broker")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="MQTT over TCP")] = 1883,
    ws_port: Annotated[int, typer.Option(help="MQTT over WebSocket")] = 9001,
    mosquitto_config: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write Mosquitto's configuration there instead of running")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate of a Mosquitto that others reach")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="its key")] = None,
) -> None:
    """Run the embedded broker on this machine, or write the configuration of a Mosquitto."""
    with told():
        if mosquitto_config is not None:
            from broker.credentials import Credentials
            from broker.mosquitto import Tls, write_mosquitto_config

            if (tls_cert is None) != (tls_key is None):
                raise ValueError("--tls-cert and --tls-key belong together")
            tls = Tls(tls_cert.resolve(), tls_key.resolve()) if tls_cert and tls_key else None
            path = write_mosquitto_config(mosquitto_config, store, Credentials(credentials), host=host, tcp_port=port,
                                          ws_port=ws_port, tls=tls)  # fmt: skip
            typer.echo(f"wrote {path}; start it with: mosquitto -c {path}")
            return
        from broker.embedded import BrokerSettings, run_broker

        run(run_broker(BrokerSettings(store, credentials, host, port, ws_port)))


@app.command()
def handheld(
    clerk: Annotated[str, typer.Option(help="your clerk ID")],
    store: Annotated[str, typer.Option(help="the store's ID")] = "store",
    host: Annotated[str, typer.Option(help="the broker's host")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="the broker's port")] = 1883,
    username: Annotated[str | None, typer.Option(help="user at the broker; clerk-<ID> unless given")] = None,
    password: Annotated[str | None, typer.Option(envvar="INSTORE_PASSWORD", help="asked for when not given")] = None,
    json: Json = False,
    auto_accept_ms: Annotated[int | None, typer.Option(help="accept by itself after so long (demos)")] = None,
    language: Annotated[Language, typer.Option(help="of the screen")] = Language.JA,
) -> None:
    """A clerk's handheld in a terminal."""
    from handheld.terminal import run as run_handheld

    secret = password if password is not None else typer.prompt("password", hide_input=True)
    started()
    raise SystemExit(
        run_handheld(clerk, host, port, secret, store, username=username, json=json, auto_accept_ms=auto_accept_ms,
                     language="en" if language is Language.EN else "ja")
    )  # fmt: skip


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="play one good customer's visit and end")] = False,
    json: Json = False,
    broker: Annotated[
        str, typer.Option(help="amqtt, mosquitto, or mqtt://user:password@host:port of a broker that is there")
    ] = "amqtt",
    port: Annotated[int, typer.Option(help="where the demo's page is")] = 8080,
    folder: Annotated[Path | None, typer.Option("--dir", help="where databases, logs and receipts go")] = None,
) -> None:
    """A whole store with simulated hardware and shoppers, to watch."""
    from instore.demo.play import DemoOptions, play

    with told():
        raise SystemExit(asyncio.run(play(DemoOptions(once=once, json=json, broker=broker, port=port, folder=folder))))


@app.command()
def explain(
    config: Annotated[Path | None, typer.Option(help="the hub's settings file; the newest demo's unless given")] = None,
    visit: Annotated[str | None, typer.Argument(help="a visit, or a customer; --last for the newest visit")] = None,
    last: Annotated[bool, typer.Option("--last", help="the newest visit")] = False,
    json: Json = False,
) -> None:
    """A visit, or a customer's newest: each hop with its time and cause, each decision and each silence with its reason."""
    from hub.explain import NothingToExplain, explain_settings
    from instore.demo.layout import last_hub_config

    with told():
        if visit is None and not last:
            raise ValueError("say which visit, or --last")
        try:
            trace = explain_settings(config or last_hub_config(), visit)
        except NothingToExplain as nothing:
            raise ValueError(str(nothing)) from None
        typer.echo(trace.json() if json else trace.text())


@contract.command()
def asyncapi() -> None:
    """The AsyncAPI 3 document, as JSON."""
    from contract.asyncapi import contract_asyncapi

    typer.echo(contract_asyncapi())


@contract.command()
def acl(store: Annotated[str, typer.Option(help="the store's ID")] = "store", json: Json = False) -> None:
    """Who may publish and subscribe where."""
    from contract.listing import contract_acl

    with told():
        typer.echo(contract_acl(store, as_json=json))


@bench.command()
def latency(json: Json = False, seconds: Annotated[float, typer.Option(help="how long each part runs")] = 10.0) -> None:
    """Sighting to handheld and scan to gate, beside the broker's bare round trip in the same run."""
    from bench.latency import main

    with told():
        raise SystemExit(main(as_json=json, seconds=seconds))


@bench.command()
def throughput(json: Json = False, seconds: Annotated[float, typer.Option(help="how long it runs")] = 10.0) -> None:
    """Durable events a second that the hub sustains, beside the bare broker's rate in the same run."""
    from bench.throughput import main

    with told():
        raise SystemExit(main(as_json=json, seconds=seconds))


@bench.command()
def eids(json: Json = False, count: Annotated[int, typer.Option(min=100, help="how many beacons")] = 100_000) -> None:
    """The table of rotating beacons: built, kept ahead of time, asked, beside bare AES in the same run."""
    from bench.eids import main

    with told():
        raise SystemExit(main(count, as_json=json))


@bench.command("customers")
def bench_customers(
    json: Json = False, count: Annotated[int, typer.Option(min=100, help="how many customers")] = 100_000
) -> None:
    """Import and export of customers, beside bare SQLite in the same run."""
    from bench.customers import main

    with told():
        raise SystemExit(main(count, as_json=json))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
