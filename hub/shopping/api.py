"""What a member's terminal asks for while she shops, and what the payment provider says.

Under /member/api/cart (session and `Origin` as in `hub.members`; `command` is an ID that the terminal makes, the same when it
sends again). Answers are `{"cart": contract.payloads.Cart or null, …}`; what can't be done is 404, 409 or 422 with
`{"errors": [{"field", "kind", "ja", "en"}], "cart": her list as it is}`:

    GET  cart              her newest list; `pay`: simulated, pos, or null when nothing is paid on the terminal;
                           `currency`: ISO 4217
    POST cart/add          {"command", "product": code as read or typed, "quantity": 1, "cart"?}
    POST cart/quantity     {"command", "product", "quantity" (0: out), "cart"?}
    POST cart/remove       {"command", "product", "cart"?}
    POST cart/cancel       {"command", "cart"?}: the whole transaction
    POST cart/pay          {"command", "cart", "revision" that she sees}; `open`: where the terminal goes on, or null
    POST cart/pay/cancel   {"payment"}: back to the list
    POST cart/pay/simulate {"payment", "outcome": paid, failed}: with the simulated provider only
    GET  cart/device       the list's short code for a settlement device: `code`, and `text` with its picture `svg`; `promise`:
                           what the exit will bring if it is paid there
    GET  cart/exit         the exit code of what was paid last: `text` with its picture `svg`; `digits` that stand for it, and
                           `bars`, their Code 128; `expires`, `left_s`, and `again_s`: when to ask for the next one

    POST /api/v1/payments/{payment}   of the provider, signed (`hub.shopping.signing`): {"outcome": paid, failed, cancelled;
                           "amount_minor", "currency", "tenders"?}. 200: taken; else `{"error", "kind", "give_back"}`
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal, NoReturn

import structlog
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import JSONResponse

from contract import payloads
from delivery.engine import Tx
from delivery.node import Node
from hub.core import Hub
from hub.database import payments as payment_table
from hub.database import times
from hub.database.payments import PaymentRow
from hub.members.api import Answer, MemberApi
from hub.members.bars import code128_svg
from hub.members.picture import qr_svg
from hub.sale_shapes import Minor, Tender
from hub.shopping.cart import CartRefused
from hub.shopping.carts import Command
from hub.shopping.noting import noted
from hub.shopping.payments import PaymentRefused
from hub.shopping.providers import Begun, Order, Provider, ProviderTrouble, provider_of
from hub.shopping.settlement import PREFIX
from hub.shopping.signing import CallRefused, checked

log = structlog.get_logger()

CALL_MAX_BYTES = 16 * 1024
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class PaymentCall(BaseModel):
    """What became of a payment; the amount is needed when it is paid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["paid", "failed", "cancelled"]
    amount_minor: Minor | None = None
    currency: Annotated[str, Field(max_length=3)] = ""
    tenders: Annotated[list[Tender], Field(max_length=20)] = []


_CALL: TypeAdapter[PaymentCall] = TypeAdapter(PaymentCall)


def attach(app: FastAPI, hub: Hub, node: Node, members: MemberApi, *, payment_secret: str = "") -> None:
    """Adds the routes."""
    settings = hub.settings.shopping.payment
    provider = provider_of(settings, payment_secret, lambda: node.engine.clock.utc().timestamp())
    mine = CartApi(hub, node, members, provider)
    for method, path, answer in mine.routes():
        guarded = members.guarded(mine.told(answer), method)
        app.add_api_route(f"/member/api/cart{path}", guarded, methods=[method], include_in_schema=False)
    if provider is not None:
        calls = PaymentCalls(hub, node, payment_secret)
        app.add_api_route("/api/v1/payments/{payment}", calls.take, methods=["POST"], tags=["payments"],
                          response_model=None)  # fmt: skip


class CartApi:
    """The terminal's side."""

    def __init__(self, hub: Hub, node: Node, members: MemberApi, provider: Provider | None) -> None:
        self._hub, self._node, self._members, self._provider = hub, node, members, provider

    def routes(self) -> Iterator[tuple[str, str, Answer]]:
        """(method, path, answer)"""
        yield "GET", "", self._look
        for path, what in (("/add", "add"), ("/quantity", "quantity"), ("/remove", "remove"), ("/cancel", "cancel")):
            yield "POST", path, self._command(what)
        yield "POST", "/pay", self._pay
        yield "POST", "/pay/cancel", self._pay_cancel
        yield "GET", "/device", self._device
        yield "GET", "/exit", self._exit
        if self._provider is not None and self._provider.name == "simulated":
            yield "POST", "/pay/simulate", self._simulate

    def told(self, answer: Answer) -> Answer:
        """With what can't be done as an answer, and her list beside it."""

        async def guarded(request: Request) -> Response:
            try:
                return await answer(request)
            except CartRefused as refused:
                customer = self._members.who(request)
                with self._node.transaction() as tx:
                    cart = self._hub.carts.state(tx, customer)
                    noted(
                        tx,
                        self._hub.settings.store.zone,
                        customer,
                        "cart_refused",
                        f"{refused.kind}: {refused.words.en}",
                    )
                self._hub.counters[f"cart_refused_{refused.kind}"] += 1
                problem = {"field": refused.field, "kind": refused.kind, **refused.words.model_dump()}
                return JSONResponse({"errors": [problem], "cart": _json(cart)}, refused.status)

        return guarded

    # --- her list

    async def _look(self, request: Request) -> Response:
        customer = self._members.who(request)
        with self._node.transaction() as tx:
            return self._shown(self._hub.carts.state(tx, customer))

    def _command(self, what: str) -> Answer:
        async def answer(request: Request) -> Response:
            customer, form = self._members.who(request), await self._members.body(request)
            cart = _id(form, "cart") if form.get("cart") is not None else None
            command = Command(_id(form, "command"), "cancel", cart, "", 0)
            if what != "cancel":
                quantity = 0 if what == "remove" else _whole(form, "quantity", 1 if what == "add" else None)
                kind: Literal["add", "quantity"] = "add" if what == "add" else "quantity"
                command = replace(command, what=kind, product=_text(form, "product"), quantity=quantity)
            with self._node.transaction() as tx:
                return self._shown(self._hub.carts.take(tx, customer, command))

        return answer

    def _shown(self, cart: payloads.Cart | None, **more: Any) -> Response:
        name = self._provider.name if self._provider is not None else None
        currency = self._hub.settings.store.currency
        return JSONResponse({"cart": _json(cart), "pay": name, "currency": currency, **more})

    async def _device(self, request: Request) -> Response:
        customer = self._members.who(request)
        with self._node.transaction() as tx:
            code = self._hub.settlement.code(tx, customer)
            cart = self._hub.carts.newest(tx, customer)
            promise = self._hub.carts.promise(tx, cart, "settlement") if cart is not None else None
        return JSONResponse({"code": f"{code[:4]} {code[4:]}", "text": PREFIX + code, "svg": qr_svg(PREFIX + code),
                             "promise": promise.model_dump(mode="json") if promise is not None else None})  # fmt: skip

    # --- payment

    async def _pay(self, request: Request) -> Response:
        customer, form = self._members.who(request), await self._members.body(request)
        command, cart, revision = _id(form, "command"), _id(form, "cart"), _whole(form, "revision", None)
        with self._node.transaction() as tx:
            row = self._hub.payments.begin(tx, customer, command, cart, revision)
        begun = await self._begun(row)
        with self._node.transaction() as tx:
            state = self._hub.carts.state(tx, customer)
        return self._shown(state, payment=row.payment, open=begun.open)

    async def _begun(self, row: PaymentRow) -> Begun:
        assert self._provider is not None
        post = json.loads(row.post)
        order = Order(row.payment, self._hub.settings.store.id, row.amount_minor, post["currency"], row.expires,
                      tuple(post["lines"]))  # fmt: skip
        try:
            return await self._provider.begin(order)
        except ProviderTrouble as trouble:
            log.warning("a payment could not begin", provider=self._provider.name, why=str(trouble))
            with self._node.transaction() as tx:
                if self._hub.payments.fail(tx, row.payment).state == "confirmed":  # it came through all the same
                    return Begun()
            raise CartRefused(
                "provider",
                "ただいまお支払いを開始できません。もう一度お試しいただくか、レジでお会計ください。",
                "Payment can't begin now. Please try again, or pay at the till.",
                status=502,
            ) from None

    async def _pay_cancel(self, request: Request) -> Response:
        customer, form = self._members.who(request), await self._members.body(request)
        payment = _id(form, "payment")
        with self._node.transaction() as tx:
            stopped = self._hub.payments.cancel(tx, customer, payment)
            state = self._hub.carts.state(tx, customer)
        if stopped and self._provider is not None:
            try:
                await self._provider.cancel(payment)
            except ProviderTrouble as trouble:  # a confirmation all the same is refused
                log.warning("a payment's end could not be told", provider=self._provider.name, why=str(trouble))
        return self._shown(state)

    async def _simulate(self, request: Request) -> Response:
        customer, form = self._members.who(request), await self._members.body(request)
        payment, paid = _id(form, "payment"), form.get("outcome") == "paid"
        with self._node.transaction() as tx:
            state = self._hub.carts.state(tx, customer)
            row = payment_table.payment(tx.db, payment)
            if row is None or state is None or state.payment != payment:
                raise CartRefused("not_paying", "お支払いは終了しています。", "This payment is over.", field="payment")
            try:
                if paid:  # the simulated provider says so by this button
                    self._hub.payments.confirm(tx, payment, row.amount_minor, self._hub.settings.store.currency)
                else:
                    self._hub.payments.fail(tx, payment)
            except PaymentRefused:
                raise CartRefused("not_paying", "お支払いは終了しています。", "This payment is over.", field="payment") from None  # fmt: skip
            return self._shown(self._hub.carts.state(tx, customer))

    # --- the exit

    async def _exit(self, request: Request) -> Response:
        customer = self._members.who(request)
        with self._node.transaction() as tx:
            cart = self._hub.carts.state(tx, customer)
            if cart is None or cart.sale is None:
                raise CartRefused("not_paid", "お支払いがまだ終わっていません。", "Nothing is paid yet.", status=404)
            if cart.exit_code != "ready":
                return self._shown(cart, exit=None)
            lifetime_s = self._hub.settings.shopping.exit_code_s
            code, text = self._hub.purchases.exit_code(tx, cart.sale, lifetime_s)
            again = times.time(code.expires) - timedelta(seconds=lifetime_s / 2) - tx.utc
            digits = self._hub.exit_numbers.of(tx, code)
            left_s = max(0.0, (times.time(code.expires) - tx.utc).total_seconds())
        return self._shown(cart, exit={
            "text": text, "svg": qr_svg(text), "digits": digits, "bars": code128_svg(digits), "expires": code.expires,
            "left_s": left_s, "again_s": max(1.0, again.total_seconds()),
        })  # fmt: skip


class PaymentCalls:
    """The provider's side."""

    def __init__(self, hub: Hub, node: Node, secret: str) -> None:
        self._hub, self._node, self._secret = hub, node, secret

    async def take(self, payment: str, request: Request) -> Response:
        """What became of a payment. A call that is refused has no effect at all."""
        body = await request.body()
        try:
            with self._refusals():
                nonce = self._nonce(request, body)
                with self._node.transaction() as tx:
                    row = self._taken(tx, payment, nonce, body)
        except PaymentRefused as refused:
            self._hub.counters[f"payment_calls_{refused.kind}"] += 1
            log.warning("a payment call was refused", payment=payment[:64], kind=refused.kind, why=str(refused))
            with suppress(sqlite3.Error), self._node.transaction() as tx:  # refused it is all the same
                said = f"a payment call was refused, {refused.kind}: {refused}"
                self._hub.payments.note(tx, payment, "payment_refused", said)
            answer = {"error": str(refused), "kind": refused.kind, "give_back": refused.give_back}
            return JSONResponse(answer, refused.status)
        return JSONResponse({"payment": row.payment, "state": row.state, "sale": row.sale})

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except CallRefused as refused:
            raise PaymentRefused(refused.kind, str(refused), 401, give_back=False) from None

    def _nonce(self, request: Request, body: bytes) -> str:
        if len(body) > CALL_MAX_BYTES:
            raise PaymentRefused("too_large", f"at most {CALL_MAX_BYTES} bytes", 413, give_back=False)
        settings = self._hub.settings.shopping.payment
        assert settings is not None
        now_s = self._node.engine.clock.utc().timestamp()
        return checked(self._secret, request.method, request.url.path, body, request.headers, now_s=now_s, skew_s=settings.skew_s)  # fmt: skip

    def _taken(self, tx: Tx, payment: str, nonce: str, body: bytes) -> PaymentRow:
        if not payment_table.take_call(tx.db, nonce, times.text(tx.utc)):
            raise PaymentRefused("replayed", "this call was taken before; sign the next one anew", give_back=False)
        try:
            call = _CALL.validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise PaymentRefused("malformed", f"{where}: {first['msg']}", 422, give_back=False) from None
        if call.outcome != "paid":
            row = self._hub.payments.fail(tx, payment, call.outcome)
            if row.state == "confirmed":
                said = f"payment {payment} is sale {row.sale} already; void that sale"
                raise PaymentRefused("paid", said, give_back=False)
            return row
        if call.amount_minor is None:
            raise PaymentRefused("malformed", "amount_minor: is missing", 422, give_back=False)
        return self._hub.payments.confirm(tx, payment, call.amount_minor, call.currency, call.tenders)


# --- fields of what a terminal sends


def _json(cart: payloads.Cart | None) -> Any:
    return None if cart is None else cart.model_dump(mode="json")


def _text(form: dict[str, Any], field: str) -> str:
    value = form.get(field)
    if not isinstance(value, str) or len(value) > 2000:
        _wrong(field)
    return value


def _id(form: dict[str, Any], field: str) -> str:
    value = form.get(field)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        _wrong(field)
    return value


def _whole(form: dict[str, Any], field: str, default: int | None) -> int:
    value = form.get(field, default)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**53:
        _wrong(field)
    return value


def _wrong(field: str) -> NoReturn:
    raise CartRefused(
        "malformed", "送信内容を読み取れませんでした。", f"{field} can't be read.", status=422, field=field
    )


__all__ = ["CartApi", "PaymentCall", "PaymentCalls", "attach"]
