"""What the log says of beacons that nobody has: enough to find one's own mistake, and never a flood."""

from __future__ import annotations

from structlog.testing import capture_logs

from contract.payloads import Sighting, SightingKind
from hub.strangers import EVERY_S, REMEMBERED_MAX, SHOWN, Strangers


def test_the_first_is_told_at_once_and_the_others_together() -> None:
    strangers = Strangers()
    assert strangers.hear("a", 0.0) == (["a"], 1)
    assert [strangers.hear(f"b{n}", 1.0) for n in range(40)] == [None] * 40
    assert strangers.hear("a", EVERY_S) == ([f"b{n}" for n in range(SHOWN)], 40)
    assert strangers.hear("b3", 3 * EVERY_S) is None  # told already


def test_a_street_full_of_them_is_bounded() -> None:
    strangers = Strangers()
    told = [strangers.hear(f"b{n}", n * EVERY_S / 100) for n in range(10 * REMEMBERED_MAX)]
    assert sum(line is not None for line in told) <= REMEMBERED_MAX / 100 + 2


def test_one_line_names_the_beacon_and_what_to_do(store) -> None:
    with capture_logs() as logs:
        for n in range(20):
            beacon = f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:9:{n}"
            data = Sighting(beacon=beacon, event=SightingKind.ARRIVED, zone="near", heard=store.now)
            store.hear(store.bytes_of("sighting", data, agent="door"))
    (line,) = [line for line in logs if "nobody has" in line["event"]]
    assert "instore customers import" in line["event"]
    assert (line["beacons"], line["new"]) == (["ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:9:0"], 1)
