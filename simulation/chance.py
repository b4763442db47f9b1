"""Where the programs get chance from while a simulation runs: all of it from the seed. And what they do less often there."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contract import exit_code
from contract.envelope import decode
from hub.eid import computing


@dataclass(frozen=True)
class Pace:
    """How often programs look or say something by themselves. Less often than in a store (in brackets), else that would be most
    of all simulated steps. Seconds."""

    tick_s: float
    """What has time brought? (1)"""
    heartbeat_s: float
    """(5)"""
    look_s: float
    """Does a worker hang? (1.5)"""
    hangs_s: float
    """After so long it does. (10)"""
    tags: float
    """So much slower than in a store are customers' tags."""


SHORT = Pace(3.0, 30.0, 60.0, 400.0, 1.5)
LONG = Pace(15.0, 180.0, 300.0, 2000.0, 5.0)
"""In a run of more than an hour."""
REMEMBERED = 2000
"""The same bytes come to several readers, and again: they are read once."""
IDENTIFIERS = 20_000
"""All stores have the same beacons, and open at the same moment."""


@lru_cache(REMEMBERED)
def _is_signed(key: bytes, signature: bytes, what: bytes) -> bool:
    return _really_signed(Ed25519PublicKey.from_public_bytes(key), signature, what)


@lru_cache(IDENTIFIERS)
def _eids(temporary: bytes, exponent: int, quanta: tuple[int, ...]) -> list[bytes]:
    return computing.eids(temporary, exponent, quanta)


_really_signed = exit_code._is_signed
_temporary_key = lru_cache(IDENTIFIERS)(computing.temporary_key)


async def _deliver(settings: Any, _password: str, made: EmailMessage, post: Any) -> None:
    """A letter goes to `simulation.post.Post`, which comes where TLS would."""
    await post.letter(made, settings.timeout_s)


@contextmanager
def _outside(rng: random.Random, pace: Pace) -> Iterator[None]:
    """The way to mail server and push service. What a letter's picture shows and how a push is sealed is the matter of tests/giving."""
    with (
        patch("hub.giving.courier.LOOK_S", pace.tick_s),
        patch("hub.giving.mail.deliver", _deliver),
        patch("hub.giving.letter.png", lambda _text: b""),
        patch("hub.giving.push.encrypted", lambda plain, *_, **__: plain),
        patch("hub.giving.push.generate_private_key", lambda _curve: None),
        patch("hub.giving.push.authorization", lambda *_: ""),
        patch.object(secrets, "token_bytes", lambda count: rng.randbytes(count)),
    ):
        yield


@contextmanager
def from_seed(rng: random.Random, pace: Pace = SHORT) -> Iterator[None]:
    """One-time IDs, epochs and jitter come from `rng` inside this block, in this process (one simulation at a time)."""

    def token_hex(count: int | None = None) -> str:
        return rng.randbytes(count or 32).hex()

    def randbelow(most: int) -> int:
        return rng.randrange(most)

    def seeded() -> random.Random:
        return random.Random(rng.getrandbits(64))

    remembered = lru_cache(REMEMBERED)(decode)
    with (
        patch.object(secrets, "token_hex", token_hex),
        patch.object(secrets, "randbelow", randbelow),
        patch("hub.eid.resolving.IDLE_S", pace.tick_s),
        patch("hub.eid.resolving.PORTION", 4096),
        patch("hub.eid.resolving.BUSY_S", pace.tick_s / 3),
        patch("hub.eid.resolving.gc.freeze", lambda: None),
        patch("hub.members.gateway.LOOK_AGAIN_S", 20 * pace.tick_s),
        patch("delivery.engine.Random", seeded),
        patch("edge.health.LOOK_EVERY_S", pace.look_s),
        patch("edge.health.HANGS_AFTER_S", pace.hangs_s),
        patch("hub.service.TICK_S", pace.tick_s),
        _outside(rng, pace),
        patch("hub.service.STATUS_EVERY_S", pace.heartbeat_s),
        patch("delivery.taking.decode", remembered),
        patch("handheld.inbox.decode", remembered),
        patch("contract.exit_code._is_signed", lambda key, *signed: _is_signed(key.public_bytes_raw(), *signed)),
        patch("hub.eid.table.eids", lambda temporary, exponent, quanta: _eids(temporary, exponent, tuple(quanta))),
        patch("hub.eid.table.temporary_key", _temporary_key),
    ):
        yield
