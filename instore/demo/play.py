"""`instore demo`: sets the stage, plays visits, shows what happens."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from instore.demo.layout import BEACONS, DEFAULT_FOLDER, Layout, broker_place, make_layout
from instore.demo.record import Happening, Record
from instore.demo.stage import NoBroker, Stage
from instore.demo.summary import summary
from instore.demo.visit import Gone, Play, Shopper
from instore.logs import configure

READY_S = 60.0
HANAKO = Shopper("C0001", "山田 花子", f"{BEACONS}:1:1", 5480, good=True)
JOHN = Shopper("C0002", "John Smith", f"{BEACONS}:1:2", 2300, good=False)
ICHIRO = Shopper("C0003", "鈴木 一郎", f"{BEACONS}:1:3", 640, good=False)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command was asked for."""

    once: bool
    json: bool
    broker: str
    port: int
    folder: Path | None


async def play(options: DemoOptions) -> int:
    """Play the demo; returns the exit code: 0 when everything happened."""
    configure()
    folder = options.folder or (Path(f"run/demo-once-{os.getpid()}") if options.once else DEFAULT_FOLDER)
    layout = make_layout(folder, broker_place(options.broker))
    if options.once:
        return await _once(layout, options)
    from instore.demo.watch import watch

    return await watch(layout, options.port, as_json=options.json)


async def _once(layout: Layout, options: DemoOptions) -> int:
    show = _print_json if options.json else _narrator()
    record = Record(show)
    stage = Stage(layout, record)
    failure = ""
    try:
        await stage.start()
        missing = await stage.ready(READY_S)
        if missing:
            failure = f"the store does not get ready: {'; '.join(missing)}; see {layout.path('logs')}"
        else:
            await Play(stage).visit(HANAKO, arrive=lambda: stage.appear(HANAKO.customer, HANAKO.beacon, (0.4, 0.0)))
    except (Gone, NoBroker) as error:
        failure = str(error)
    finally:
        await stage.stop()
    result = summary(record.all, layout.path("receipts"), layout.path("sim/gate.json"))
    result["ok"] = result["ok"] and not failure
    record.add("instore.demo.summary", {**result, "failure": failure, "folder": str(layout.folder)})
    if failure and options.json:
        print(f"instore: {failure}", file=sys.stderr)
    return 0 if result["ok"] else 1


def _print_json(happening: Happening) -> None:
    sys.stdout.write(happening.line() + "\n")
    sys.stdout.flush()


def _narrator() -> Callable[[Happening], None]:
    from instore.demo.words import tell

    def show(happening: Happening) -> None:
        sentence = tell(happening)
        if sentence:
            print(f"{happening.t_ms / 1000:7.2f} s  {sentence}", flush=True)

    return show


async def shop_for_ever(stage: Stage, play: Play) -> None:
    """Customers come and go, one after another, until cancelled."""
    street, door, inside = (0.0, -14.0), (0.3, 0.2), (4.0, 3.0)
    while True:
        for shopper in (HANAKO, JOHN, ICHIRO):

            async def arrive(shopper: Shopper = shopper) -> None:
                await stage.appear(shopper.customer, shopper.beacon, street)
                await stage.walk(shopper.customer, door, 2.5)

            record = stage.record
            record.add("instore.demo.shopper", {"name": shopper.name, "does": "comes"})
            try:
                await play.visit(shopper, arrive=arrive)
                record.add("instore.demo.shopper", {"name": shopper.name, "does": "has left"})
            except Gone as gone:
                record.add("instore.demo.shopper", {"name": shopper.name, "does": f"gave up: {gone}"})
            await stage.walk(shopper.customer, inside, 2.5)
            await asyncio.sleep(4)  # the pace of the show
