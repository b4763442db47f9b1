"""`instore sim`: simulated hardware behind real ports, one process a device, commanded at a socket."""

from __future__ import annotations

from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from instore import started
from instore.errors import told
from instore.logs import configure

app = typer.Typer(no_args_is_help=True, help="Simulated hardware behind real ports, each runnable alone.")


class Scenario(StrEnum):
    """Scripted days."""

    ARRIVALS = "arrivals"
    EXITS = "exits"


Link = Annotated[Path, typer.Option(help="where the serial port appears")]
Control = Annotated[Path, typer.Option(help="socket for commands, a line of JSON each")]
Baud = Annotated[int | None, typer.Option(help="real time on the wire at this rate; none: as fast as it goes")]
State = Annotated[Path | None, typer.Option(help="what the device remembers without power")]


def _run(program: Coroutine[Any, Any, None]) -> None:
    import uvloop

    from firmware_sim.control import ControlError

    configure()
    started()
    with told():
        try:
            uvloop.run(program)
        except ControlError as error:
            raise ValueError(str(error)) from None
        except KeyboardInterrupt:
            raise SystemExit(0) from None


@app.command()
def reader(link: Link, control: Control, framing: str = "cr", aim: bool = False, baud: Baud = None) -> None:
    """A QR reader. Commands: present, hold, noise, half, flood, unplug, plug."""
    from firmware_sim.reader import run_reader

    _run(run_reader(link, control, framing=framing, aim=aim, baud=baud))


@app.command()
def counter(
    link: Link,
    control: Control,
    address: Annotated[int, typer.Option(min=0, max=255, help="as set in the module")] = 1,
    baud: Baud = None,
) -> None:
    """An infrared people counter on a counter module. Commands: pass, restart, set, silent, damage, noise, unplug, plug, state."""
    from firmware_sim.counter import run_counter

    _run(run_counter(link, control, address=address, baud=baud))


@app.command()
def keypad(link: Link, control: Control, baud: Baud = None) -> None:
    """A lane's keypad. Commands: type, bounce, noise, unplug, plug, state."""
    from firmware_sim.keypad import run_keypad

    _run(run_keypad(link, control, baud=baud))


@app.command()
def nfc(link: Link, control: Control, baud: Baud = None) -> None:
    """An NFC module (PN532) and what is held near it. Commands: hold, away, corrupt, silent, noise, unplug, plug, state."""
    from firmware_sim.nfc import run_nfc

    _run(run_nfc(link, control, baud=baud))


@app.command()
def gate(link: Link, control: Control, state: State = None, baud: Baud = None) -> None:
    """A flapper gate on Modbus RTU. Commands: walk, tailgate, force, both_ways, obstacle, help, fire, fault, mains, unplug, plug, state."""
    from firmware_sim.gate import run_gate

    _run(run_gate(link, control, state_file=state, baud=baud))


@app.command()
def printer(
    link: Link,
    control: Control,
    out: Annotated[Path, typer.Option(help="folder of the receipts (PNG and text)")],
    state: State = None,
    baud: Baud = None,
    model: Annotated[str, typer.Option(help="which printer it is")] = "tm-t88v",
) -> None:
    """A receipt printer (ESC/POS). Commands: paper_out, paper_ok, near_end, cover_open, cover_close, power_cycle, …"""
    from firmware_sim.printer import run_printer

    _run(run_printer(link, control, out_dir=out, state_file=state, baud=baud, model=model))


@app.command()
def lane(folder: Annotated[Path, typer.Option(help="where ports, sockets and receipts appear")]) -> None:
    """All devices of one exit lane: reader, keypad, NFC module, printer, gate. Commands as for each of them, at `reader.sock` …"""
    from firmware_sim.lane_set import run_lane_set

    folder.mkdir(parents=True, exist_ok=True)
    _run(run_lane_set(folder))


@app.command()
def beacons(
    bus: Annotated[Path, typer.Option(help="socket of the private D-Bus: DBUS_SYSTEM_BUS_ADDRESS=unix:path=…")],
    control: Control,
    adapter: Annotated[list[str], typer.Option(help="name@x,y in metres, e.g. hci0@0,0; several")] = ["hci0@0,0"],  # noqa: B006
    seed: int = 1,
) -> None:
    """A radio with beacons, heard through an emulated BlueZ. Commands: add, walk, remove, advert, fault, state."""
    from firmware_sim.beacons import AdapterPlace, run_beacons

    places = [AdapterPlace(name, place) for name, place in map(_adapter, adapter)]
    _run(run_beacons(bus, control, adapters=places, seed=seed))


def _adapter(text: str) -> tuple[str, tuple[float, float]]:
    try:
        name, _, place = text.partition("@")
        x, y = (float(part) for part in place.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no adapter; expected name@x,y such as hci0@0,0") from None
    return name, (x, y)


@app.command()
def phones(
    control: Control,
    hub: Annotated[str, typer.Option(help="the hub's web address")] = "http://127.0.0.1:8080",
    first: Annotated[Path | None, typer.Option(help="file of commands to begin with, a line of JSON each")] = None,
    seed: int = 1,
) -> None:
    """Members' terminals, many in one process. Commands: register, sign_in, readings, consent, presence, off, on, …"""
    from firmware_sim.phones import run_phones

    with told():
        lines = first.read_text(encoding="utf-8").splitlines() if first else []
    _run(run_phones(hub, control, first=lines, seed=seed))


@app.command()
def day(
    scenario: Annotated[Scenario, typer.Option(help="what the day is about")] = Scenario.ARRIVALS,
    customers: Annotated[int, typer.Option(min=1, max=5000, help="arrivals: who is known")] = 100,
    exits: Annotated[int, typer.Option(min=1, max=10_000, help="exits: how many")] = 100,
    lanes: Annotated[int, typer.Option(min=1, max=16, help="exits: how many lanes, two on each agent")] = 2,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="exits: paper out, printer off, gate stuck, agent killed, hub away; by seed"),
    ] = False,
    speed: Annotated[
        float, typer.Option(min=1, max=600, help="exits: how much faster the store's time runs than the clock")
    ] = 60.0,
    patience_s: Annotated[
        float, typer.Option(min=5, help="exits: who is not out so long after coming to the exit is stuck")
    ] = 180.0,
    seed: int = 1,
    broker: Annotated[str, typer.Option(help="mosquitto or amqtt, started for the day")] = "mosquitto",
    json_lines: Annotated[
        bool, typer.Option("--json", help="progress as JSON too; the last line sums up in any case")
    ] = False,
    folder: Annotated[Path | None, typer.Option("--dir", help="keep all files here")] = None,
    length_s: Annotated[
        float | None, typer.Option(min=5, help="arrivals: how long the doors are open; none: 0.36 s a customer")
    ] = None,
) -> None:
    """A scripted day through real broker and real processes; exit code 0 only if it brought exactly what it had to bring."""
    import asyncio

    from instore.day.exits_play import ExitsOptions, play_exits
    from instore.day.play import DayOptions, play

    with told():
        if scenario is Scenario.EXITS:
            raise SystemExit(
                asyncio.run(
                    play_exits(ExitsOptions(exits, lanes, seed, faults, broker, json_lines, folder, speed, patience_s))
                )
            )
        raise SystemExit(asyncio.run(play(DayOptions(customers, seed, broker, json_lines, folder, length_s))))


@app.command()
def store(
    seed: Annotated[int, typer.Option(help="one run: prints its trace and what came of it")] = 1,
    seeds: Annotated[str, typer.Option(help="many runs, such as 1-1000")] = "",
    agents: Annotated[int, typer.Option(min=1, max=50)] = 3,
    lanes: Annotated[int, typer.Option(min=1, max=50)] = 2,
    customers: Annotated[int, typer.Option(min=0, max=100_000)] = 40,
    hours: Annotated[float, typer.Option(min=0.05, max=1000)] = 0.25,
    faults: Annotated[float, typer.Option(min=0, max=10_000, help="in an hour, on average")] = 60.0,
    tricks: Annotated[float, typer.Option(min=0, max=100, help="how much likelier people do odd things")] = 1.0,
    keep: Annotated[
        str, typer.Option(help="only these faults, by number (none: not one); as a replay prints them")
    ] = "",
    shrink: Annotated[bool, typer.Option(help="leave out faults for as long as the rule is still broken")] = False,
    trace: Annotated[bool, typer.Option(help="print every line of the trace of one run")] = True,
    json_lines: Annotated[bool, typer.Option("--json", help="one line of JSON a run, and one that sums up")] = False,
    workers: Annotated[int, typer.Option(min=0, help="processes; 0: one for each processor")] = 0,
) -> None:
    """A whole store on a virtual clock: the real programs, simulated network, devices, people and faults, by seed."""
    from simulation.plan import Plan, Size
    from simulation.telling import many, one

    size = Size(agents, lanes, customers, hours, faults, tricks)
    if seeds:
        raise SystemExit(many(_seeds(seeds), size, workers or None, json_lines=json_lines))
    plan = Plan(seed, size, _numbers(keep))
    raise SystemExit(one(plan, shrunk=shrink, trace=trace, json_lines=json_lines))


def _seeds(text: str) -> range:
    try:
        first, _, last = text.partition("-")
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no range of seeds; expected such as 1-1000") from None


def _numbers(text: str) -> frozenset[int] | None:
    if not text:
        return None
    try:
        return frozenset(int(part) for part in text.split(",") if part != "none")
    except ValueError:
        raise typer.BadParameter(f"{text!r} are no numbers of faults; expected such as 3,7,12") from None
