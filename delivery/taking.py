"""One try at a received batch, inside its transaction: decode or quarantine, compare numbers, hand over to the application.

Nothing here outlives the transaction: what was taken and counted counts only if it is committed (`delivery.engine`).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from contract.access import Principal
from contract.envelope import Message, decode
from contract.errors import ContractError
from contract.messages import Role
from contract.payloads import Receipt
from delivery.complaints import Complaints
from delivery.journal import Journal
from delivery.outgoing import Outgoing
from delivery.streams import Verdict, declared_lost, judge
from delivery.transaction import Tx

log = structlog.get_logger()

Handle = Callable[[Message, Tx], None]
Key = tuple[str, str, str]
"""Sender, stream, epoch."""


class Spoilt(Exception):
    """The application failed on a message of a batch that has no savepoints."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes: `marks` are the highest numbers taken so far."""

    me: Principal
    store: str
    journal: Journal
    outgoing: Outgoing
    marks: Mapping[Key, int]
    complaints: Complaints


class Taking:
    """`handle` is the application. `careful`: a savepoint around each message, so that one on which the application fails is undone alone."""

    def __init__(self, receiver: Receiver, handle: Handle, tx: Tx, *, careful: bool) -> None:
        self.receiver, self.handle, self.tx = receiver, handle, tx
        self.marks: dict[Key, int] = {}
        """The highest numbers taken in this batch."""
        self.receipts: dict[Key, bool] = {}
        """Whom to answer, and whether to ask for what is missing."""
        self.counted: Counter[str] = Counter()
        self._hand_over = self._hand_over_carefully if careful else self._hand_over_simply

    def taken(self, key: Key) -> int:
        """The highest number taken, this batch included (0: none)."""
        return self.marks.get(key, self.receiver.marks.get(key, 0))

    def take(self, topic: str, payload: bytes) -> None:
        """One message. Raises Spoilt when the application fails on it and this try is not careful, sqlite3.Error for the disk."""
        try:
            message = decode(topic, payload)
        except ContractError as error:
            self._does_not_fit(topic, payload, error)
            return
        if not self._is_for_us(message):
            self.counted["quarantined"] += 1
            self.counted["quarantined_not_mine"] += 1
            self._keep(topic, "not_mine", f"not for {self.receiver.me.username}", payload)
            return
        if isinstance(message.data, Receipt):
            peer = "hub" if self.receiver.me.role is not Role.HUB else f"agent/{message.ids['agent']}"
            self.receiver.outgoing.on_receipt(peer, message.data, self.tx.now)
            return
        self.receiver.outgoing.on_heard("hub" if message.channel.publisher is Role.HUB else message.source, self.tx.now)
        if message.numbering is None:
            self._hand_over(message, topic, payload)
        else:
            self._take_numbered(message, topic, payload)

    def _take_numbered(self, message: Message, topic: str, payload: bytes) -> None:
        assert message.channel.stream is not None
        assert message.numbering is not None
        key = (message.source, message.channel.stream.value, message.numbering.epoch)
        seq, taken = message.numbering.seq, self.taken(key)
        verdict = judge(taken, seq, message.numbering.floor)
        if verdict is Verdict.TAKE:
            if skipped := declared_lost(taken, seq):
                self.counted["declared_lost"] += skipped
            self._hand_over(message, topic, payload)
            self.marks[key] = seq
            self.receipts.setdefault(key, False)
        elif verdict is Verdict.DUPLICATE:
            self.counted["duplicates"] += 1
            self.receipts.setdefault(key, False)
        else:
            self.counted["gaps"] += 1
            self.receipts[key] = True

    def _is_for_us(self, message: Message) -> bool:
        """A broker with other rules than ours may bring what is for others: it is neither applied nor acknowledged."""
        me = self.receiver.me
        return (me.role in message.channel.subscribers and message.store == self.receiver.store
                and message.ids.get(me.role.value, me.id) == me.id)  # fmt: skip

    # --- the application

    def _hand_over_simply(self, message: Message, topic: str, _payload: bytes) -> None:
        """Give a message to the application. Raises Spoilt if that fails."""
        try:
            self.handle(message, self.tx)
        except sqlite3.OperationalError:
            raise  # the disk, not the message: the whole batch comes to nothing and will be sent again
        except Exception as error:
            raise Spoilt(topic) from error
        self.counted["received"] += 1

    def _hand_over_carefully(self, message: Message, topic: str, payload: bytes) -> None:
        """Give a message to the application; if that fails, undo it alone, keep it aside, and go on."""
        before = self.tx.mark()
        self.tx.db.execute("SAVEPOINT message")
        try:
            self.handle(message, self.tx)
            self.tx.db.execute("RELEASE message")
        except sqlite3.OperationalError:
            raise  # the disk, not the message: the whole batch comes to nothing and will be sent again
        except Exception as error:
            self.tx.db.execute("ROLLBACK TO message")
            self.tx.db.execute("RELEASE message")
            self.tx.back_to(before)
            self._spoilt(message, topic, payload, error)
        self.counted["received"] += 1

    # --- what does not fit

    def _does_not_fit(self, topic: str, payload: bytes, error: ContractError) -> None:
        self.counted["quarantined"] += 1
        self.counted[f"quarantined_{error.reason}"] += 1
        if self.receiver.complaints.may(topic, self.tx.now):
            self._keep(topic, error.reason, error.detail, payload)
            log.warning("message quarantined", topic=error.topic, reason=error.reason, detail=error.detail)
        else:
            self.counted["quarantined_unkept"] += 1

    def _spoilt(self, message: Message, topic: str, payload: bytes, error: Exception) -> None:
        self.counted["quarantined"] += 1
        self.counted["quarantined_handler"] += 1
        if self.receiver.complaints.may(topic, self.tx.now):
            self._keep(topic, "handler", f"{type(error).__name__}: {error}", payload)
            log.error("message could not be handled", topic=topic, id=message.id, error=repr(error), exc_info=True)
        else:
            self.counted["quarantined_unkept"] += 1

    def _keep(self, topic: str, reason: str, detail: str, payload: bytes) -> None:
        self.receiver.journal.quarantine(self.tx.utc.isoformat(), topic, reason, detail, payload)
