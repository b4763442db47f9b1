"""One try at a received batch, inside its transaction: decode or quarantine, compare numbers, hand over to the application.

Nothing here outlives the transaction: what was taken and counted counts only if it is committed (`delivery.engine`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from contract.access import Principal
from contract.envelope import Message, decode
from contract.errors import ContractError
from contract.messages import Role, Stream
from contract.payloads import AgentHeartbeat, Receipt
from contract.topics import parse
from delivery.complaints import Complaints
from delivery.journal import Journal
from delivery.outgoing import Outgoing
from delivery.streams import Verdict, declared_lost, judge
from delivery.transaction import Tx

NO_EPOCH = "-"
"""In the answer to somebody who only asks (`doctor`) and sends no numbered messages."""

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
    """`handle` is the application. `careful`: a savepoint around each message, so that one on which the application fails is undone alone.

    `terminal`: whose terminal speaks over the hub's WebSocket; None: the batch came from the broker. What terminals may say
    is refused at the broker's door, and the other way round; and of it nothing but the reason is ever written down: it may
    be somebody's readings (row C11).
    """

    def __init__(
        self, receiver: Receiver, handle: Handle, tx: Tx, *, careful: bool, terminal: str | None = None
    ) -> None:
        self.receiver, self.handle, self.tx, self.terminal = receiver, handle, tx, terminal
        self.refused = ""
        """Why the last message that was not taken was not."""
        self.marks: dict[Key, int] = {}
        """The highest numbers taken in this batch."""
        self.receipts: dict[Key, bool] = {}
        """Whom to answer, and whether to ask for what is missing."""
        self.clocks: dict[str, datetime] = {}
        """What receipts said the time is, by peer."""
        self.counted: defaultdict[str, int] = defaultdict(int)
        self.begun = False
        """Whether the transaction has begun: not while nothing can change what is on the disk."""
        self._heard: set[str] = set()
        self._careful = careful

    def taken(self, key: Key) -> int:
        """The highest number taken, this batch included (0: none)."""
        return self.marks.get(key, self.receiver.marks.get(key, 0))

    def _begin(self) -> None:
        if not self.begun:
            self.tx.db.execute("BEGIN IMMEDIATE")
            self.begun = True

    def take(self, topic: str, payload: bytes) -> None:
        """One message. Raises Spoilt when the application fails on it and this try is not careful, sqlite3.Error for the disk."""
        try:
            message = decode(topic, payload)
        except ContractError as error:
            self._does_not_fit(topic, payload, error)
            return
        if why := self._is_not_for_us(message):
            self._count_refused("not_mine")
            self._keep(topic, "not_mine", why, payload)
            return
        data = message.data
        if type(data) is Receipt:  # `isinstance` of a model costs ten times as much
            peer = "hub" if self.receiver.me.role is not Role.HUB else f"agent/{message.ids['agent']}"
            self.receiver.outgoing.on_receipt(peer, data, self.tx.now)
            if message.time is not None:
                self.clocks[peer] = message.time
            return
        if self.terminal is None:
            self._hear("hub" if message.channel.publisher is Role.HUB else message.source)
        self._begin()
        if type(data) is AgentHeartbeat:
            # Answered like what is numbered: the agent hears what time it is before it has said anything that matters.
            self.receipts.setdefault((message.source, Stream.CRITICAL.value, data.epoch or NO_EPOCH), False)
        if message.numbering is None:
            self._hand_over(message, topic, payload)
        else:
            self._take_numbered(message, topic, payload)

    def _hear(self, peer: str) -> None:
        if peer not in self._heard:
            self._heard.add(peer)
            self.receiver.outgoing.on_heard(peer, self.tx.now)

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

    def _is_not_for_us(self, message: Message) -> str:
        """A broker with other rules than ours may bring what is for others: it is neither applied nor acknowledged."""
        me = self.receiver.me
        if message.channel.at_broker is not (self.terminal is None):
            return "came by the broker" if self.terminal is None else "is for the broker"
        if self.terminal is not None:
            speaks_for = {message.ids[Role.CUSTOMER.value], getattr(message.data, Role.CUSTOMER.value, self.terminal)}
            if speaks_for != {self.terminal}:
                return f"the terminal of {self.terminal} speaks for another"
        mine = (me.role in message.channel.subscribers and message.store == self.receiver.store
                and message.ids.get(me.role, me.id) == me.id)  # fmt: skip
        return "" if mine else f"not for {me.username}"

    # --- the application

    def _hand_over(self, message: Message, topic: str, payload: bytes) -> None:
        if self._careful:
            self._hand_over_carefully(message, topic, payload)
        else:
            self._hand_over_simply(message, topic)

    def _hand_over_simply(self, message: Message, topic: str) -> None:
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

    def _count_refused(self, reason: str) -> None:
        self.refused = reason
        self.counted["quarantined"] += 1
        self.counted[f"quarantined_{reason}"] += 1

    def _does_not_fit(self, topic: str, payload: bytes, error: ContractError) -> None:
        self._count_refused(error.reason)
        if self.receiver.complaints.may(topic, self.tx.now):
            self._keep(topic, error.reason, error.detail, payload)
            log.warning("message quarantined", topic=self._shown(topic), reason=error.reason,
                        detail=error.detail if error.reason != "unknown_topic" else "")  # fmt: skip
        else:
            self.counted["quarantined_unkept"] += 1

    def _spoilt(self, message: Message, topic: str, payload: bytes, error: Exception) -> None:
        self._count_refused("handler")
        if not self.receiver.complaints.may(topic, self.tx.now):
            self.counted["quarantined_unkept"] += 1
        elif message.channel.at_broker:
            self._keep(topic, "handler", f"{type(error).__name__}: {error}", payload)
            log.error("message could not be handled", topic=topic, id=message.id, error=repr(error), exc_info=True)
        else:  # an exception's text and its frames may show a reading
            where = _place(error)
            self._keep(topic, "handler", f"{type(error).__name__} in {where}", payload)
            log.error("message could not be handled", topic=topic, error=type(error).__name__, where=where)

    def _keep(self, topic: str, reason: str, detail: str, payload: bytes) -> None:
        self._begin()
        kept = b"" if self._is_private(topic) else payload
        self.receiver.journal.quarantine(self.tx.utc.isoformat(), self._shown(topic), reason, detail, kept)

    def _is_private(self, topic: str) -> bool:
        return self.terminal is not None or f"/{Role.CUSTOMER.value}/" in topic

    def _shown(self, topic: str) -> str:
        """A terminal's topic only when it is one of the contract: a text of its own could say anything."""
        if self.terminal is None:
            return topic
        try:
            parse(topic)
        except ContractError:
            return f"terminal of {self.terminal}"
        return topic


def _place(error: Exception) -> str:
    """File and line where it happened."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "?" if at is None else f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
