"""What must not wait comes over a connection of its own.

A broker has one queue for each connection, and so has the operating system: when somebody floods the hub, megabytes wait there
in order of arrival, and an exit scan among them (seen: 755 ms, 2.3 MB in the socket). Critical messages therefore come over a
second connection too, which carries nothing else. They still come over the first one as well: whichever copy is first is taken,
so that it does not matter whether the second connection is there, or is silent although it is open.
"""

from __future__ import annotations

from collections import OrderedDict

from contract.messages import CHANNELS, Stream
from delivery.inbox import Inbox, Item

OWED_MAX = 10_000
"""Copies that a connection still owes."""
_ENDS = tuple("/" + channel.topic.rpartition("/")[2] for channel in CHANNELS if channel.stream is Stream.CRITICAL)


class Express:
    """In front of an inbox: `fast` takes what comes over the second connection, `slow` over the first. Both as `Inbox.append`.

    A copy is left out only for one that the other connection has brought and that was taken. Where one of the two is lost on its
    way, the next resend may be taken for it on that connection; on the other one it comes through.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._slow_owes: OrderedDict[int, None] = OrderedDict()
        self._fast_owes: OrderedDict[int, None] = OrderedDict()

    def fast(self, item: Item) -> bool:
        """A critical message; False also for one whose copy has come."""
        return self._take(item, self._fast_owes, self._slow_owes)

    def slow(self, item: Item) -> bool:
        """Any message; False also for one whose copy has come."""
        if item[0].endswith(_ENDS):
            return self._take(item, self._slow_owes, self._fast_owes)
        return self._inbox.append(item)

    def begin(self) -> None:
        """A connection is new: what was lost with the old one is not waited for."""
        self._slow_owes.clear()
        self._fast_owes.clear()

    def _take(self, item: Item, owed: OrderedDict[int, None], others: OrderedDict[int, None]) -> bool:
        key = hash((item[0], bytes(item[1])))
        if key in owed:
            del owed[key]
            return False
        taken = self._inbox.append(item)
        if taken:
            others[key] = None
            if len(others) > OWED_MAX:
                others.popitem(last=False)
        return taken
