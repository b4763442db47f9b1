"""How an exit code comes to a lane: read as a QR code or a one-dimensional one, held near, or typed (row B6).

A signed code is judged here, with public keys only. A number is a name that only the hub knows; the lane sees that it is typed
right and asks. Numbers are short, so whoever tries them out is slowed down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from contract.exit_code import ExitCodeError
from contract.exit_digits import DIGITS, read_digits
from contract.payloads import By, LaneScan
from delivery.engine import Tx
from delivery.node import Node
from edge.codes import Keyring
from edge.lane_refusals import LaneRefusals
from edge.lane_types import AnotherCode, CodeAccepted, HeldUpAgain, Lane, Phase, number_as_code
from edge.store import EdgeStore

NUMBERS_PER_S, NUMBERS_BURST = 0.25, 5.0
"""So many numbers may be tried at one lane; who types takes ten seconds for one."""
NUMBER_KEPT = timedelta(hours=1)
"""A number that was used here is remembered so long, without its code; the hub knows it for good."""

AWAY_S = 10.0
"""What the hub leaves unanswered for so long shows that it is away for more than a restart. Before that, a customer is better
served by some patience (`LanePolicy.decide_s`): it may bring her decision and her paper."""

Take = Callable[[CodeAccepted, Tx, float], None]


class LaneEntry:
    """Of one lane. `take` gets what is accepted, in the transaction that tells the hub of it; `elsewhere` a code that another
    lane of this agent is busy with, and whose holder is here now."""

    def __init__(self, lane: str, node: Node, store: EdgeStore, keys: Keyring, refusals: LaneRefusals,
                 counters: Counter[str], decide_s: float, take: Take, elsewhere: Callable[[str], None]) -> None:  # fmt: skip
        self._lane, self._node, self._store, self._keys = lane, node, store, keys
        self._refusals, self._counters, self._decide_s, self._take = refusals, counters, decide_s, take
        self._elsewhere = elsewhere
        self._allowance, self._allowance_at = NUMBERS_BURST, 0.0

    def read(self, text: str, by: By, t: float) -> None:
        """Whatever was read or typed; `t`: when (monotonic s). Raises sqlite3.Error: then nothing has happened."""
        if by == "keypad" or _is_number(text):
            self._number(text, "barcode" if by == "qr" else by, t)
        else:
            self._code(text, by, t)

    def while_busy(self, text: str, lane: Lane) -> AnotherCode | HeldUpAgain | None:
        """What a code means to a lane that is busy, if it means anything. Nobody is told of it."""
        if not (lane.trouble or lane.phase is Phase.SHOWING):
            return None
        try:
            claims = self._keys.verify(text, self._node.engine.utc())
        except ExitCodeError:
            return None
        if claims.code_id == lane.code:
            return HeldUpAgain() if lane.phase is Phase.SHOWING else None
        return AnotherCode() if lane.trouble and not self._store.is_used(claims.code_id) else None

    def _code(self, text: str, by: By, t: float) -> None:
        engine = self._node.engine
        try:
            claims = self._keys.verify(text, engine.utc())
        except ExitCodeError as error:
            self._refusals.refuse(error.reason, str(error), error.claims, by)
            return
        if self._store.is_used(claims.code_id):
            if self._store.is_passed(claims.code_id):
                self._refusals.refuse("already_used", "this code was used at a lane of this agent", claims, by)
            else:
                self._refusals.refuse("in_use", "another lane of this agent has it", claims, by)
                self._elsewhere(claims.code_id)
            return
        with self._node.transaction() as tx:
            self._store.use(claims.code_id, claims.expires, tx.utc)
            data = LaneScan(code_id=claims.code_id, sale=claims.sale, code=text, by=by, scanned=tx.utc)
            message = tx.send("lane_scan", data, lane=self._lane)
            late = engine.is_behind(max(AWAY_S, self._decide_s))
            self._take(CodeAccepted(message, claims.code_id, late), tx, t)
        self._counters["scans"] += 1
        self._counters[f"scans_by_{by}"] += 1

    def _number(self, text: str, by: By, t: float) -> None:
        digits = read_digits(text)
        if digits is None:
            self._refusals.refuse("mistyped", f"not {DIGITS} digits of which the last one is right", None, by)
            return
        if not self._allowed():
            self._counters["numbers_too_fast"] += 1
            self._refusals.refuse("mistyped", "too many numbers in a short time", None, by)
            return
        if self._store.is_used(number_as_code(digits)):
            passed = self._store.is_passed(number_as_code(digits))
            self._refusals.refuse("already_used" if passed else "in_use", "known at a lane of this agent", None, by)
            return
        if self._node.engine.is_behind(self._decide_s):
            self._refusals.refuse("digits_offline", "the hub is away, and only it knows numbers", None, by)
            return
        with self._node.transaction() as tx:
            code = number_as_code(digits)
            self._store.use(code, tx.utc + NUMBER_KEPT, tx.utc)
            message = tx.send("lane_scan", LaneScan(digits=digits, by=by, scanned=tx.utc), lane=self._lane)
            self._take(CodeAccepted(message, code, asks=True), tx, t)
        self._counters["scans"] += 1
        self._counters[f"scans_by_{by}"] += 1

    def _allowed(self) -> bool:
        now = self._node.engine.clock.monotonic()
        left = min(NUMBERS_BURST, self._allowance + (now - self._allowance_at) * NUMBERS_PER_S)
        self._allowance, self._allowance_at = max(0.0, left - 1) if left >= 1 else left, now
        return left >= 1


def _is_number(text: str) -> bool:
    """Twelve digits, as a one-dimensional code carries them; whether they are right is judged after that."""
    plain = text.strip().replace(" ", "").replace("-", "")
    return len(plain) == DIGITS and plain.isascii() and plain.isdecimal()
