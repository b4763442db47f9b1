"""Every program killed at every moment of a visit: `python -m tests.system.kill_matrix [broker …] [--moments scan decision]`.

Exit code 0 when each visit came to its end with one of each effect. What failed is told again at the end, with the command that
repeats it, and its files are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.system.effects import ONE_OF_EACH, WITHOUT_PAPER, effects
from tests.system.playing import PROGRAMS, TIMEOUT_S, Kill, Played, leftovers, play

MOMENTS = {
    "sighting": "instore.sighting.v1",
    "request": "instore.alert.v1",
    "answer": "instore.alert.answer.v1",
    "scan": "instore.lane.scan.v1",
    "decision": "instore.lane.decision.v1",
    "printed": "instore.lane.printed.v1",
    "opened": "instore.lane.opened.v1",
}
BROKERS = ("amqtt", "mosquitto")


def wrong(played: Played) -> str:
    """What is not as it has to be after a visit in which programs were killed; "" if all is well. A printer that is not back when
    a coupon should come out is none that prints: she has it electronically then, and the demo says that there was no paper."""
    if not played.killed:
        return f"nobody was killed: {played.story()}"
    try:
        found = effects(played.folder)
    except (OSError, ValueError, AssertionError) as error:
        return f"{error!r}: {played.story()}"
    if "sim-printer" in played.killed and found == WITHOUT_PAPER:
        missing = {name for name, count in played.summary["counts"].items() if count != 1}
        return "" if missing == {"coupons_printed", "receipts"} else f"{missing}: {played.story()}"
    off = {name: found[name] for name, count in ONE_OF_EACH.items() if found[name] != count}
    if played.code != 0 or off:
        return f"{off}: {played.story()}"
    if still := leftovers(played.folder):
        return f"still running: {still}"
    return ""


async def one(folder: Path, broker: str, program: str, moment: str) -> str:
    """Kill one program at one moment; returns what is wrong, or ""."""
    try:
        return wrong(await play(folder, "--broker", broker, kills=[Kill((program,), MOMENTS[moment])]))
    except TimeoutError:
        return f"no end within {TIMEOUT_S:g} s, files in {folder}"


async def main(brokers: list[str], programs: list[str], moments: list[str], at_once: int) -> int:
    visits = [(broker, program, moment) for broker in brokers for program in programs for moment in moments]
    failed: list[str] = []
    began, ended, places = time.monotonic(), 0, asyncio.Semaphore(at_once)

    async def visit(broker: str, program: str, moment: str) -> None:
        nonlocal ended
        async with places:
            folder, at = Path(tempfile.mkdtemp(prefix="kill-")), time.monotonic()
            trouble = await one(folder, broker, program, moment)
            if trouble:
                failed.append(f"{broker} --programs {program} --moments {moment}")
            else:
                shutil.rmtree(folder)
            ended += 1
            print(f"{ended:3}/{len(visits)}  {broker:9}  {program:13}  {moment:8}  {time.monotonic() - at:5.1f} s  {trouble or 'ok'}",
                  flush=True)  # fmt: skip

    async with asyncio.TaskGroup() as tasks:
        for each in visits:
            tasks.create_task(visit(*each))
    for what in failed:
        print(f"FAILED, repeat: python -m tests.system.kill_matrix {what}")
    print(f"{len(visits) - len(failed)} of {len(visits)} ok, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "brokers", nargs="*", metavar="broker", help=f"of {', '.join(BROKERS)}; both when none is named"
    )
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--moments", nargs="+", choices=list(MOMENTS), default=list(MOMENTS))
    parser.add_argument(
        "--at-once", type=int, default=2, help="so many visits beside one another, each a store of its own"
    )
    given = parser.parse_args()
    if unknown := set(given.brokers) - set(BROKERS):
        parser.error(f"no broker {', '.join(sorted(unknown))}; there are {' and '.join(BROKERS)}")
    sys.exit(asyncio.run(main(given.brokers or list(BROKERS), given.programs, given.moments, given.at_once)))
