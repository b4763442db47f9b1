"""A rotating beacon as it is written down: in an import, on a slip from its maker.

    <32 hex digits>/<exponent>/<time>        000102030405060708090a0b0c0d0e0f/10/2026-03-01T09:00:00+09:00
    <32 hex digits>/<exponent>/<time>=<counter>

`time` is when the beacon's counter showed `counter` (without one: 0), RFC 3339 with its offset. The key is a secret: whoever has it
can follow the beacon. It is never shown again, logged or sent.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from hub.eid.computing import COUNTER_MASK, EXPONENT_MAX
from hub.eid.table import EidKey

NAME_PREFIX = "eid:"
_FORM = re.compile(r"([0-9a-fA-F]{32})/([0-9]{1,2})/([^=/\s]{10,40})(?:=([0-9]{1,10}))?")


def name_of(identity_key: bytes) -> str:
    """The beacon's name for life. It says nothing of the key."""
    return NAME_PREFIX + hashlib.sha256(b"instore eid " + identity_key).hexdigest()[:24]


def read_key(text: str, entered_s: float) -> EidKey:
    """The beacon of such a line; `entered_s` is now (UNIX time). Raises ValueError with a sentence that does not show the key."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no rotating beacon: KEY/EXPONENT/TIME, 32 hex digits, 0 to 15, and when its counter was 0")
    key, exponent, counter = bytes.fromhex(found[1]), int(found[2]), int(found[4] or 0)
    if exponent > EXPONENT_MAX:
        raise ValueError(
            f"has the exponent {exponent}; it is 0 to {EXPONENT_MAX} (10: a new identifier every 17 minutes)"
        )
    if counter > COUNTER_MASK:
        raise ValueError(f"has a counter of {counter}; it has 32 bits")
    at = _time(found[3])
    if at.timestamp() - counter > entered_s + 86_400:
        raise ValueError(f"begins to count at {found[3]}, which is still to come")
    return EidKey(name_of(key), key, exponent, at.timestamp() - counter, 0.0, entered_s)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise ValueError(f"has the time {text!r}; expected such as 2026-03-01T09:00:00+09:00, with its offset")
    return at
