"""The hub's ways and its courier, put together once."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from config.hub_settings import HubSettings
from delivery.node import Node
from hub.core import Hub
from hub.giving.app import AppWay
from hub.giving.courier import Courier
from hub.giving.letter import Sender
from hub.giving.mail import MailWay
from hub.giving.push import PushWay
from hub.giving.vapid import read_key
from hub.giving.ways import Way


def push_key(settings: HubSettings) -> EllipticCurvePrivateKey | None:
    """The store's key for push services, made if it is not there; None without [push]. Raises SettingsError."""
    return read_key(settings.push.key_file) if settings.push is not None else None


def courier(hub: Hub, node: Node, *, mail_password: str = "", key: EllipticCurvePrivateKey | None = None) -> Courier:
    """Ways by the hub's settings."""
    settings = hub.settings
    ways: list[Way] = [AppWay(node, settings.giving.app_wait_s)]
    if settings.push is not None and key is not None:
        ways.append(PushWay(settings.push, key, settings.store.name, node, hub.counters))
    if settings.members.mail is not None:

        def clock() -> datetime:
            return node.engine.clock.utc()

        ways.append(MailWay(settings.members.mail, mail_password, sender_of(settings), clock))
    return Courier(node, hub.giving, {way.name: way for way in ways}, hub.counters)


def sender_of(settings: HubSettings) -> Sender:
    """Who writes the letters; with [members.mail]."""
    assert settings.members.mail is not None
    return Sender(settings.store.name, settings.members.mail.sender, settings.store.zone, settings.giving.public_url)
