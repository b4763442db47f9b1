"""What the hub has last heard of agents and their devices, for whoever watches. In memory: a restart hears it again."""

from __future__ import annotations

from dataclasses import dataclass

from contract.envelope import Message
from contract.payloads import AgentHeartbeat, ClientState, DevicePower, DeviceStatus
from delivery.engine import Tx

AGENTS_MAX = 1000
DEVICES_MAX = 4000


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
        else:
            self.untold += 1

    def online(self, agents: dict[str, ClientState]) -> dict[tuple[str, str], bool]:
        """Devices of an agent that is away can't be used, whatever it said last."""
        return {key: on and agents.get(key[0]) is ClientState.READY for key, on in self.devices.items()}
