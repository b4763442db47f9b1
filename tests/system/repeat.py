"""`instore demo --once --json` many times in a row: `python -m tests.system.repeat [times] [broker …]`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.system.effects import ONE_OF_EACH, effects
from tests.system.playing import leftovers, play


async def main(times: int, brokers: list[str]) -> int:
    failed = 0
    for broker in brokers:
        alert, gate = [], []
        for number in range(times):
            folder = Path(tempfile.mkdtemp(prefix="repeat-"))
            played = await play(folder, "--broker", broker)
            if played.code or effects(played.folder) != ONE_OF_EACH or leftovers(folder):
                failed += 1
                print(f"{broker} {number}: {played.story()}", flush=True)
                continue
            alert.append(played.summary["advert_to_handheld_ms"])
            gate.append(played.summary["scan_to_gate_ms"])
            shutil.rmtree(folder)
        middle = f"advert_to_handheld {median(alert):.1f} ms, scan_to_gate {median(gate):.1f} ms" if alert else "none"
        print(f"{broker}: {len(alert)} of {times} succeeded; medians {middle}; worst {max(alert, default=None)} "
              f"and {max(gate, default=None)} ms", flush=True)  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sys.exit(asyncio.run(main(count, sys.argv[2:] or ["amqtt", "mosquitto"])))
