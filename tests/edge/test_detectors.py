"""The cores of the detectors: what they make of codes, faces, counts; and the agent with each of them."""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from config.edge_settings import FaceDetector
from config.edge_settings import MemberCodes as CodeSettings
from config.edge_settings import PeopleCounter as PeopleSettings
from contract.payloads import Detector, SightingKind
from devices.reader_frames import Scan, ScanDataType
from edge.detectors.detector import AT_ONCE, Noticed
from edge.detectors.dwell import PRESENT_MAX, Dwell
from edge.detectors.member_codes import SCANS_MAX, MemberCodes, token_of
from edge.detectors.people import People
from edge.detectors.plugin import SEEN_MAX, NoPlugin, Plugin, find
from tests.edge.lane_bench import exit_code

TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ARRIVED, LEFT = SightingKind.ARRIVED, SightingKind.LEFT


def scan(text: str, t: float) -> Scan:
    return Scan(text, text.encode(), ScanDataType.QRCODE, "]Q1", t)


def told(events) -> list[tuple[str, str]]:
    return [(event.what, event.event.value) for event in events]


# --- dwell


def test_here_until_not_noticed_for_long():
    dwell = Dwell(Detector.FACE, 60.0)
    assert told(dwell.notice("a", 0.0)) == [("a", "arrived")]
    assert dwell.notice("a", 50.0) == []
    assert dwell.due() == 110.0
    assert dwell.tick(109.0) == []
    (left,) = dwell.tick(110.0)
    assert left == Noticed("a", LEFT, Detector.FACE, 50.0)
    assert dwell.due() is None
    assert told(dwell.notice("a", 111.0)) == [("a", "arrived")]


def test_a_late_look_first_says_who_left():
    dwell = Dwell(Detector.FACE, 60.0)
    dwell.notice("a", 0.0)
    assert told(dwell.notice("a", 100.0)) == [("a", "left"), ("a", "arrived")]


def test_dwell_is_bounded():
    dwell = Dwell(Detector.FACE, 1e6)
    events = [event for n in range(PRESENT_MAX + 5) for event in dwell.notice(str(n), float(n))]
    assert [event.what for event in events if event.event is LEFT] == ["0", "1", "2", "3", "4"]
    assert dwell.present == PRESENT_MAX


@pytest.mark.parametrize("seed", range(30))
def test_arrived_and_left_alternate(seed):
    rng, dwell, now = random.Random(seed), Dwell(Detector.FACE, 10.0), 0.0
    here: set[str] = set()
    for _ in range(500):
        now += rng.expovariate(0.5)
        events = dwell.notice(rng.choice("abcd"), now) if rng.random() < 0.7 else dwell.tick(now)
        for event in events:
            assert (event.what in here) is (event.event is LEFT), seed
            here ^= {event.what}
    dwell.tick(now + 10.0)
    assert dwell.present == 0


# --- member codes


@pytest.mark.row("A13")
@pytest.mark.parametrize(
    ("text", "token"),
    [
        (f"MEMBER:{TOKEN}", TOKEN),
        (f" MEMBER:{TOKEN}\n", TOKEN),
        ("MEMBER:" + "234567" + TOKEN[:20], "234567" + TOKEN[:20]),
        (f"MEMBER:{TOKEN}A", None),
        (f"MEMBER:{TOKEN[:-1]}", None),
        (f"member:{TOKEN}", None),
        (f"MEMBER:{TOKEN.lower()}", None),
        (f"MEMBER:{TOKEN[:-1]}-", None),
        (f"XMEMBER:{TOKEN}", None),
        (f"MEMBER:{TOKEN}\nMEMBER:{TOKEN}", None),
        (TOKEN, None),
        ("", None),
        ("4901234567894", None),
        ("https://example.com/?MEMBER", None),
    ],
)
def test_what_is_a_members_code(text, token):
    assert token_of(text) == token


def codes(**more: Any) -> MemberCodes:
    return MemberCodes(CodeSettings(kind="member_code", id="door", port="/dev/null", stay_s=600, **more))


@pytest.mark.row("A13")
def test_a_code_becomes_a_sighting_and_after_its_time_she_has_left():
    reader, woken = codes(), []
    reader._wake = lambda: woken.append(True)
    assert reader.due() is None
    reader.on_scan(scan(f"MEMBER:{TOKEN}", 10.0))
    assert woken
    assert reader.due() == AT_ONCE
    assert list(reader.step(10.1)) == [Noticed(f"member:{TOKEN}", ARRIVED, Detector.MEMBER_CODE, 10.0)]
    reader.on_scan(scan(f"MEMBER:{TOKEN}", 100.0))  # once more: she stays
    assert list(reader.step(100.0)) == []
    assert reader.due() == 700.0
    assert told(reader.step(700.0)) == [(f"member:{TOKEN}", "left")]
    assert reader.counted()["member_codes"] == 2


@pytest.mark.row("A13")
def test_other_texts_are_refused_and_counted_and_an_exit_code_is_not_used_up():
    reader = codes()
    for n, text in enumerate((exit_code(), "4901234567894", "MEMBER:short", "IS1:", "日本語")):
        reader.on_scan(scan(text, float(n)))
    assert list(reader.step(9.0)) == []
    assert reader.counted() == {"member_codes": 0, "refused_exit_code": 2, "refused_text": 3, "dropped_scans": 0}


def test_a_flood_of_codes_is_bounded():
    reader = codes()
    for n in range(SCANS_MAX + 7):
        reader.on_scan(scan("x", float(n)))
    assert reader.counted()["dropped_scans"] == 7
    list(reader.step(1e3))
    assert reader.due() is None


# --- people


def people(was: tuple[int, int] | None = None) -> People:
    return People(PeopleSettings(kind="counter", id="door", port="/dev/null", tell_every_s=10.0), was)


@pytest.mark.row("A13")
def test_the_first_is_told_at_once_and_those_behind_her_together():
    door = people((0, 0))
    door.on_totals(0, 0, 1.0)
    assert door.due() is None
    door.on_totals(1, 0, 2.0)
    (event,) = door.step(2.0)
    assert (event.entered, event.left, event.since, event.until, event.totals) == (1, 0, 1.0, 2.0, (1, 0))
    door.on_totals(3, 1, 3.0)
    assert list(door.step(3.0)) == []
    assert door.due() == 12.0
    door.on_totals(4, 1, 11.0)
    (event,) = door.step(12.0)
    assert (event.entered, event.left, event.since, event.until) == (3, 1, 2.0, 11.0)
    assert door.counted()["entered"] == 4


def test_a_new_counters_past_is_not_todays():
    door = people()
    door.on_totals(54321, 54000, 1.0)
    assert list(door.step(1.0)) == []
    door.on_totals(54322, 54000, 2.0)
    assert [event.entered for event in door.step(2.0)] == [1]


@pytest.mark.row("C1")
def test_who_passed_while_the_agent_was_off_is_counted_when_it_is_back():
    door = people((100, 90))
    door.on_totals(107, 95, 1.0)
    (event,) = door.step(1.0)
    assert (event.entered, event.left) == (7, 5)


def test_a_module_that_lost_its_power():
    door = people((100, 90))
    door.on_totals(2, 0, 1.0)
    (event,) = door.step(1.0)
    assert (event.entered, event.left) == (2, 0)
    assert door.counted()["counter_restarts"] == 1


def test_another_module_in_its_place():
    door = people((100, 90))
    door.on_totals(9_000_000, 90, 1.0)
    assert list(door.step(1.0)) == []
    assert door.counted()["implausible"] == 1
    door.on_totals(9_000_001, 90, 20.0)
    assert [event.entered for event in door.step(20.0)] == [1]


@pytest.mark.parametrize("seed", range(40))
def test_all_who_pass_are_told_once_over_any_number_of_restarts(seed):
    rng, now = random.Random(seed), 0.0
    shown, passed, heard = [2**32 - 20, 5], [0, 0], [0, 0]
    saved: tuple[int, int] = (2**32 - 20, 5)
    door = people(saved)
    for _ in range(300):
        now += rng.uniform(0.1, 5)
        which, n = rng.randint(0, 1), rng.randint(0, 3)
        passed[which] += n
        shown[which] = (shown[which] + n) % 2**32
        if rng.random() < 0.1:
            door = people(saved)  # killed: what it said is on disk with what it showed
        door.on_totals(shown[0], shown[1], now)
        for event in door.step(now):
            heard[0] += event.entered
            heard[1] += event.left
            saved = event.totals
    door.on_totals(shown[0], shown[1], now)
    for event in door.step(now + 60):
        heard[0] += event.entered
        heard[1] += event.left
    assert heard == passed, seed


# --- faces


class Camera:
    """A plugin as another package would bring it: it says whom it sees when the test says so."""

    made: ClassVar[list[Camera]] = []

    def __init__(self, options, seen, tell) -> None:
        self.options, self.seen, self.tell = options, seen, tell
        Camera.made.append(self)

    async def run(self) -> None:
        import asyncio

        await asyncio.Event().wait()


@pytest.fixture
def camera() -> Iterator[str]:
    module = types.ModuleType("test_camera_plugin")
    module.detector, module.nothing, Camera.made = Camera, 5, []  # type: ignore[attr-defined]
    sys.modules["test_camera_plugin"] = module
    yield "test_camera_plugin:detector"
    del sys.modules["test_camera_plugin"]


def face(**more: Any) -> Plugin:
    settings = FaceDetector(kind="face", id="camera", plugin="x:y", stay_s=60, **more)
    return Plugin(settings, Camera, lambda: 5.0)


@pytest.mark.row("A13")
def test_a_match_becomes_a_sighting_of_a_template():
    plugin = face(options={"device": "/dev/video0"})
    driver = plugin.driver(lambda: None, lambda _status: None)
    assert driver.options == {"device": "/dev/video0"}
    driver.seen("t-1")
    driver.seen("t-1")
    assert plugin.due() == AT_ONCE
    assert list(plugin.step(5.0)) == [Noticed("face:t-1", ARRIVED, Detector.FACE, 5.0)]
    assert told(plugin.step(65.0)) == [("face:t-1", "left")]
    assert plugin.counted()["matches"] == 2


@pytest.mark.row("C11")
@pytest.mark.parametrize("template", ["", "a b", "x" * 65, "../etc", b"\xff\xd8\xff", [0.1, 0.2], None, "日本", "-x"])
def test_pictures_and_vectors_do_not_pass(template):
    plugin = face()
    plugin.seen(template)
    assert list(plugin.step(5.0)) == []
    assert plugin.counted()["refused_templates"] == 1


def test_a_flood_of_matches_is_bounded():
    plugin = face()
    for _ in range(SEEN_MAX + 3):
        plugin.seen("t")
    assert plugin.counted()["dropped_matches"] == 3


def test_plugins_are_found_or_the_sentence_says_why(camera):
    assert find(camera) is Camera
    for name, says in (
        ("no_such_module:detector", "can't be loaded"),
        ("test_camera_plugin:gone", "can't be loaded"),
        ("test_camera_plugin:nothing", "is no function"),
        ("no_such_entry_point", "no installed package"),
    ):
        with pytest.raises(NoPlugin, match=says):
            find(name)
