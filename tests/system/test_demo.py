"""`instore demo --once --json` and `instore explain --last`, as a user types them, on three kinds of broker."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.brokers import PASSWORD, Foreign, foreign_broker, free_port
from tests.system.commands import instore, instore_here
from tests.system.effects import ONE_OF_EACH, effects, qr_codes, readings_in
from tests.system.playing import leftovers, play

pytestmark = pytest.mark.system

ORDER = ["sighting", "alert", "alert.answer", "lane.scan", "lane.decision", "lane.printed", "lane.opened", "lane.passage",
         "incentive.settled"]  # fmt: skip
TO_HER_PHONE = ["sighting", "visit.opened", "decision", "coupon.issued", "member.coupon"]
TO_THE_DRINK = [
    "sighting",
    "visit.opened",
    "decision",
    "sensing.request",
    "sensing.answer",
    "decision",
    "treatment.decided",
    "alert",
    "alert.answer",
]
TO_THE_CLERK = ["sighting", "visit.opened", "alert", "alert.answer"]
TO_THE_STREET = ["sighting", "visit.opened", "sale", "lane.scan", "decision", "lane.decision", "lane.printed", "lane.opened",
                 "lane.passage", "incentive.settled"]  # fmt: skip


def short(type_: str) -> str:
    return type_.removeprefix("instore.").removesuffix(".v1")


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[Foreign]:
    with foreign_broker(tmp_path / "foreign") as broker:
        yield broker


@pytest.mark.row("A5", "A7", "A10", "A11", "B12", "C7", "C9", "C11")
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
async def test_one_visit_from_the_advertisement_to_the_commit(tmp_path: Path, broker: str) -> None:
    await one_visit(tmp_path, broker)
    assert leftovers(tmp_path) == []


@pytest.mark.row("A5", "A7", "A10", "A11", "B12", "C7", "C9", "C11")
async def test_one_visit_on_a_broker_of_somebody_else_on_which_nothing_stays(tmp_path: Path, foreign: Foreign) -> None:
    await one_visit(tmp_path, foreign.url)
    (itself,) = leftovers(tmp_path)
    assert "foreign/mosquitto.conf" in itself
    again = await play(tmp_path, "--broker", foreign.url)  # and so the second time is like the first
    assert again.code == 0, again.story()
    assert await asyncio.to_thread(foreign.retained) == ""


async def one_visit(tmp_path: Path, broker: str) -> None:
    """Played, and each thing that it has to bring."""
    played = await play(tmp_path, "--broker", broker)
    assert played.code == 0, played.story()
    assert "Traceback" not in played.errors

    times = [line["t_ms"] for line in played.lines]
    assert times == sorted(times)
    firsts = [played.types().index(f"instore.{name}.v1") for name in ORDER]
    assert firsts == sorted(firsts), [short(type_) for type_ in played.types()]

    summary = played.summary
    assert summary["ok"] is True
    assert set(summary["counts"].values()) == {1}, summary
    assert summary["in_order"] is True
    assert (summary["treatments"], summary["coupons_from_history"]) == (1, 1), "a drink is brought and a coupon given"
    assert 0 < summary["advert_to_handheld_ms"] < 2000
    assert 0 < summary["scan_to_gate_ms"] < 2000
    assert effects(played.folder) == ONE_OF_EACH
    assert readings_in(played.folder, json.dumps(played.lines)) == []

    printed = played.line("instore.lane.printed.v1")
    coupon = printed["message"]["data"]["coupon"]
    assert qr_codes(Path(printed["png"])) == [coupon]
    text = Path(printed["png"]).with_suffix(".txt").read_text(encoding="utf-8")
    assert "銀座店" in text
    assert "200円引きクーポン" in text
    assert "山田 花子様" in text
    assert played.line("instore.incentive.settled.v1")["message"]["data"]["coupon"] == coupon

    await explained(tmp_path, coupon)


async def explained(folder: Path, coupon: str) -> None:
    """`instore explain --last` tells the visit as chains of causes, for people and for machines."""
    told = await instore("explain", "--last", "--json", cwd=folder)
    assert told.code == 0, told.err
    trace = json.loads(told.out)
    by_id = {hop["id"]: hop for hop in trace["hops"]}
    settled = last(trace["hops"], "incentive.settled")
    assert coupon in settled["summary"]
    assert ancestry(settled, by_id) == TO_THE_STREET
    answers = {tuple(ancestry(hop, by_id)) for hop in trace["hops"] if short(hop["type"]) == "alert.answer"}
    assert answers == {tuple(TO_THE_CLERK), tuple(TO_THE_DRINK)}
    assert ancestry(last(trace["hops"], "member.coupon"), by_id) == TO_HER_PHONE
    (root,) = [hop for hop in trace["hops"] if hop["cause"] is None]
    assert "advertisement heard" in root["summary"]
    for hop in trace["hops"]:
        assert hop["cause"] is None or by_id[hop["cause"]]["start_ms"] <= hop["start_ms"], hop

    people = instore_here("explain", "--last", cwd=folder)
    assert people.code == 0
    lines = people.out.splitlines()
    assert lines[0] == f"visit {trace['visit']}"
    assert lines.index("") == 1 + len(trace["hops"])
    marks = [" decision: incentive?" if name == "decision" else f" {name}:" for name in TO_THE_STREET]
    indents = [next(line.index(mark) for line in lines[1:] if mark in line) for mark in marks]
    assert indents == sorted(indents)


def last(hops: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(hop for hop in reversed(hops) if short(hop["type"]) == name)


def ancestry(hop: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> list[str]:
    """Types from the root to this hop, each caused by the one before."""
    names = [short(hop["type"])]
    while hop["cause"] is not None:
        hop = by_id[hop["cause"]]
        names.append(short(hop["type"]))
    return names[::-1]


@pytest.mark.parametrize("trouble", ["wrong password", "nobody there"])
async def test_a_broker_that_does_not_let_us_in_is_a_sentence_at_once(
    tmp_path: Path, foreign: Foreign, trouble: str
) -> None:
    url = foreign.url_with("wr0ng") if trouble == "wrong password" else f"mqtt://a:b@127.0.0.1:{free_port()}"
    began = time.monotonic()
    played = await play(tmp_path, "--broker", url)
    assert played.code not in (0, -9)
    assert time.monotonic() - began < 10
    sentence = played.summary["failure"]
    assert played.summary["ok"] is False
    assert ("password" if trouble == "wrong password" else "is it running?") in sentence
    assert url.rpartition("@")[2] in sentence
    assert f"instore: {sentence}" in played.errors
    assert "wr0ng" not in played.errors + sentence
    assert PASSWORD not in played.errors
    assert "Traceback" not in played.errors
    assert [line for line in leftovers(tmp_path) if "foreign" not in line] == []


@pytest.mark.parametrize(
    "text", ["mosquito", "http://a:b@127.0.0.1:1", "mqtt://127.0.0.1:1883", "mqtt://a:geheim@h:99999"]
)
def test_a_broker_that_cannot_be_meant_is_a_sentence(tmp_path: Path, text: str) -> None:
    told = instore_here("demo", "--once", "--json", "--broker", text, cwd=tmp_path)
    assert told.code == 2
    assert told.err.startswith("instore: --broker")
    assert "mqtt://user:password@host:port" in told.err
    assert "geheim" not in told.err
    assert "Traceback" not in told.err


async def test_a_folder_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("ten years of work")
    told = await instore("demo", "--once", "--dir", "mine", cwd=tmp_path)
    assert told.code == 2
    assert "not empty" in told.err
    assert (tmp_path / "mine/thesis.txt").read_text() == "ten years of work"


def test_a_reading_that_was_written_down_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "hub.log").write_text('{"heart_rate_per_min": 112}')
    (tmp_path / "hub.sqlite").write_bytes(struct.pack(">d", 36.9))
    (tmp_path / "rules.toml").write_text("heart_rate >= 112")
    assert sorted(readings_in(tmp_path, "systolic_kpa: 16.3")) == ["hub.log", "hub.sqlite", "output"]
