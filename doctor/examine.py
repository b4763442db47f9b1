"""All of it, in order: what everything else rests on comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from config.edge_settings import EdgeSettings
from doctor import machine, radio, wire
from doctor.finding import Finding, Said
from doctor.lane import LaneExam


@dataclass(frozen=True, slots=True)
class Options:
    """`lanes`: by ID, none named: all. `hands`: somebody stands at the lane. `patience_s`: for each thing that she has to do."""

    lanes: Sequence[str] = ()
    hands: bool = True
    patience_s: float = 60.0


async def examine(settings: EdgeSettings, settings_file: Path, options: Options, say: Callable[[Said], None],
                  now: datetime) -> list[Finding]:  # fmt: skip
    """Everything that this agent is to drive. `say` hears each finding and each prompt as it comes.

    Raises SettingsError when the password cannot be read, ValueError for a lane that is not in the settings.
    """
    known = [lane.id for lane in settings.lane]
    if strange := [lane for lane in options.lanes if lane not in known]:
        raise ValueError(f"this agent has no lane {strange[0]!r}; it has {', '.join(known) or 'none'}")
    findings: list[Finding] = []

    def told(said: Said) -> None:
        if isinstance(said, Finding):
            findings.append(said)
        say(said)

    told(machine.clock())
    told(machine.disk(settings.database.parent))
    for finding in await wire.broker_and_hub(settings, settings_file):
        told(finding)
    if settings.beacons is not None:
        told(await radio.listen(settings.beacons))
    for lane in settings.lane:
        if not options.lanes or lane.id in options.lanes:
            exam = LaneExam(lane, settings.agent, told, now, hands=options.hands, patience_s=options.patience_s)
            await exam.run()
    return findings
