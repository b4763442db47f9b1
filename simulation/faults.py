"""Faults, as they happen to a running store. What is broken for a while is put right by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from devices.advert_frames import FrameKind
from devices.beacon_settings import Advert
from edge.lane_types import Phase
from simulation.members import CUSTOMERS, is_rotating, rotating
from simulation.network import Weather
from simulation.plan import NETWORK_FAULTS, PROGRAM_FAULTS, RADIO_FAULTS, Fault
from simulation.programs import AgentProgram, Program

if TYPE_CHECKING:
    from simulation.store import Store

CLOCK_JUMPS_S = (-1.7e9, -7200.0, -30.0, 5.0, 45.0, 600.0)
"""Never set (the year 1970), a summer time that was missed, and what a bad NTP server does."""
HUB_CLOCK_JUMPS_S = (-25.0, -2.0, 2.0, 25.0)
"""The hub's clock is the store's: it is held by NTP, and codes allow for 60 s."""
MOMENT_S = 40.0
_MOMENTS = (None, Phase.PRINTING, Phase.OPENING, Phase.OPEN)
_WAY_OF_ONE = ("cut", "one_way")
_AT_AN_OPEN_GATE = ("wrong_way", "intruder")
FLOOD_HZ, FLOOD_MAX_S = 50.0, 5.0
REPLAY_HZ, REPLAY_MAX_S, REPLAY_AGE_S = 2.0, 10.0, 2400.0


async def happen(store: Store, fault: Fault) -> None:
    """Wait for its time, do it, and put it right after its time."""
    await asyncio.sleep(fault.at_s)
    await _bad_moment(store, fault)
    store.truth.note("FAULT", str(fault))
    store.truth.counts["faults"] += 1
    store.truth.counts[f"fault {fault.kind}"] += 1
    for name in store.machines:
        if name == fault.target or name.startswith(f"{fault.target}-"):
            store.truth.counts[f"at a lane {store.truth.phase_at(name)}"] += 1
    of_one = fault.kind not in NETWORK_FAULTS or fault.kind in _WAY_OF_ONE
    whose = fault.target if of_one else ""
    store.broken_until(store.loop.time() + fault.for_s + 1.0, whose)
    if fault.kind in PROGRAM_FAULTS:
        await _program(fault, store.hub if fault.target == "hub" else store.agents[fault.target])
    elif fault.kind in NETWORK_FAULTS:
        await _network(store, fault)
    elif fault.kind in RADIO_FAULTS:
        await _radio(store, store.agents[fault.target], fault)
    else:
        await _machine(store, fault)
    store.broken_until(store.loop.time() + 1.0, whose)


async def _bad_moment(store: Store, fault: Fault) -> None:
    """Three of four faults wait until a lane is in the middle of something: most of the time little can be broken."""
    phase = Phase.OPEN if fault.kind in _AT_AN_OPEN_GATE else _MOMENTS[fault.number % len(_MOMENTS)]
    if phase is None or not store.machines:
        return
    near = [name for name in store.machines if name == fault.target or name.startswith(f"{fault.target}-")]
    names = near or list(store.machines)
    try:
        async with asyncio.timeout(MOMENT_S):
            await store.truth.when(names[fault.number // len(_MOMENTS) % len(names)], phase)
    except TimeoutError:
        return
    await asyncio.sleep(fault.amount * (0.01 if phase is Phase.OPENING else 0.8))


async def _program(fault: Fault, program: Program) -> None:
    if fault.kind in ("freeze", "disk_full") and program.alive:
        program.truth.excuse(program.name, program.loop.time() + fault.for_s)
    match fault.kind:
        case "lonely_death":  # what it said last has reached nobody
            for client in _clients(fault.target):
                program.broker.cut(client, fault.for_s + 3.0)
            await asyncio.sleep(3.0 * fault.amount)
            await _die(replace(fault, kind="kill"), program, program.rng)
        case "kill" | "kill_at_step" | "kill_before_commit" | "kill_after_commit" | "torn_commit" | "stop":
            await _die(fault, program, program.rng)
        case "freeze":
            program.process.freeze(fault.for_s)
            await asyncio.sleep(fault.for_s)
        case "disk_full":
            program.disk.full = True
            await asyncio.sleep(fault.for_s)
            program.disk.full = False
            if program.alive:
                program.truth.excuse(program.name, program.loop.time())
        case "slow_disk":
            program.disk.slow_s = 0.005 + 0.1 * fault.amount
            await asyncio.sleep(fault.for_s)
            program.disk.slow_s = 0.0
        case "clock":
            jumps = CLOCK_JUMPS_S if isinstance(program, AgentProgram) else HUB_CLOCK_JUMPS_S
            program.clock_off_s = jumps[int(fault.amount * len(jumps))]
            await asyncio.sleep(fault.for_s)
            program.clock_off_s = 0.0


def _clients(target: str, chance: float = 1.0) -> list[str]:
    """Its connections: the hub has two. By `chance` (0 … 1) only one of them."""
    both = ["hub-main", "hub-main:express"] if target == "hub" else [f"agent-{target}"]
    return both if chance > 0.4 else both[:1] if chance > 0.2 else both[-1:]


async def _die(fault: Fault, program: Program, rng: Random) -> None:
    process, disk, nth = program.process, program.disk, int(1 + fault.amount**3 * 40)
    match fault.kind:
        case "kill":
            program.kill()
        case "stop" if isinstance(program, AgentProgram):
            program.stop()
        case "stop":
            program.kill()
        case "kill_at_step":
            process.kill_at_step = process.steps + nth
        case "kill_before_commit":
            disk.kill_before = disk.commits + nth
        case "kill_after_commit":
            disk.kill_after = disk.commits + nth
        case "torn_commit":
            disk.tear = disk.commits + nth, rng
    for _ in range(200):  # it may be some time until its next commit
        if not program.alive or process is not program.process:
            break
        await asyncio.sleep(0.1)
    if fault.kind == "stop" and process.alive:
        process.kill()  # as a service manager does with one that takes too long
    await asyncio.sleep(0.05 + min(fault.for_s, 20.0))
    if program.alive and process is program.process:
        process.kill_at_step = disk.kill_before = disk.kill_after = disk.tear = None
    else:
        program.start()


async def _network(store: Store, fault: Fault) -> None:
    broker = store.broker
    clients = _clients(fault.target, fault.amount * 7 % 1)
    match fault.kind:
        case "cut":
            for client in clients:
                broker.cut(client, fault.for_s)
            await asyncio.sleep(fault.for_s)
        case "one_way":
            for client in clients:
                broker.cut(client, fault.for_s, "up" if fault.amount < 0.5 else "down")
            await asyncio.sleep(fault.for_s)
        case "pos_line":
            store.hub.mishaps = 0.1 + 0.8 * fault.amount
            await asyncio.sleep(fault.for_s)
            store.hub.mishaps = 0.0
        case "outside_away":
            store.post.up = False
            await asyncio.sleep(fault.for_s)
            store.post.up = True
        case "broker_restart":
            broker.restart(fault.for_s)
            await asyncio.sleep(fault.for_s)
        case "handhelds_cut":
            for clerk in store.clerks:
                broker.cut(f"clerk-{clerk.name}", fault.for_s)
            await asyncio.sleep(fault.for_s)
        case "phones_cut":
            store.phones_cut = True
            for phone in store.phones:
                phone.cut()
            await asyncio.sleep(fault.for_s)
            store.phones_cut = False
        case "blackout":  # the whole store is without power
            programs = [store.hub, *store.agents.values()]
            broker.restart(1.0 + fault.for_s)
            for program in programs:
                program.kill()
            await asyncio.sleep(0.5 + fault.for_s)
            for program in programs:
                program.start()
        case "swizzle":  # cut off some, one after the other, and let them back in another order
            clients = sorted(broker.sessions)
            for one in store.chance.sample(clients, k=min(3, len(clients))):
                broker.cut(one, fault.for_s * (0.2 + store.chance.random()))
                await asyncio.sleep(fault.for_s * 0.1)
            await asyncio.sleep(fault.for_s * 1.2)
        case _:
            share = 0.05 + 0.6 * fault.amount
            broker.weather = {
                "lose": Weather(lose=share),
                "double": Weather(double=share),
                "shuffle": Weather(shuffle_s=share),
                "slow": Weather(slow_s=4 * share),
            }[fault.kind]
            await asyncio.sleep(fault.for_s)
            broker.weather = Weather()


async def _radio(store: Store, agent: AgentProgram, fault: Fault) -> None:
    if fault.kind == "radio_out":
        agent.radio = False
        await asyncio.sleep(fault.for_s)
        agent.radio = True
        return
    if fault.kind == "radio_replay":  # what rotating beacons said an hour ago, by somebody who has recorded it
        some = store.chance.sample([n for n in range(1, CUSTOMERS + 1) if is_rotating(n)], k=3)
        for _ in range(int(REPLAY_HZ * min(fault.for_s, REPLAY_MAX_S))):
            for n in some:
                said = rotating(n).frame(agent.loop.time() - REPLAY_AGE_S)
                agent.hears(Advert(said, FrameKind.EDDYSTONE_EID, -50, -59, "", "hci0", agent.loop.time()))
            await asyncio.sleep(1 / REPLAY_HZ)
        return
    for n in range(int(FLOOD_HZ * min(fault.for_s, FLOOD_MAX_S))):  # beacons that nobody has, each once
        beacon = f"ibeacon:made-up:{fault.number}:{n}"
        agent.hears(Advert(beacon, FrameKind.IBEACON, -50, -59, "", "hci0", agent.loop.time()))
        await asyncio.sleep(1 / FLOOD_HZ)


async def _machine(store: Store, fault: Fault) -> None:
    machines = store.machines[fault.target]
    printer, gate = machines.printer, machines.gate
    board = gate.board
    code = 1 + int(fault.amount * 90)
    acts: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "reader_out": (lambda: machines.plug_reader(False), lambda: machines.plug_reader(True)),
        "reader_noise": (lambda: setattr(machines, "noise", 0.001 + 0.05 * fault.amount), lambda: setattr(machines, "noise", 0.0)),
        "reader_stutter": (lambda: setattr(machines, "stutter", 0.3 + 0.7 * fault.amount), lambda: setattr(machines, "stutter", 0.0)),
        "paper_end": (lambda: printer.hinder("rec_empty", True), lambda: printer.hinder("rec_empty", False)),
        "cover_open": (lambda: printer.hinder("cover_open", True), lambda: printer.hinder("cover_open", False)),
        "cutter_jam": (lambda: printer.hinder("cutter_error", True), lambda: printer.hinder("cutter_error", False)),
        "printer_slow": (lambda: setattr(printer, "slowness", 1 + 30 * fault.amount), lambda: setattr(printer, "slowness", 1.0)),
        "printer_power": (lambda: printer.set(powered=False), lambda: printer.set(powered=True)),
        "printer_cable": (lambda: printer.set(plugged=False), lambda: printer.set(plugged=True)),
        "printer_deaf": (lambda: setattr(printer, "deaf", 0.2 + 0.8 * fault.amount), lambda: setattr(printer, "deaf", 0.0)),
        "gate_cable": (lambda: gate.plug(False), lambda: gate.plug(True)),
        "gate_noise": (lambda: setattr(gate, "noise", 0.2 + 0.79 * fault.amount), lambda: setattr(gate, "noise", 0.0)),
        "gate_power": (lambda: gate.run(board.boot), lambda: None),
        "gate_mains": (lambda: gate.run(lambda: board.set_mains_lost(True)), lambda: gate.run(lambda: board.set_mains_lost(False))),
        "gate_fault": (lambda: gate.run(lambda: board.set_fault(code)), lambda: gate.run(lambda: board.set_fault(0))),
        "gate_jam": (lambda: gate.run(lambda: board.jam(True)), lambda: gate.run(lambda: board.jam(False))),
        "wrong_way": (lambda: gate.run(lambda: board.walk("entry")), lambda: None),
        "intruder": (lambda: gate.run(board.tailgate), lambda: None),
        "fire": (lambda: gate.run(lambda: board.set_fire(True)), lambda: gate.run(lambda: board.set_fire(False))),
        "obstacle": (lambda: gate.run(lambda: board.set_obstacle(True)), lambda: gate.run(lambda: board.set_obstacle(False))),
    }  # fmt: skip
    begin, end = acts[fault.kind]
    for act in (begin, end):
        act()
        store.lane_watch.devices(machines)
        if act is begin:
            await asyncio.sleep(fault.for_s)
