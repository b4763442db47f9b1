"""Settings of an edge agent: one TOML file, read once (`config.load.load`). Samples are `config/shipped/edge-*.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from config.display_settings import DisplaySettings
from config.load import Section, load, resolve
from config.mqtt import MqttSettings

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
LaneId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")]
"""Shorter than other IDs: a lane's devices are named `printer-{lane}`, and that is an ID too."""
Baud = Annotated[int, Field(ge=1200, le=1_000_000)]
Port = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A serial port; name it by `/dev/serial/by-id/…`, which stays the same whatever is plugged in first."""
Seconds = Annotated[float, Field(gt=0, le=3600)]
LANE_DEVICES = ("reader", "printer", "gate", "keypad", "nfc")
"""Each is `{kind}-{lane}` among the agent's devices."""
Dbm = Annotated[float, Field(ge=-127, le=20)]


class BeaconSettings(Section):
    """Scanning for customers' beacons."""

    adapter: str | None = None
    """`hci0`, `hci1` …; None: the first."""
    passive: bool = True
    """Run a passive scanner next to the active one: it keeps exact RSSI on adapters that filter duplicates."""
    heartbeat: str | None = None
    """ID of a beacon fixed in the store, e.g. `ibeacon:<uuid>:1:1`. Its silence tells that scanning died."""
    silence_s: Seconds = 5.0
    """Without the heartbeat (or, if there is none, any advertisement) for so long, scanning is started anew."""
    enter_rssi_dbm: Dbm = -72.0
    """Smoothed level from which a customer counts as inside; those who pass by outside stay below."""
    leave_after_s: Seconds = 15.0
    """A beacon that advertises often and is not heard for so long has left. Sparse ones get more time by themselves."""


class ReaderPort(Section):
    port: Port
    baud: Baud = 115200
    framing: Literal["terminator", "stx_etx", "stx_etx_bcc"] = "terminator"


class PrinterPort(Section):
    port: Port
    baud: Baud = 115200
    columns: Annotated[int, Field(ge=16, le=80)] = 48
    completion: Literal["process_id", "gs_r"] = "process_id"
    """How the printer confirms that paper came out: `process_id` (TM-T88IV and later …), `gs_r` for models without it."""
    cut_counter: Literal[178, 50] | None = 178
    """The maintenance counter that settles whether an interrupted coupon came out; None if the model has none."""


class GatePort(Section):
    port: Port
    baud: Baud = 115200
    parity: Literal["N", "E", "O"] = "N"


class KeypadPort(Section):
    """A keypad that sends a byte for each key (`devices.keypad_frames`), for the number that stands for an exit code."""

    port: Port
    baud: Baud = 9600
    help_key: Literal["A", "B", "C", "D"] | None = "A"
    """This key calls a clerk. None: it has no such key, or the gate's board has a button."""


class NfcPort(Section):
    """An NFC module (PN532) that phones are held to."""

    port: Port
    baud: Baud = 115200


class LaneSettings(Section):
    """One exit lane. A lane may do without printer (coupons are then electronic) and without gate (an exit counter)."""

    id: LaneId
    reader: ReaderPort
    printer: PrinterPort | None = None
    gate: GatePort | None = None
    keypad: KeypadPort | None = None
    nfc: NfcPort | None = None
    offline: Literal["open", "refuse"] = "open"
    """What the lane does with a valid, unused code when the hub does not answer within `decide_s`."""
    decide_s: Seconds = 2.0
    print_patience_s: Seconds = 12.0
    gate_patience_s: Seconds = 10.0
    """So long the gate is told to open for who stands there, before a clerk is called; then her code is free again."""
    show_s: Seconds = 20.0
    """How long a coupon's code stands on the display for her terminal's camera, before the gate opens all the same."""
    trouble_s: Seconds = 20.0
    """A device of the lane may be out of order for so long before a clerk is called."""
    call_s: Seconds = 180.0
    """A call for a customer ends by itself after so long."""


class MemberCodes(Section):
    """A QR reader at an entrance, for members' codes."""

    kind: Literal["member_code"]
    id: LaneId
    port: Port
    baud: Baud = 115200
    framing: Literal["terminator", "stx_etx", "stx_etx_bcc"] = "terminator"
    stay_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """So long after showing her code she is taken to be in the store: nothing notices when she leaves."""


class PeopleCounter(Section):
    """An infrared counter at a door, on a counter module (`devices.people_counter_frames`)."""

    kind: Literal["counter"]
    id: LaneId
    port: Port
    baud: Baud = 9600
    address: Annotated[int, Field(ge=0, le=255)] = 1
    """As set in the module."""
    poll_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    tell_every_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """The hub is told this often at most."""


class FaceDetector(Section):
    """A camera with a plugin that recognises faces (`edge.detectors.plugin`). Known is only who agreed to it: the hub sees to that."""

    kind: Literal["face"]
    id: LaneId
    plugin: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.-]*(:[A-Za-z_]\w*)?$", max_length=200)]
    """`module:factory`, or the name of an entry point in the group `instore.detectors`."""
    stay_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """So long after she was seen last she is taken to be in the store."""
    options: dict[str, Any] = Field(default={}, max_length=100)
    """For the plugin."""


DetectorSettings = Annotated[MemberCodes | PeopleCounter | FaceDetector, Field(discriminator="kind")]


class MetricsSettings(Section):
    """Numbers for Prometheus at http://host:port/metrics, and the state in words at /healthz. Without a password: nothing
    personal stands there, but give it to the network that watches the store only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9101
    """0: any free port (tests)."""


class EdgeSettings(Section):
    """The whole file."""

    store: Id
    agent: Id
    database: Path
    mqtt: MqttSettings
    beacons: BeaconSettings | None = None
    detector: Annotated[tuple[DetectorSettings, ...], Field(max_length=16)] = ()
    lane: Annotated[tuple[LaneSettings, ...], Field(max_length=16)] = ()
    heartbeat_s: Seconds = 5.0
    metrics: MetricsSettings | None = None
    """None: no port is opened."""
    display: DisplaySettings | None = None
    """None: the lanes have no displays."""

    @model_validator(mode="after")
    def _consistent(self) -> EdgeSettings:
        if self.beacons is None and not self.lane and not self.detector:
            raise ValueError(
                "this agent has nothing to do: give it [beacons], a [[detector]], a [[lane]], or several of them"
            )
        if self.agent == "terminal":
            raise ValueError("no agent may be called 'terminal': it stands for members' own terminals")
        if not self.mqtt.shared_user and self.mqtt.username != f"agent-{self.agent}":
            raise ValueError(
                f"mqtt.username is {self.mqtt.username!r}; the broker knows this agent as 'agent-{self.agent}' "
                "(with a broker that has one user for all: shared_user = true)"
            )
        ids = [lane.id for lane in self.lane]
        same = sorted({lane for lane in ids if ids.count(lane) > 1})
        if same:
            raise ValueError(f"two lanes have the same id: {', '.join(same)}")
        devices = [f"{kind}-{lane.id}" for lane in self.lane for kind in LANE_DEVICES]
        devices += ["beacons", *(detector.id for detector in self.detector)]
        same = sorted({name for name in devices if devices.count(name) > 1})
        if same:
            raise ValueError(f"two devices have the same name: {', '.join(same)}")
        ports = [device.port for lane in self.lane for kind in LANE_DEVICES if (device := getattr(lane, kind))]
        ports += [detector.port for detector in self.detector if not isinstance(detector, FaceDetector)]
        twice = sorted({port for port in ports if ports.count(port) > 1})
        if twice:
            raise ValueError(f"two devices share the port {', '.join(twice)}")
        return self


def load_edge(settings_file: Path) -> EdgeSettings:
    """The settings, with the database's path made absolute. Raises SettingsError."""
    read = load(settings_file, EdgeSettings)
    return read.model_copy(update={"database": resolve(settings_file, read.database)})
