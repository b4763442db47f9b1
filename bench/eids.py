"""Rotating beacons: how long the table of a store's identifiers takes to build, to keep, and to ask, beside bare AES.

`instore bench eids`; the ratio is to the same number of bare AES blocks in the same run, each with a key of its own.
"""

from __future__ import annotations

import gc
import json
import os
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hub.eid.resolving import PORTION
from hub.eid.table import EidKey, EidTable

NOW = 1_800_000_000.0
EXPONENT = 10
BARE = 20_000


def measure(beacons: int) -> dict[str, float]:
    """Build, an hour of upkeep in portions, look-ups. Seconds of this thread's processor time, so that others' load is left out."""
    cpu = time.thread_time
    began = cpu()
    for _ in range(BARE):
        Cipher(algorithms.AES(os.urandom(16)), modes.ECB()).encryptor().update(bytes(16))
    bare_us = (cpu() - began) / BARE * 1e6
    keys = [EidKey(f"eid:{n:024x}", os.urandom(16), EXPONENT, NOW - 3e7 - n * 0.731, 0.0, NOW) for n in range(beacons)]
    table = EidTable()
    began = cpu()
    for key in keys:
        table.put(key)
    while table.work(NOW, PORTION):
        pass
    build_s = cpu() - began
    gc.freeze()  # as the hub does
    blocks = beacons + table.counters["computed"]
    while table.work(NOW + 2, PORTION):  # the past hour
        pass
    began, longest = cpu(), 0.0
    for second in range(3, 1027):
        while True:
            start = cpu()
            looked = table.work(NOW + second, PORTION)
            longest = max(longest, cpu() - start)
            if not looked:
                break
    upkeep_s = cpu() - began
    said = [os.urandom(8) for _ in range(100_000)]
    began = cpu()
    for each in said:
        table.resolve(each, NOW + 1027)
    gc.unfreeze()
    return {
        "beacons": beacons, "identifiers": table.entries, "build_s": round(build_s, 2),
        "build_us_per_aes_block": round(build_s / blocks * 1e6, 2), "bare_us_per_aes_block": round(bare_us, 2),
        "ratio": round(build_s / blocks * 1e6 / bare_us, 2),
        "upkeep_ms_per_s": round(upkeep_s / 1024 * 1e3, 2), "longest_portion_ms": round(longest * 1e3, 2),
        "stranger_us": round((cpu() - began) / len(said) * 1e6, 2),
    }  # fmt: skip


def main(beacons: int = 100_000, *, as_json: bool = False) -> int:
    """Print it; 0."""
    found = measure(beacons)
    print(json.dumps(found) if as_json else "\n".join(f"{name:>24}  {value:,}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
