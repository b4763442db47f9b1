"""The other process of the bare measurements, `python -m bench.far_end PORT USER` with the password in INSTORE_PASSWORD.

Answers each message on `bench/ask` with 700 bytes on `bench/reply` (as long as an alert); counts those on `bench/load` and
says the count on `bench/count` after every `COUNT_EVERY`.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from bench.client import BareClient
from delivery.link import Address

ASK, REPLY, LOAD, COUNT = "bench/ask", "bench/reply", "bench/load", "bench/count"
ASK_BYTES, REPLY_BYTES = 350, 700
"""As long as a sighting and as an alert."""
ASK_QOS, REPLY_QOS = 0, 1
"""A sighting travels at QoS 0 (its stream resends), an alert at QoS 1."""
COUNT_EVERY = 100


async def run(address: Address) -> None:
    """Until cancelled."""
    reply, counted = b"r" * REPLY_BYTES, 0

    def on_message(topic: str, payload: bytes) -> None:
        nonlocal counted
        if topic == ASK:
            client.publish(REPLY, payload[:8] + reply[8:], REPLY_QOS)
            return
        counted += 1
        if counted % COUNT_EVERY == 0:
            client.publish(COUNT, b"%d" % counted)

    client = BareClient(address, on_message)
    await client.open((ASK, ASK_QOS), (LOAD, 0))
    client.publish(COUNT, b"0")
    try:
        await asyncio.Event().wait()
    finally:
        await client.close()


if __name__ == "__main__":
    uvloop.run(run(Address("127.0.0.1", int(sys.argv[1]), sys.argv[2], os.environ["INSTORE_PASSWORD"])))
