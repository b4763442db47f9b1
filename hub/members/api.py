"""/member/api as routes; what they take and answer stands in `hub.members`. Runs in the hub's loop: no thread touches SQLite."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from config.words import Words
from delivery.node import Node
from hub.members import secrets
from hub.members.allowance import Allowance
from hub.members.claims import Begun, State
from hub.members.desk import Desk, Refused
from hub.members.fields import Problem, email_of, phone_of
from hub.members.mail import Mailer
from hub.members.picture import qr_svg

BODY_MAX_BYTES = 8 * 1024
_DAY_S = 86_400
_QUIET = {"Cache-Control": "no-store"}

Answer = Callable[[Request], Awaitable[Response]]


class Stop(Exception):
    """An answer that ends the request: status and problem."""

    def __init__(self, status: int, ja: str, en: str) -> None:
        super().__init__(en)
        self.status, self.problem = status, Problem("", Words(ja=ja, en=en))


def same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from our own page: browsers say its origin, and no page can say another."""
    return bool(origin) and bool(host) and urlsplit(origin).netloc == host


class MemberApi:
    """`dropped(session)` hears of a terminal that was signed out."""

    def __init__(
        self, desk: Desk, node: Node, mailer: Mailer, per_minute: float, dropped: Callable[[str], None]
    ) -> None:
        self._desk, self._node, self._mailer, self._dropped = desk, node, mailer, dropped
        self._minutes = desk.claims.minutes
        self._arriving = Allowance(max(per_minute, 1.0), per_minute / 60)
        self._trying = Allowance(20, 0.2)
        self._asking = Allowance(60, 5.0)

    def routes(self) -> APIRouter:
        """All of them, under /member/api."""
        made = APIRouter(prefix="/member/api", include_in_schema=False)
        for method, path, answer in (
            ("GET", "/about", self._about),
            ("POST", "/register", self._register),
            ("POST", "/sign-in", self._sign_in),
            ("GET", "/claim", self._claim_state),
            ("POST", "/claim", self._begin_claim),
            ("POST", "/claim/code", self._claim_code),
            ("GET", "/me", self._me),
            ("POST", "/consents", self._consent),
            ("GET", "/qr.svg", self._picture),
            ("POST", "/sign-out", self._sign_out),
        ):
            made.add_api_route(path, self.guarded(answer, method), methods=[method])
        return made

    # --- around every request

    def guarded(self, answer: Answer, method: str) -> Answer:
        """With the origin checked, and with what can't be taken as an answer."""

        async def guarded(request: Request) -> Response:
            try:
                if method != "GET":
                    _check_origin(request)
                response = await answer(request)
            except Stop as stop:
                response = _problems(stop.status, [stop.problem])
            except Refused as refused:
                response = _problems(422, refused.problems)
            response.headers.update(_QUIET)
            return response

        return guarded

    async def body(self, request: Request) -> dict[str, Any]:
        """The JSON object of a request. Raises Stop."""
        read = b""
        async for chunk in request.stream():
            read += chunk
            if len(read) > BODY_MAX_BYTES:
                raise Stop(413, "送信内容が大きすぎます。", "What was sent is too large.")
        try:
            found = json.loads(read)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not request.headers.get("content-type", "").startswith("application/json"):
            raise Stop(400, "送信内容を読み取れませんでした。", "What was sent could not be read.")
        return found

    def _slowly(self, allowance: Allowance, key: str) -> None:
        if not allowance.may(key, self._node.engine.clock.monotonic()):
            raise Stop(
                429,
                "ただいま混み合っています。しばらくしてからお試しください。",
                "Too many at once. Please try again in a while.",
            )

    def who(self, request: Request) -> str:
        """The signed-in customer. Raises Stop."""
        session = request.cookies.get(secrets.COOKIE, "")
        with self._node.transaction() as tx:
            customer = self._desk.signed_in(tx, session)
        if customer is None:
            raise Stop(401, "もう一度ご登録またはログインしてください。", "Please register or sign in again.")
        self._slowly(self._asking, customer)
        return customer

    # --- new members and those who come back

    async def _about(self, _request: Request) -> Response:
        return JSONResponse(self._desk.about())

    async def _register(self, request: Request) -> Response:
        form = await self.body(request)
        self._slowly(self._arriving, _address(request))
        with self._node.transaction() as tx:
            self._desk.sign_out(tx, request.cookies.get(secrets.COOKIE, ""))
            made = self._desk.register(tx, form)
        response = self._begun(made.claim, {"customer": made.customer}, 201, request)
        _keep(response, request, secrets.COOKIE, made.session, secrets.SESSION_DAYS * _DAY_S)
        return response

    async def _sign_in(self, request: Request) -> Response:
        form = await self.body(request)
        self._slowly(self._arriving, _address(request))
        email, phone = _mailbox_or_number(form)
        with self._node.transaction() as tx:
            begun = self._desk.sign_in(tx, email, phone)
        return self._begun(begun, {}, 202, request)

    async def _begin_claim(self, request: Request) -> Response:
        customer = self.who(request)
        self._slowly(self._arriving, _address(request))
        with self._node.transaction() as tx:
            begun = self._desk.earlier(tx, customer)
        return self._begun(begun, {}, 202, request)

    def _begun(self, begun: Begun, more: dict[str, Any], status: int, request: Request) -> Response:
        if begun.letter is not None:
            self._mailer.post(begun.letter)
        claim = {"number": begun.number, "minutes": self._minutes}
        response = JSONResponse({**more, "claim": claim}, status)
        _keep(response, request, secrets.CLAIM_COOKIE, begun.secret, self._minutes * 60)
        return response

    async def _claim_code(self, request: Request) -> Response:
        code = secrets.digits((await self.body(request)).get("code"))
        self._slowly(self._trying, _address(request))
        with self._node.transaction() as tx:
            right = self._desk.claims.try_code(tx, request.cookies.get(secrets.CLAIM_COOKIE, ""), code)
        if not right:
            problem = Problem(
                "code", Words(ja="コードが違うか、期限が切れています。", en="The code is wrong, or no longer valid.")
            )
            raise Refused([problem])
        return self._finished(request)

    async def _claim_state(self, request: Request) -> Response:
        with self._node.transaction() as tx:
            state = self._desk.claims.state(tx, request.cookies.get(secrets.CLAIM_COOKIE, ""))
        return self._finished(request) if state is State.CONFIRMED else JSONResponse({"state": state.value})

    def _finished(self, request: Request) -> Response:
        """The terminal belongs to the record now: with a new session, and without what it was before."""
        old = request.cookies.get(secrets.COOKIE, "")
        with self._node.transaction() as tx:
            record = self._desk.claims.finish(tx, request.cookies.get(secrets.CLAIM_COOKIE, ""))
            session = None
            if record is not None:
                self._desk.sign_out(tx, old)
                session = self._desk.open_session(tx, record, proved=True)
        if session is None:
            return JSONResponse({"state": State.NONE.value})
        self._dropped(old)
        response = JSONResponse({"state": State.CONFIRMED.value})
        _keep(response, request, secrets.COOKIE, session, secrets.SESSION_DAYS * _DAY_S)
        _drop(response, secrets.CLAIM_COOKIE)
        return response

    # --- for who is signed in

    async def _me(self, request: Request) -> Response:
        customer = self.who(request)
        with self._node.transaction() as tx:
            me = self._desk.me(tx, customer)
        response = JSONResponse(me)
        # Browsers keep a cookie for so long since it was set: setting it again keeps a terminal that is used signed in.
        _keep(response, request, secrets.COOKIE, request.cookies[secrets.COOKIE], secrets.SESSION_DAYS * _DAY_S)
        return response

    async def _consent(self, request: Request) -> Response:
        customer, choice = self.who(request), await self.body(request)
        with self._node.transaction() as tx:
            self._desk.consent(tx, customer, choice.get("purpose"), choice.get("given"), choice.get("wording"))
            me = self._desk.me(tx, customer)
        return JSONResponse(me)

    async def _picture(self, request: Request) -> Response:
        self.who(request)
        try:
            picture = qr_svg(request.query_params.get("text", ""))
        except ValueError:
            raise Stop(422, "このコードは画像にできません。", "This code can't be made into a picture.") from None
        return Response(picture, media_type="image/svg+xml")

    async def _sign_out(self, request: Request) -> Response:
        session = request.cookies.get(secrets.COOKIE, "")
        with self._node.transaction() as tx:
            self._desk.sign_out(tx, session)
        self._dropped(session)
        response = Response(status_code=204)
        _drop(response, secrets.COOKIE)
        _drop(response, secrets.CLAIM_COOKIE)
        return response


def _check_origin(request: Request) -> None:
    if not same_origin(request.headers.get("origin"), request.headers.get("host")):
        raise Stop(403, "このページからは操作できません。", "Only the store's own page may do this.")


def _mailbox_or_number(form: dict[str, Any]) -> tuple[str, str]:
    """E-mail address and phone number, at least one. Raises Refused."""
    try:
        email, phone = email_of(form.get("email")), phone_of(form.get("phone"))
    except Problem as problem:
        raise Refused([problem]) from None
    if not email and not phone:
        words = Words(
            ja="メールアドレスか電話番号をご入力ください。", en="Please give an e-mail address or a phone number."
        )
        raise Refused([Problem("email", words)])
    return email, phone


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _problems(status: int, problems: list[Problem]) -> Response:
    return JSONResponse({"errors": [{"field": p.field, "ja": p.words.ja, "en": p.words.en} for p in problems]}, status)


def _keep(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/member", httponly=True, samesite="strict",
                        secure=request.url.scheme == "https")  # fmt: skip


def _drop(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/member", httponly=True, samesite="strict")
