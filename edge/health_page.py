"""How an agent is, in words: for `/healthz`, for `systemctl status`, and for the watchdog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.payloads import DeviceStatus
from delivery.watchdog import Check, Watchdog

if TYPE_CHECKING:
    from edge.agent import Agent, Watched


def checks(agent: Agent) -> list[Check]:
    """The loops of the agent that must go round. Drivers are not among them: they are started anew one by one."""
    found = [Check("node", lambda: agent.node.rounds, agent.node.poke)]
    workers: dict[str, Watched] = {
        "announcer": agent.announcer,
        **{f"lane {name}": lane for name, lane in agent.lanes.items()},
    }
    if agent.detection is not None:
        workers["detection"] = agent.detection
    for name, worker in workers.items():
        found.append(Check(name, lambda worker=worker: sum(worker.pulse.rounds.values()), worker.poke))  # type: ignore[misc]
    return found


def status_line(agent: Agent) -> str:
    """One line: the broker, the devices that are missing, what waits."""
    devices = agent.announcer.devices
    missing = sorted(name for name, told in devices.items() if told.power.value != "online")
    return (
        f"{'connected' if agent.node.link.up else 'no broker'}; {len(devices) - len(missing)} of {len(devices)} devices "
        f"online{', not: ' + ', '.join(missing) if missing else ''}; {agent.engine.unacknowledged()} messages wait"
    )


def page(agent: Agent, watchdog: Watchdog) -> tuple[bool, dict[str, Any]]:
    """Whether the agent does its work, and how each part is. Without the broker it works on; a device is the device's."""
    hung = list(watchdog.hung) if watchdog.ready else ["still starting"]
    disk = agent.node.disk_trouble
    devices = {name: _words(told) for name, told in sorted(agent.announcer.devices.items())}
    board = agent.display.board if agent.display is not None else None
    displays = (
        {} if board is None else {lane: "shown" if board.watched(lane) else "no page is open" for lane in board.lanes}
    )
    return not hung and not disk, {
        "broker": agent.node.link.trouble or "ok",
        "database": disk or "ok",
        "hung": hung,
        "devices": devices,
        **({"displays": displays} if displays else {}),
        "worker_restarts": agent.health.all_restarts(),
        "unacknowledged": agent.engine.unacknowledged(),
        "oldest_unacknowledged_s": round(agent.engine.oldest_unacknowledged_s(), 1),
    }


def _words(told: DeviceStatus) -> str:
    flags = f" ({', '.join(told.flags)})" if told.flags else ""
    return f"{told.power.value}{flags}{': ' + told.reason if told.reason else ''}"
