"""What has arrived and waits to be handled: a queue for each client, so that one that floods sheds only its own.

Who speaks stands in the topic (`contract.messages`: `instore/{store}/{role}/{id}/…`), and the broker lets nobody speak for
another. An agent's sightings have a queue beside its other messages: a backlog of them never delays an exit scan, and
neither does anybody else's flood. Within a queue the order is that of arrival.
"""

from __future__ import annotations

from collections import deque

import structlog

from contract.envelope import MAX_BYTES
from contract.messages import CHANNELS, Stream

log = structlog.get_logger()

Item = tuple[str, bytes]
QUEUE_MESSAGES, QUEUE_BYTES = 4000, 8 * 1024 * 1024
"""Of one queue. An honest sender has at most `delivery.streams.WINDOW` numbered messages on the way."""
ALL_MESSAGES, ALL_BYTES = 20_000, 64 * 1024 * 1024
SHARE, SHARE_URGENT = 128, 48
"""Messages of one queue in a batch, of sightings and of others: what a scan waits for when somebody floods or comes back with a
backlog. An exit scan costs the hub five times as much as a sighting."""
KNOWN_MAX = 4096
_SIGHTINGS = frozenset(channel.topic.rpartition("/")[2] for channel in CHANNELS if channel.stream is Stream.SIGHTING)
"""Last levels of the topics that share a numbered stream: they stay in order in one queue."""


class Inbox:
    """`append` gives False, and counts in `dropped`, when there is no room; numbered messages are sent again then."""

    def __init__(self) -> None:
        self.dropped = 0
        self._queues: dict[str, deque[Item]] = {}
        self._sizes: dict[str, int] = {}
        self._count = self._bytes = 0
        self._known: dict[str, str] = {}
        self._shedding: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def append(self, item: Item) -> bool:
        """Take one message. Of one that no reader takes anyway, only enough is kept to say so."""
        topic, payload = item
        payload = bytes(payload[: MAX_BYTES + 1])
        size = len(payload)
        who = self._known.get(topic) or self._queue_of(topic)
        queue = self._queues.get(who)
        waiting = 0 if queue is None else len(queue)
        held = self._sizes.get(who, 0)
        # Even when all the others fill the inbox, each queue may hold some: a flood must not shut out who is not in it.
        full = self._count >= ALL_MESSAGES or self._bytes + size > ALL_BYTES
        if waiting >= QUEUE_MESSAGES or held + size > QUEUE_BYTES or (full and waiting >= SHARE):
            self._shed(who)
            return False
        if queue is None:
            queue = self._queues[who] = deque()
        queue.append((topic, payload))
        self._sizes[who] = held + size
        self._count += 1
        self._bytes += size
        return True

    def popleft(self) -> Item:
        """The next message of the queue whose turn it is. Raises IndexError when there is none."""
        for item in self.batch(1):
            return item
        raise IndexError("the inbox is empty")

    def batch(self, most: int) -> list[Item]:
        """Up to `most` messages, of each queue in turn; what is no sighting first."""
        taken: list[Item] = []
        for who in self._turns():
            if len(taken) >= most:
                break
            queue = self._queues[who]
            share_max = SHARE if _is_of_sightings(who) else SHARE_URGENT
            count, size = min(share_max, most - len(taken), len(queue)), 0
            for _ in range(count):
                item = queue.popleft()
                size += len(item[1])
                taken.append(item)
            self._count -= count
            self._bytes -= size
            del self._queues[who]
            if queue:
                self._queues[who] = queue  # behind the others: its next turn comes after theirs
                self._sizes[who] -= size
            else:
                del self._sizes[who]
                self._shedding.discard(who)
        return taken

    def _turns(self) -> list[str]:
        return sorted(self._queues, key=_is_of_sightings)

    def _queue_of(self, topic: str) -> str:
        levels = topic.split("/")
        who = "/".join(levels[2:4])[:200]
        if levels[-1] in _SIGHTINGS:
            who += "/sighting"
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[topic] = who
        return who

    def _shed(self, who: str) -> None:
        self.dropped += 1
        if who not in self._shedding:
            self._shedding.add(who)
            log.warning("more arrives than can be taken; what is numbered is sent again, the rest is lost", client=who)


def _is_of_sightings(who: str) -> bool:
    return who.endswith("/sighting")
