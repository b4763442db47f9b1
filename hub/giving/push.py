"""The way by web push: a notification on every browser of hers that takes them, also while the page is closed (RFC 8030)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from config.giving_settings import PushSettings
from config.words import Words
from delivery.node import Node
from hub.database import push_subscriptions
from hub.database.consents import Purpose
from hub.database.push_subscriptions import Subscription
from hub.giving.push_encryption import encrypted
from hub.giving.push_endpoint import EndpointRefused, PushTrouble, Wire, checked
from hub.giving.vapid import authorization, from_base64url
from hub.giving.ways import Later, Never, Parcel, Result, Sent

BLOCK = 256
"""Texts are filled up to multiples of so many bytes."""
GONE = (404, 410)
_TITLE = {"ja": "{store}からクーポンが届きました", "en": "{store}: a coupon for you"}
_BODY = {"ja": "「{title}」 {text}", "en": "{title}. {text}"}


class PushWay:
    """Sends to all subscriptions of a customer; one that takes it is enough."""

    name = "push"
    purpose = Purpose.PUSH

    def __init__(self, settings: PushSettings, key: EllipticCurvePrivateKey, store: Words, node: Node, counters: Counter[str],
                 wire: Wire | None = None) -> None:  # fmt: skip
        self._settings, self._key, self._store, self._node = settings, key, store, node
        self._counters, self._wire = counters, wire or Wire()
        self._utc: Callable[[], float] = lambda: node.engine.clock.utc().timestamp()

    async def bring(self, parcel: Parcel) -> Result:
        found = push_subscriptions.of(self._node.engine.journal.db, parcel.customer)
        if not found:
            return Never("no terminal of hers takes notifications")
        results = await asyncio.gather(*(self._push(each, parcel) for each in found))
        for kind in (Sent, Later):
            for result in results:
                if isinstance(result, kind):
                    return result
        return results[0]

    async def _push(self, to: Subscription, parcel: Parcel) -> Result:
        try:
            parts = checked(to.endpoint, self._settings.services, self._wire.ports)
            body = self._body(to, parcel)
            headers = {
                "Authorization": authorization(self._key, to.endpoint, self._settings.contact, self._utc()),
                "Content-Type": "application/octet-stream",
                "Content-Encoding": "aes128gcm",
                "TTL": str(round(self._settings.ttl_hours * 3600)),
                "Urgency": "normal",
                "Topic": parcel.secret[:32],  # a second try takes the place of the first (RFC 8030, section 5.4)
            }
            answer = await self._wire.post(parts, headers, body, self._settings.timeout_s)
        except EndpointRefused as refused:
            return self._gone(to, f"a push endpoint was refused: {refused}")
        except ValueError:
            return self._gone(to, "a subscription has no key that can be used")
        except PushTrouble as trouble:
            return Later(str(trouble))
        if 200 <= answer.status < 300:
            return Sent("a push service has taken it")
        if answer.status in GONE:
            return self._gone(to, "her terminal takes no notifications any more")
        if answer.status == 429 or answer.status >= 500:
            return Later(f"the push service answered {answer.status}", answer.retry_after_s)
        return Never(f"the push service answered {answer.status}")

    def _body(self, to: Subscription, parcel: Parcel) -> bytes:
        language = to.language or parcel.language
        words = {"store": getattr(self._store, language), "title": getattr(parcel.title, language),
                 "text": getattr(parcel.text, language)}  # fmt: skip
        said = {"title": _TITLE[language].format(**words), "body": _BODY[language].format(**words), "coupon": parcel.coupon,
                "url": "./#coupons"}  # fmt: skip
        return encrypted(json.dumps(said, ensure_ascii=False).encode(), from_base64url(to.p256dh), from_base64url(to.auth),
                         ours=generate_private_key(SECP256R1()), salt=secrets.token_bytes(16), block=BLOCK)  # fmt: skip

    def _gone(self, to: Subscription, why: str) -> Never:
        with self._node.transaction() as tx:
            if push_subscriptions.remove(tx.db, to.endpoint):
                tx.after_commit(self._count_gone)
        return Never(why)

    def _count_gone(self) -> None:
        self._counters["push_subscriptions_gone"] += 1
