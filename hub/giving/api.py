"""What a member's terminal asks for about coupons, and the link in a letter.

Under /member/api (session and `Origin` as in `hub.members`; errors as there, with `kind`):

    POST   coupons/claim   {"code": what was read from a lane's display, or typed}: {"coupon", "state": kept or already_kept,
                           "ja", "en"}. 404 unknown, 409 not_yours, used, expired, released
    GET    push            {"key": for `applicationServerKey`, "wording", "title", "text", "agreed", "subscribed"}; 404 without [push]
    POST   push            {"endpoint", "keys": {"p256dh", "auth"}, "language"?, "wording"?: the text that she agrees to by this}:
                           this terminal takes notifications. 201; 409 no_consent, 422 endpoint, keys
    DELETE push            {"endpoint"?}: not any more. 204

    GET    /member/unsubscribe/{secret}   a page with a button; looking at it changes nothing (mail programs look at links)
    POST   /member/unsubscribe/{secret}   no more letters with coupons (RFC 8058); without a session, from a mail program too
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from html import escape
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from fastapi import FastAPI, Request, Response
from starlette.responses import HTMLResponse, JSONResponse

from config.giving_settings import PushSettings
from config.words import Words
from delivery.node import Node
from hub.core import Hub
from hub.database import consents, givings, push_subscriptions, times
from hub.database.consents import Purpose
from hub.database.push_subscriptions import Subscription
from hub.giving.claiming import KEPT, KEPT_ALREADY, Claiming, ClaimRefused, coupon_of
from hub.giving.push_encryption import public_key
from hub.giving.push_endpoint import EndpointRefused, Wire, checked
from hub.giving.vapid import from_base64url, public_text
from hub.members import secrets
from hub.members.api import MemberApi
from hub.members.desk import Desk

Answer = Callable[[Request], Awaitable[Response]]
_SECRET = re.compile(r"[0-9a-f]{32}")


class Problem(Exception):
    """What can't be done, for the person at the terminal."""

    def __init__(self, status: int, kind: str, ja: str, en: str, field: str = "") -> None:
        super().__init__(en)
        self.status, self.said = status, {"field": field, "kind": kind, "ja": ja, "en": en}


def attach(app: FastAPI, hub: Hub, node: Node, members: MemberApi, desk: Desk, key: EllipticCurvePrivateKey | None = None,
           wire: Wire | None = None) -> None:  # fmt: skip
    """Adds the routes; `key` is the store's of [push]."""
    claims = _Claims(hub, node, members)
    routes: list[tuple[str, str, Answer]] = [("POST", "/coupons/claim", claims.claim)]
    if hub.settings.push is not None and key is not None:
        push = _Push(hub, node, members, desk, hub.settings.push, key, wire or Wire())
        routes += [("GET", "/push", push.look), ("POST", "/push", push.put), ("DELETE", "/push", push.remove)]
    for method, path, answer in routes:
        guarded = members.guarded(_told(answer), method)
        app.add_api_route(f"/member/api{path}", guarded, methods=[method], include_in_schema=False)
    letters = _Letters(hub, node)
    for method, act in (("GET", letters.ask), ("POST", letters.stop)):
        app.add_api_route(
            "/member/unsubscribe/{secret}", act, methods=[method], include_in_schema=False, response_model=None
        )


def _told(answer: Answer) -> Answer:
    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except Problem as problem:
            return JSONResponse({"errors": [problem.said]}, problem.status)

    return told


class _Claims:
    """Codes that a terminal has read."""

    def __init__(self, hub: Hub, node: Node, members: MemberApi) -> None:
        self._claiming, self._node, self._members = Claiming(hub.giving, hub.counters), node, members

    async def claim(self, request: Request) -> Response:
        customer, said = self._members.who(request), (await self._members.body(request)).get("code")
        code = said[:200] if isinstance(said, str) else ""
        try:
            with self._node.transaction() as tx:
                state = self._claiming.claim(tx, customer, code)
        except ClaimRefused as refused:
            raise Problem(refused.status, refused.kind, refused.words.ja, refused.words.en, "code") from None
        words = KEPT if state == "kept" else KEPT_ALREADY
        return JSONResponse({"coupon": coupon_of(code), "state": state, **words.model_dump()})


class _Push:
    """Subscriptions of terminals."""

    def __init__(self, hub: Hub, node: Node, members: MemberApi, desk: Desk, settings: PushSettings,
                 key: EllipticCurvePrivateKey, wire: Wire) -> None:  # fmt: skip
        self._hub, self._node, self._members, self._desk = hub, node, members, desk
        self._settings, self._key, self._wire = settings, public_text(key), wire

    async def look(self, request: Request) -> Response:
        customer, text, db = self._members.who(request), self._desk.wordings.push, self._node.engine.journal.db
        return JSONResponse({
            "key": self._key, "wording": text.id, "title": text.title.model_dump(), "text": text.text.model_dump(),
            "agreed": consents.in_force(db, customer, Purpose.PUSH) is not None,
            "subscribed": push_subscriptions.has(db, _session(request)),
        })  # fmt: skip

    async def put(self, request: Request) -> Response:
        customer, form = self._members.who(request), await self._members.body(request)
        endpoint, language, wording = form.get("endpoint"), form.get("language"), form.get("wording")
        p256dh, auth = _keys(form.get("keys"))
        try:
            checked(endpoint if isinstance(endpoint, str) else "", self._settings.services, self._wire.ports)
        except EndpointRefused as refused:
            self._hub.counters["push_endpoints_refused"] += 1
            raise Problem(422, "endpoint", "このブラウザの通知サービスには対応していません。",
                          f"The notification service of this browser can't be used: {refused}.", "endpoint") from None  # fmt: skip
        with self._node.transaction() as tx:
            if wording is not None:
                self._desk.consent(tx, customer, Purpose.PUSH.value, True, wording)
            if consents.in_force(tx.db, customer, Purpose.PUSH) is None:
                raise Problem(409, "no_consent", "先に、設定で「クーポンの通知」に同意してください。",
                              "Please agree to coupons as notifications first, under Settings.")  # fmt: skip
            spoken = language if language in ("ja", "en") else ""
            push_subscriptions.put(tx.db, Subscription(str(endpoint), _session(request), customer, p256dh, auth,
                                                       times.text(tx.utc), spoken))  # fmt: skip
        self._hub.counters["push_subscriptions"] += 1
        return JSONResponse({"subscribed": True}, 201)

    async def remove(self, request: Request) -> Response:
        customer, form = self._members.who(request), await self._members.body(request)
        endpoint = form.get("endpoint")
        with self._node.transaction() as tx:
            if isinstance(endpoint, str):
                push_subscriptions.remove(tx.db, endpoint, customer)
            else:
                push_subscriptions.remove_of(tx.db, _session(request))
        return Response(status_code=204)


def _session(request: Request) -> str:
    return secrets.hash_of(request.cookies.get(secrets.COOKIE, ""))


def _keys(keys: Any) -> tuple[str, str]:
    """The browser's key and secret, checked. Raises Problem."""
    fits = False
    p256dh = auth = ""
    with suppress(KeyError, TypeError, ValueError):
        p256dh, auth = str(keys["p256dh"])[:200], str(keys["auth"])[:100]
        public_key(from_base64url(p256dh))
        fits = len(from_base64url(auth)) == 16
    if not fits:
        raise Problem(
            422, "keys", "通知を登録できませんでした。", "The keys of this subscription can't be used.", "keys"
        )
    return p256dh, auth


_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title></head>
<body style="font-family:sans-serif;max-width:32em;margin:2em auto;padding:0 1em"><h1 style="font-size:1.3em">{title}</h1>
{rest}</body></html>"""
_FORM = '<form method="post"><button style="font-size:1.1em;padding:.5em 1em">{button}</button></form>'
_TITLE = Words(ja="クーポンのメール配信", en="Coupons by e-mail")
_STOP = Words(ja="配信を停止する", en="Send me no more of them")
_DONE = Words(ja="配信を停止しました。", en="No more coupons will be sent to you by e-mail.")
_OVER = Words(
    ja="このリンクは無効です。会員ページの設定から停止できます。",
    en="This link is not valid any more. You can end it under Settings of your page.",
)


class _Letters:
    """The link in a letter: whoever has the letter may end the letters. It says and opens nothing else."""

    def __init__(self, hub: Hub, node: Node) -> None:
        self._hub, self._node = hub, node

    async def ask(self, secret: str, request: Request) -> Response:
        language = _language(request)
        if self._customer(secret) is None:
            return _page(language, f"<p>{escape(getattr(_OVER, language))}</p>", 404)
        return _page(language, _FORM.format(button=escape(getattr(_STOP, language))))

    async def stop(self, secret: str, request: Request) -> Response:
        language, customer = _language(request), self._customer(secret)
        if customer is None:
            return _page(language, f"<p>{escape(getattr(_OVER, language))}</p>", 404)
        with self._node.transaction() as tx:
            if consents.withdraw(tx.db, customer, Purpose.EMAIL, times.text(tx.utc)):
                tx.after_commit(self._count)
        return _page(language, f"<p>{escape(getattr(_DONE, language))}</p>")

    def _customer(self, secret: str) -> str | None:
        found = givings.by_secret(self._node.engine.journal.db, secret) if _SECRET.fullmatch(secret) else None
        return found.customer if found is not None and found.way == "email" else None

    def _count(self) -> None:
        self._hub.counters["letters_unsubscribed"] += 1


def _language(request: Request) -> str:
    first = request.headers.get("accept-language", "").strip().lower()
    return "ja" if first.startswith("ja") or not first else "en"


def _page(language: str, rest: str, status: int = 200) -> HTMLResponse:
    page = _PAGE.format(language=language, title=escape(getattr(_TITLE, language)), rest=rest)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
               "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"}  # fmt: skip
    return HTMLResponse(page, status, headers)
