"""One simulated member's terminal: signs in, keeps coupons, answers for itself and with consent only, all over the real wire."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal

import websockets

from contract import topics
from contract.envelope import Message, decode, encode, source_of
from contract.errors import ContractError
from contract.messages import BY_NAME
from contract.payloads import (
    CouponKept,
    MemberCoupon,
    Payload,
    Reading,
    SensingAnswer,
    SensingRequest,
    TerminalPresence,
)
from firmware_sim.phones_http import Answer, HttpFailed, Site

__all__ = ["FIELDS", "Phone", "PhoneError"]

Json = dict[str, Any]
RETRY_S = (0.2, 5.0)
FRAME_MAX_BYTES = 70_000
FIELDS: dict[Reading, str] = {
    Reading.POSITION: "position",
    Reading.SPEED: "speed_m_s",
    Reading.ACCELERATION: "acceleration_m_s2",
    Reading.BODY_TEMPERATURE: "body_temperature_c",
    Reading.BLOOD_PRESSURE: "blood_pressure",
    Reading.HEART_RATE: "heart_rate_per_min",
    Reading.AMBIENT_TEMPERATURE: "ambient_temperature_c",
    Reading.HUMIDITY: "humidity_percent",
    Reading.AIR_PRESSURE: "air_pressure_hpa",
}
"""Where a reading stands in `contract.payloads.Readings`."""


class PhoneError(Exception):
    """What this phone can't do now; the text is a sentence."""


class Phone:
    """`tell(event)` hears what happens. `readings` is what its sensors measure now, as in `Readings`; never told or logged."""

    def __init__(self, name: str, site: Site, tell: Callable[[Json], None], rng: Random) -> None:
        self.name, self.site, self._tell, self._rng = name, site, tell, rng
        self.session, self.customer, self.store, self.code = "", "", "", ""
        self.consents: set[str] = set()
        self.wordings: dict[str, str] = {}
        self.readings: Json = {}
        self.answer_after_s = 0.0
        self.coupons: dict[str, MemberCoupon] = {}
        self.counters: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._socket: websockets.ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    # --- over HTTP

    async def register(self, form: Json, consents: list[str]) -> None:
        """Become a new member with these consents. Raises PhoneError."""
        about = await self._ask("GET", "about")
        self.wordings = {each["purpose"]: each["wording"] for each in about.body["purposes"]}
        agreed = {purpose: self.wordings.get(purpose, "") for purpose in consents}
        made = await self._ask("POST", "register", {**form, "consents": agreed})
        await self.sign_in(made.cookies["instore_member"])

    async def sign_in(self, session: str) -> None:
        """Use a session. Raises PhoneError."""
        before, self.session = self.session, session
        try:
            self._is(await self._ask("GET", "me"))
        except PhoneError:
            self.session = before
            raise

    async def consent(self, purpose: str, given: bool) -> None:
        """Give or withdraw consent to one purpose. Raises PhoneError."""
        choice = {"purpose": purpose, "given": given, "wording": self.wordings.get(purpose)}
        self._is(await self._ask("POST", "consents", choice))

    async def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        try:
            answer = await self.site.ask(method, path, body, {"instore_member": self.session} if self.session else {})
        except HttpFailed as error:
            raise PhoneError(str(error)) from None
        if answer.status >= 400:
            raise PhoneError(f"{self.name}: {path} was answered with {answer.status}: {json.dumps(answer.body)[:500]}")
        return answer

    def _is(self, me: Answer) -> None:
        self.customer, self.store = me.body["customer"], me.body["store"]["id"]
        self.code = me.body["code"]["text"]
        self.consents = {purpose for purpose, given in me.body["consents"].items() if given}
        self.wordings = {each["purpose"]: each["wording"] for each in me.body["purposes"]}

    # --- the connection

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def on(self) -> None:
        """Connect, and stay connected."""
        if not self.session:
            raise PhoneError(f"{self.name}: not signed in; register or sign_in first")
        if self._task is None:
            self._task = asyncio.create_task(self._stay(), name=f"phone {self.name}")

    async def off(self) -> None:
        """As in airplane mode: the connection ends and does not come back. Coupons stay."""
        tasks = [*self._answering, *([self._task] if self._task else [])]
        self._task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stay(self) -> None:
        pause_s = RETRY_S[0]
        while True:
            with suppress(OSError, TimeoutError, websockets.WebSocketException):
                headers = {"Origin": self.site.origin, "Cookie": f"instore_member={self.session}"}
                async with websockets.connect(
                    self.site.websocket, additional_headers=headers, max_size=FRAME_MAX_BYTES, compression=None
                ) as socket:
                    pause_s, self._socket = RETRY_S[0], socket
                    self._say_that("connected")
                    try:
                        async for frame in socket:
                            self._hear(frame)
                    finally:
                        self._socket = None
                        self._say_that("disconnected", close_code=socket.close_code)
            self.counters["retries"] += 1
            await asyncio.sleep(pause_s * (0.5 + self._rng.random()))
            pause_s = min(pause_s * 2, RETRY_S[1])

    def _say_that(self, event: str, **more: Any) -> None:
        self.counters[event] += 1
        self._tell({"event": event, "phone": self.name, "customer": self.customer, **more})

    async def raw(self, frame: str) -> None:
        """Send a frame as it is: for a tester who breaks the rules. Raises PhoneError."""
        if self._socket is None:
            raise PhoneError(f"{self.name}: not connected")
        try:
            await self._socket.send(frame)
        except websockets.WebSocketException as error:
            raise PhoneError(f"{self.name}: {error}") from None

    async def say(self, name: str, data: Payload, cause: str | None = None, *, readings: Json | None = None) -> None:
        """Send a message of the contract. Raises PhoneError.

        `readings` go as they are: a broken sensor measures what no range allows, and the hub has to refuse it.
        """
        channel, ids = BY_NAME[name], {"customer": self.customer}
        number = f"phone-{self.customer}.{self._rng.getrandbits(40):x}.{next(self._numbers)}"
        message = Message(channel, ids, data, number, source_of(channel, ids), datetime.now(UTC), cause=cause)
        body = json.loads(encode(message))
        if readings is not None:
            body["data"]["readings"] = readings
        await self.raw(json.dumps({"topic": topics.topic(channel, self.store, **ids), "message": body}))

    async def presence(self, event: str) -> None:
        """Say that the terminal came into (`arrived`), or `left`, the store's circle. Raises PhoneError."""
        if "position" not in self.consents:
            raise PhoneError(f"{self.name}: no consent to position: nothing is said")
        data = TerminalPresence.model_validate({"customer": self.customer, "event": event, "at": datetime.now(UTC)})
        await self.say("terminal_presence", data)

    # --- what the hub says

    def _hear(self, frame: str | bytes) -> None:
        try:
            read = json.loads(frame)
            if "refused" in read:
                self._say_that("refused", reason=read["refused"])
                return
            message = decode(read["topic"], json.dumps(read["message"]).encode())
        except (ValueError, KeyError, TypeError, ContractError):
            self.counters["broken"] += 1
            return
        data = message.data
        if not isinstance(data, MemberCoupon | SensingRequest):
            self.counters["broken"] += 1
        elif data.customer != self.customer or message.ids["customer"] != self.customer:
            self._say_that("not_mine", id=message.id)  # a terminal acts on its own ID only
        else:
            work = self._keep(data) if isinstance(data, MemberCoupon) else self._answer(data, message.id)
            task = asyncio.create_task(work, name=f"phone {self.name} answers")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _keep(self, coupon: MemberCoupon) -> None:
        known = self.coupons.get(coupon.coupon)
        if known is None or coupon.revision > known.revision:
            self.coupons[coupon.coupon] = coupon
            self._say_that(
                "coupon", coupon=coupon.coupon, state=coupon.state, code=coupon.code, revision=coupon.revision
            )
        data = CouponKept(coupon=coupon.coupon, customer=self.customer, revision=coupon.revision)
        with suppress(PhoneError):
            await self.say("coupon_kept", data)

    async def _answer(self, request: SensingRequest, cause: str) -> None:
        self._say_that("asked", request=request.request, readings=[str(name) for name in request.readings])
        await asyncio.sleep(self.answer_after_s)
        fields = {FIELDS[name] for name in request.readings}
        found = {name: value for name, value in self.readings.items() if name in fields}
        refused: Literal["no_consent", "no_sensors"] | None = None
        if "sensing" not in self.consents:
            refused, found = "no_consent", {}
        elif not found:
            refused = "no_sensors"
        answer = SensingAnswer(
            request=request.request, customer=self.customer, refused=refused, measured=datetime.now(UTC)
        )
        with suppress(PhoneError):
            await self.say("sensing_answer", answer, cause, readings=found)
            self._say_that("answered", request=request.request, readings=sorted(found), refused=refused)
