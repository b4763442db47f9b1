"""The `[mqtt]` section that every program has: which broker, and as whom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from config.load import Section, SettingsError, resolve
from delivery.link import Address


def host_port(node: str) -> tuple[str, int]:
    """Of `HOST:PORT`; an IPv6 address in brackets. Raises ValueError: a sentence."""
    host, _, port = node.rpartition(":")
    if (
        not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]*|\[[0-9A-Fa-f:.]+\]", host)
        or not port.isdecimal()
        or not 0 < int(port) < 65536
    ):
        raise ValueError(f"{node!r} is no address; expected HOST:PORT such as 192.168.0.12:1883")
    return host.strip("[]"), int(port)


def _node(text: str) -> str:
    host_port(text)
    return text


Node = Annotated[str, StringConstraints(max_length=270), AfterValidator(_node)]
"""`HOST:PORT`"""


class MqttSettings(Section):
    """How to reach the broker. The user name is `{role}-{id}` (see `contract.access`).

    The password stands here, or better in a file of mode 0600 that only this program's user reads.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    others: Annotated[tuple[Node, ...], Field(max_length=16)] = ()
    """`HOST:PORT` of the other nodes of a clustered broker, tried one after the other when this one can't be had (row C13)."""
    username: str
    shared_user: bool = False
    """The broker knows one user for several programs (then nothing on it keeps them apart): any user name will do."""
    password: str | None = None
    password_file: Path | None = None
    tls: bool = False
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] | None = None
    """For a connection, and again for its subscriptions. None: 5; with `others` 8, as a cluster that has just lost a node answers
    only when it has chosen new leaders (NATS on a busy machine: up to 10 s)."""
    keepalive_s: Annotated[int, Field(ge=2, le=3600)] = 10
    version: Literal["3.1.1", "5"] = "3.1.1"
    """With 5, messages carry expiry and content type for other readers; no property of 5 carries meaning for us. The
    embedded broker speaks 3.1.1 only."""

    @model_validator(mode="after")
    def _one_password(self) -> MqttSettings:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give either password or password_file, not both and not neither")
        return self

    def address(self, settings_file: Path) -> Address:
        """Where to connect and as whom. Raises SettingsError when the password's file can't be read."""
        return Address(self.host, self.port, self.username, self.secret(settings_file), tls=self.tls,
                       connect_timeout_s=self.connect_timeout_s or (8.0 if self.others else 5.0), keepalive_s=self.keepalive_s,
                       version=self.version, shared_user=self.shared_user, others=tuple(map(host_port, self.others)))  # fmt: skip

    def secret(self, settings_file: Path) -> str:
        """The password. Raises SettingsError when its file can't be read."""
        if self.password is not None:
            return self.password
        path = resolve(settings_file, self.password_file or Path())
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(settings_file, [f"mqtt.password_file: {path}: {error.strerror}"]) from None
