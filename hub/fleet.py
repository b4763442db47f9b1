"""What the hub has last heard of agents and their devices, for whoever watches. In memory: a restart hears it again."""

from __future__ import annotations

from dataclasses import dataclass

from contract.envelope import Message
from contract.payloads import AgentHeartbeat, ClientState, DevicePower, DeviceStatus
from delivery.engine import Tx

AGENTS_MAX = 1000
DEVICES_MAX = 4000
NO_PAPER = frozenset({"rec_empty", "cover_open", "fatal_error"})
"""Flags of a printer from which no slip comes until somebody has been there."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One heartbeat and when it was heard (monotonic s)."""

    at: float
    beat: AgentHeartbeat


class Fleet:
    """Bounded; what does not fit is counted in `untold`."""

    def __init__(self) -> None:
        self.beats: dict[str, Heard] = {}
        self.devices: dict[tuple[str, str], bool] = {}
        """(agent, device): online."""
        self.printers: dict[tuple[str, str], bool] = {}
        """(agent, printer): it can print, by its last word."""
        self.untold = 0

    def on_heartbeat(self, message: Message, tx: Tx) -> None:
        beat, agent = message.data, message.ids["agent"]
        assert isinstance(beat, AgentHeartbeat)
        if agent in self.beats or len(self.beats) < AGENTS_MAX:
            tx.after_commit(lambda: self.beats.__setitem__(agent, Heard(tx.now, beat)))
        else:
            self.untold += 1

    def on_device(self, message: Message, tx: Tx) -> None:
        told, key = message.data, (message.ids["agent"], message.ids["device"])
        assert isinstance(told, DeviceStatus)
        if key in self.devices or len(self.devices) < DEVICES_MAX:
            online = told.power is DevicePower.ONLINE
            tx.after_commit(lambda: self.devices.__setitem__(key, online))
            if told.category == "pos_printer":
                able = told.power is not DevicePower.OFF_OFFLINE and not NO_PAPER.intersection(told.flags)
                tx.after_commit(lambda: self.printers.__setitem__(key, able))
        else:
            self.untold += 1

    def can_print(self, agent: str) -> bool:
        """Whether a slip may come out at an agent's lanes; yes as long as nothing is known to the contrary."""
        own = [able for (at, _), able in self.printers.items() if at == agent]
        return any(own) or not own

    def has_lanes(self, agent: str) -> bool:
        """Whether exit lanes hang on this agent, by the readers that it has told of."""
        return any(at == agent and device.startswith("reader-") for at, device in self.devices)

    def online(self, agents: dict[str, ClientState]) -> dict[tuple[str, str], bool]:
        """Devices of an agent that is away can't be used, whatever it said last."""
        return {key: on and agents.get(key[0]) is ClientState.READY for key, on in self.devices.items()}
