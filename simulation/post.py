"""The far ends of e-mail and web push: a mail server and a push service, as bad as they are, and what they took (rows B9, C4).

They are slow, answer nothing, refuse for now or for good, take something and lose the answer. A coupon is brought at least once by a
way that works, always under the same number; nothing is brought to who has not agreed, and not to another's address.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

import aiosmtplib

from hub.database.consents import Purpose
from hub.giving.push_endpoint import Answer, PushTrouble
from simulation import members
from simulation.plan import QUIET_S

if TYPE_CHECKING:
    from simulation.store import Store

Look = Callable[..., list[Any]]
SOON_S = 5.0
PURPOSES = {"email": Purpose.EMAIL, "push": Purpose.PUSH}
WITHDRAWS = 0.15


def unsettled(look: Look) -> Iterator[str]:
    """What is still to be brought."""
    rows = look("SELECT coupon, way, state FROM giving WHERE state = 'pending' OR due IS NOT NULL")
    yield from (f"coupon {coupon} is still to be brought by {way}: {state}" for coupon, way, state in rows)


class Post:
    """Mail server and push service of one store. `up`: whether the world outside can be reached."""

    ports = (443,)

    def __init__(self, store: Store) -> None:
        self._store, self._rng = store, store.plan.rng("post")
        self.up = True
        self.taken: Counter[tuple[str, str]] = Counter()
        """How often a coupon was taken by a way."""
        self.tried: Counter[tuple[str, str]] = Counter()
        self._letters: dict[str, str] = {}
        """Coupon by Message-ID."""
        self._ids: dict[str, str] = {}
        """Message-ID by coupon."""
        self.withdrawn: dict[tuple[str, Purpose], float] = {}
        """Since when the hub has confirmed that she does not agree any more."""

    async def withdrawals(self) -> None:
        """Some take their consent back."""
        store = self._store
        rng, who = store.plan.rng("withdrawals"), sorted(store.members)
        some = [(rng.uniform(0, store.plan.size.seconds), one, rng.choice([*PURPOSES.values()]))
                for one in who if rng.random() < WITHDRAWS]  # fmt: skip
        for at, customer, purpose in sorted(some):
            await asyncio.sleep(max(0.0, at - store.loop.time()))
            while (customer, purpose) not in self.withdrawn:
                try:
                    await store.hub.ask(lambda _, tx, one=customer, of=purpose: store.hub.withdraw(tx, one, of))  # type: ignore[misc]
                except TimeoutError:
                    await asyncio.sleep(1.0)
                else:
                    self.withdrawn[customer, purpose] = store.loop.time()

    # --- the mail server

    async def letter(self, made: EmailMessage, timeout_s: float) -> None:
        """One letter over one connection. Raises what the library would."""
        id, to = str(made["Message-ID"]), made["To"].addresses[0].addr_spec
        coupon = self._letters.get(id) or _coupon(made)
        customer = self._begins(coupon, "email", to)
        if self._letters.setdefault(id, coupon) != coupon or self._ids.setdefault(coupon, id) != id:
            self._breaks("a letter a coupon", f"{coupon} is in letter {id} and in {self._ids[coupon]}")
        mood = await self._mood(timeout_s)
        if mood == "away":
            raise aiosmtplib.SMTPConnectError("the mail server can't be reached")
        if mood == "later":
            raise aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(451, "later", to)])
        if customer and members.mail_is_refused(int(customer[1:])):
            raise aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(550, "nobody", to)])
        self._takes(coupon, "email")
        await self._answers(mood, aiosmtplib.SMTPServerDisconnected("connection lost"))

    # --- the push service

    async def post(self, parts: SplitResult, _headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """One push; in place of `hub.giving.push_endpoint.Wire.post`."""
        said = json.loads(body)
        customer = self._begins(said["coupon"], "push", parts.path.strip("/"))
        mood = await self._mood(timeout_s)
        if mood == "away":
            raise PushTrouble("the push service can't be reached")
        if customer and members.push_is_gone(int(customer[1:])):
            return Answer(410)
        if mood == "later":
            return self._rng.choice([Answer(429, 7.0), Answer(503), Answer(500, 400.0)])
        self._takes(said["coupon"], "push")
        await self._answers(mood, PushTrouble("broke off"))
        return Answer(201)

    # --- both

    def _breaks(self, rule: str, what: str) -> None:
        self._store.truth.breaks(rule, what)

    def _begins(self, coupon: str, way: str, to: str) -> str:
        """A try begins; whose coupon it is, as far as anybody knows."""
        store, purpose = self._store, PURPOSES[way]
        self.tried[coupon, way] += 1
        rows = store.hub.look("SELECT customer, state FROM giving WHERE coupon = ? AND way = ?", coupon, way)
        if not rows:
            self._breaks("mail is for who agreed", f"{coupon} goes by {way} to {to}, and is given to nobody so")
            return ""
        customer = str(rows[0][0])
        own = members.email(int(customer[1:])) if way == "email" else customer
        if to != own:
            self._breaks("to each her own", f"{coupon} of {customer} goes by {way} to {to}")
        since = self.withdrawn.get((customer, purpose), store.loop.time())
        late = store.loop.time() - max(since, store.truth.excused_until("hub")) > SOON_S
        if purpose not in members.mailed(int(customer[1:])) or ((customer, purpose) in self.withdrawn and late):
            self._breaks("mail is for who agreed", f"{coupon} goes by {way} to {customer}, who has not agreed")
        return customer

    async def _mood(self, timeout_s: float) -> str:
        """How it goes this time; when everything is to come to rest, well."""
        rng, store = self._rng, self._store
        await asyncio.sleep(0.05 + 0.4 * rng.random())
        chance = rng.random()
        if not self.up:
            await asyncio.sleep(timeout_s if chance < 0.3 else 0.0)
            return "away"
        if store.loop.time() > store.plan.size.seconds - QUIET_S:
            return "good"
        await asyncio.sleep(40.0 * rng.random() if chance > 0.9 else 0.0)
        return "later" if chance < 0.2 else "loses" if chance < 0.35 else "stalls" if chance < 0.4 else "good"

    async def _answers(self, mood: str, lost: Exception) -> None:
        await asyncio.sleep(0.02 + 0.1 * self._rng.random())
        if mood == "stalls":
            await asyncio.sleep(90.0)
        if mood in ("loses", "stalls"):
            raise lost

    def _takes(self, coupon: str, way: str) -> None:
        store = self._store
        self.taken[coupon, way] += 1
        store.truth.note("post", f"{way} {coupon}")
        store.truth.counts[f"taken by {way}"] += 1
        store.truth.counts[f"taken by {way} again"] += self.taken[coupon, way] > 1


def _coupon(made: EmailMessage) -> str:
    body = made.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    return str(
        next(
            line for line in text.splitlines() if line.startswith("    ") and ("番号 " in line or "number " in line)
        ).split()[-1]
    )


def wrong(look: Look, post: Post) -> Iterator[str]:
    """At the end: what counts as brought was taken; what was given up had to be; what failed went on."""
    rows = look("SELECT coupon, way, customer, state, tries, detail FROM giving ORDER BY coupon, place")
    above: dict[str, str] = {}
    for coupon, way, customer, state, tries, detail in rows:
        if way in PURPOSES:
            if state == "sent" and not post.taken[coupon, way]:
                yield f"coupon {coupon} counts as brought by {way}, nobody has taken it"
            if post.tried[coupon, way] > tries:
                yield f"coupon {coupon} was tried {post.tried[coupon, way]} times by {way}, {tries} are noted"
            if state == "failed" and not _had_to_fail(post, way, customer, detail):
                yield f"coupon {coupon} was not brought by {way}, which would have worked: {detail}"
        if state == "waiting" and above.get(coupon) not in ("sent", "confirmed"):
            yield f"coupon {coupon} waits for {way}, and nobody goes on"
        if state != "waiting":
            above[coupon] = state
    nothing = "SELECT coupon FROM given_coupon WHERE how = 'granted' AND coupon NOT IN (SELECT coupon FROM giving)"
    yield from (f"coupon {coupon} is given by no way" for (coupon,) in look(nothing))


def _had_to_fail(post: Post, way: str, customer: str, detail: str) -> bool:
    n, purpose = int(customer[1:]), PURPOSES[way]
    if purpose not in members.mailed(n) or (customer, purpose) in post.withdrawn or detail.startswith("given up after"):
        return True
    if way == "email":
        return not members.email(n) or members.mail_is_refused(n)
    return members.session(n) is None or members.push_is_gone(n)
