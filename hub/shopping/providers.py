"""Who takes the money on the terminal (row B4): a simulated one for demos and tests, and the store's own POS server.

A provider begins a payment and is told when it is off. That the money is there, it says by a call of its own
(`hub.shopping.api`, POST /api/v1/payments/{payment}): nothing that the customer's terminal says makes a sale.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard
from urllib.parse import urlsplit

from config.shopping_settings import PaymentSettings
from hub.shopping.http_call import CallFailed, post
from hub.shopping.signing import signed


class ProviderTrouble(Exception):
    """The provider can't begin a payment now; the sentence is for the store's log, not for the customer."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid. `expires`: RFC 3339; after it a confirmation is refused."""

    payment: str
    store: str
    amount_minor: int
    currency: str
    expires: str
    lines: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """`open`: where the terminal goes on (http or https); None: it waits, and the provider asks the customer in its own way."""

    open: str | None = None


class Provider(Protocol):
    """Both may be called again for the same payment and then change nothing."""

    name: str

    async def begin(self, order: Order) -> Begun:
        """Raises ProviderTrouble."""
        ...

    async def cancel(self, payment: str) -> None:
        """The payment is off: nobody waits for it any more. Raises ProviderTrouble; a confirmation all the same is refused."""
        ...


class Simulated:
    """Takes no money: the page has buttons that say what becomes of the payment."""

    name = "simulated"

    async def begin(self, order: Order) -> Begun:
        del order  # whatever it is
        return Begun()

    async def cancel(self, payment: str) -> None:
        """Nobody is to be told."""


class PosServer:
    """The store's POS server over HTTP, both ways signed as in `hub.shopping.signing`.

    POST url                      an Order as JSON; answer 2xx, `{"open": "https://…"}` or `{}`
    POST url/{payment}/cancel     `{}`; any answer
    """

    name = "pos"

    def __init__(self, settings: PaymentSettings, secret: str, clock_s: Callable[[], float]) -> None:
        self._url, self._timeout_s = (settings.url or "").rstrip("/"), settings.timeout_s
        self._secret, self._clock_s = secret, clock_s

    async def begin(self, order: Order) -> Begun:
        fields = {name: getattr(order, name) for name in Order.__slots__}
        answer = await self._call(self._url, fields)
        try:
            found = json.loads(answer or b"{}")
        except (ValueError, RecursionError):
            raise ProviderTrouble("the POS server's answer is no JSON") from None
        address = found.get("open") if isinstance(found, dict) else False
        if address is None or _is_address(address):
            return Begun(address)
        raise ProviderTrouble('the POS server\'s answer is not {"open": an http or https address} or {}')

    async def cancel(self, payment: str) -> None:
        await self._call(f"{self._url}/{payment}/cancel", {})

    async def _call(self, url: str, fields: dict[str, Any]) -> bytes:
        body = json.dumps(fields, ensure_ascii=False).encode()
        headers = signed(self._secret, "POST", urlsplit(url).path or "/", body, now_s=int(self._clock_s()),
                         nonce=secrets.token_hex(16))  # fmt: skip
        try:
            status, answer = await post(url, body, headers, self._timeout_s)
        except CallFailed as failed:
            raise ProviderTrouble(str(failed)) from None
        if not 200 <= status < 300:
            raise ProviderTrouble(f"the POS server answered {status}")
        return answer


def _is_address(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= 2000
        and value.isprintable()
        and value.startswith(("https://", "http://"))
    )


def provider_of(settings: PaymentSettings | None, secret: str, clock_s: Callable[[], float]) -> Provider | None:
    """The one of the settings; None: nothing is paid on the terminal."""
    if settings is None:
        return None
    return Simulated() if settings.provider == "simulated" else PosServer(settings, secret, clock_s)
