"""Who is let in, decided from the CONNECT packet alone, before the broker behind sees a byte of it."""

from __future__ import annotations

from dataclasses import dataclass

from broker.credentials import Credentials
from broker.packets import MQTT_3_1_1, ConnectRequest
from contract.access import Principal, allowed

BAD_PROTOCOL, BAD_CLIENT_ID, NOT_AUTHORISED = 1, 2, 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is CONNACK's return code (MQTT 3.1.1, table 3.1), `reason` the sentence for the log."""

    code: int
    reason: str


def admit(request: ConnectRequest, credentials: Credentials, store: str) -> Principal | Refusal:
    """The principal who may come in, or why not.

    The same answer for an unknown user and a wrong password. A will is checked here because amqtt sends it unchecked.
    """
    if request.level != MQTT_3_1_1:
        return Refusal(
            BAD_PROTOCOL, f"speaks protocol level {request.level}; this broker speaks MQTT 3.1.1 (level 4) only"
        )
    if request.username is None or request.password is None:
        return Refusal(NOT_AUTHORISED, "gave no user name and password; there is no anonymous entry")
    principal = credentials.verify(request.username, request.password)
    if principal is None:
        return Refusal(NOT_AUTHORISED, f"user name {request.username!r} is unknown or its password is wrong")
    nameless = request.client_id == "" and request.clean  # it gets one (MQTT 3.1.1, 3.1.3.1)
    if not nameless and not principal.owns_client_id(request.client_id):
        return Refusal(
            BAD_CLIENT_ID,
            f"client ID {request.client_id!r} is not {principal.username!r} or {principal.client_id('<program>')!r}",
        )
    if request.will_topic is not None and not allowed(principal, store, "publish", request.will_topic):
        return Refusal(NOT_AUTHORISED, f"{principal.username} may not have a will on {request.will_topic!r}")
    return principal
