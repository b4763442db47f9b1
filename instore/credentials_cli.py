"""`instore credentials`: users and passwords at the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instore.errors import told

app = typer.Typer(no_args_is_help=True, help="Users of the broker: agents, clerks, the hub, observers.")
File = Annotated[Path, typer.Option("--file", help="the file of users")]
DEFAULT = Path("credentials.json")


@app.command()
def issue(role: str, id: str, file: File = DEFAULT) -> None:
    """A new password for `role` (agent, clerk, hub, observer) and ID. It is shown once; an old one ends."""
    from broker.credentials import Credentials
    from contract.access import Principal

    with told():
        principal = Principal.of_username(f"{role}-{id}")
        password = Credentials(file).issue(principal)
        typer.echo(f"user name {principal.username}\npassword  {password}")


@app.command()
def withdraw(role: str, id: str, file: File = DEFAULT) -> None:
    """End a user's access. The embedded broker closes its connections; restart a Mosquitto after writing its configuration."""
    from broker.credentials import Credentials
    from contract.access import Principal

    with told():
        principal = Principal.of_username(f"{role}-{id}")
        Credentials(file).withdraw(principal)
        typer.echo(f"{principal.username} has no access any more")


@app.command("list")
def list_users(file: File = DEFAULT) -> None:
    """All users, without their passwords."""
    from broker.credentials import Credentials

    with told():
        principals = Credentials(file).principals
        for principal in principals:
            typer.echo(principal.username)
        if not principals:
            typer.echo(f"{file}: no users yet; make one with `instore credentials issue`", err=True)
