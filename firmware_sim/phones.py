"""Simulated members' terminals, many in one process, over the hub's real web pages and WebSocket.

    {"do": "register", "phone": "p1", "form": {"name": …, "email": …, "language": "ja"}, "consents": ["service", "sensing"]}
    {"do": "sign_in", "phone": "p1", "session": "…"}      or with a session that is there
    {"do": "readings", "phone": "p1", "readings": {"heart_rate_per_min": 120, "ambient_temperature_c": 34}}
    {"do": "delay", "phone": "p1", "for_s": 2}            answers so much later
    {"do": "consent", "phone": "p1", "purpose": "sensing", "given": false}
    {"do": "presence", "phone": "p1", "event": "arrived"} in the store's circle; or "left"
    {"do": "off", "phone": "p1"} {"do": "on", "phone": "p1"}
    {"do": "coupons", "phone": "p1"}                      what it keeps
    {"do": "send", "phone": "p1", "frame": "…"}           a frame as it is, to break the rules
    {"do": "state"}

`register` and `sign_in` answer with customer, session and member code, and connect. Told: `connected`, `disconnected`,
`coupon`, `asked`, `answered` (names of readings, never values), `refused`, `not_mine`, each with phone and customer.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.phone import FIELDS, Phone, PhoneError
from firmware_sim.phones_http import Site

__all__ = ["PhonesSim", "run_phones"]

Json = dict[str, Any]
PHONES_MAX = 20_000


class PhonesSim:
    """All phones of one hub. `tell(event)` hears what happens."""

    def __init__(self, hub: str, tell: Callable[[Json], None], *, seed: int = 1) -> None:
        self.site = Site(hub)
        self.phones: dict[str, Phone] = {}
        self._tell, self._rng = tell, Random(seed)

    def phone(self, name: str) -> Phone:
        """The phone of this name; a new one if there is none. Raises PhoneError when there are too many."""
        found = self.phones.get(name)
        if found is None:
            if len(self.phones) >= PHONES_MAX:
                raise PhoneError(f"there are {PHONES_MAX} phones already")
            found = self.phones[name] = Phone(name, self.site, self._tell, Random(self._rng.getrandbits(64)))
        return found

    async def close(self) -> None:
        await asyncio.gather(*(phone.off() for phone in self.phones.values()))

    async def command(self, request: Json) -> Json:
        """One command of the module's docstring. Raises ControlError."""
        try:
            return await self._do(request)
        except PhoneError as error:
            raise ControlError(str(error)) from None
        except KeyError as error:
            raise ControlError(f"{request.get('do')!r} needs {error}") from None

    async def _do(self, request: Json) -> Json:
        if request["do"] == "state":
            return self.state()
        name = request["phone"]
        if request["do"] not in ("register", "sign_in") and name not in self.phones:
            raise PhoneError(f"there is no phone {name!r}; register it, or sign it in")
        phone = self.phone(str(name))
        match request["do"]:
            case "register":
                await phone.register(request["form"], list(request.get("consents", [])))
                return self._connect(phone)
            case "sign_in":
                await phone.sign_in(str(request["session"]))
                return self._connect(phone)
            case "readings":
                phone.readings = _scripted(request["readings"])
            case "delay":
                phone.answer_after_s = float(request["for_s"])
            case "consent":
                await phone.consent(str(request["purpose"]), bool(request["given"]))
            case "presence":
                await phone.presence(str(request["event"]))
            case "off":
                await phone.off()
            case "on":
                phone.on()
            case "coupons":
                return {"coupons": [coupon.model_dump(mode="json") for coupon in phone.coupons.values()]}
            case "send":
                await phone.raw(str(request["frame"]))
        return {"ok": True}

    def _connect(self, phone: Phone) -> Json:
        phone.on()
        return {"customer": phone.customer, "session": phone.session, "code": phone.code}

    def state(self) -> Json:
        counted: Counter[str] = Counter()
        for phone in self.phones.values():
            counted.update(phone.counters)
        there = sum(phone.connected for phone in self.phones.values())
        return {"phones": len(self.phones), "connected": there, "counters": dict(counted)}


def _scripted(readings: Any) -> Json:
    known = set(FIELDS.values())
    if not isinstance(readings, dict) or not set(readings) <= known:
        raise PhoneError(f"readings are an object with some of {', '.join(sorted(known))}")
    return dict(readings)


_COMMANDS = ("register", "sign_in", "readings", "delay", "consent", "presence", "off", "on", "coupons", "send", "state")


async def run_phones(hub: str, control: Path, *, first: Iterable[str] = (), seed: int = 1) -> None:
    """Until cancelled. `first`: commands, a line of JSON each, carried out before others are taken."""
    server = ControlServer(control, commands({name: lambda request: sim.command(request) for name in _COMMANDS}))
    sim = PhonesSim(hub, server.broadcast, seed=seed)
    try:
        for number, line in enumerate(first, 1):
            try:
                await sim.command(json.loads(line))
            except (ControlError, ValueError) as error:
                raise ControlError(f"line {number} of the first commands: {error}") from None
        async with server:
            await asyncio.Event().wait()
    finally:
        await sim.close()
