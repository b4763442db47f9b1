"""The members' side of the hub's web application, put together."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import FastAPI

from config.member_settings import load_consents
from delivery.node import Node
from hub.core import Hub
from hub.giving import api as giving_api
from hub.giving.push_endpoint import Wire
from hub.giving.service import push_key
from hub.members import counter
from hub.members.api import MemberApi
from hub.members.desk import Desk
from hub.members.gateway import Gateway
from hub.members.mail import Mailer
from hub.shopping import api as shopping_api


def attach(app: FastAPI, hub: Hub, node: Node, who: Callable[..., str], *, mail_password: str = "",
           payment_secret: str = "", push_wire: Wire | None = None) -> Gateway:  # fmt: skip
    """Adds /member/api with the list while shopping, /member/ws and the counter's API; the engine's outlet leads to the terminals from now on.

    Raises SettingsError when the texts of consent, or the key for notifications, can't be read.
    """
    # Below WARNING the web server writes every frame, cookie and address into its log: readings and sessions (row C11).
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    settings = hub.settings.members
    desk = Desk(hub.settings, load_consents(settings.consents), hub.counters)
    gateway = Gateway(hub, node, desk)
    mailer = Mailer(settings.mail, mail_password, hub.settings.store.name, hub.counters)
    api = MemberApi(desk, node, mailer, settings.registrations_per_minute, gateway.dropped)
    app.include_router(api.routes())
    shopping_api.attach(app, hub, node, api, payment_secret=payment_secret)
    giving_api.attach(app, hub, node, api, desk, push_key(hub.settings), push_wire)
    app.include_router(counter.router(desk.claims, node, who))
    app.add_api_websocket_route("/member/ws", gateway.serve)
    node.engine.outlet = gateway.outlet
    return gateway
