"""What people write: settings, rules, customers; and what an older or damaged database holds."""

from __future__ import annotations

import contextlib
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import config
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings, load_hub
from config.load import SettingsError, parse, read_toml
from config.rules import IncentivesFile, MessagesFile, RulesFile
from delivery.journal import Journal
from edge.lane_codec import from_json, to_json
from edge.lane_types import Lane
from hub.database.schema import MIGRATIONS
from hub.importing import ImportFailed, import_file
from hub.rules.condition import Condition, ConditionError, Names
from hub.rules.policy import CUSTOMER, PURCHASE, read_policy
from tests.fuzz.limits import damaged, often, soon

SHIPPED = Path(config.__file__).parent / "shipped"
FILES: dict[str, Any] = {"hub.toml": HubSettings, "edge-exit.toml": EdgeSettings, "edge-entrance.toml": EdgeSettings,
                         "rules.toml": RulesFile, "messages.toml": MessagesFile, "incentives.toml": IncentivesFile}  # fmt: skip
ODD_TOML = ["1e400", "nan", "-inf", "9" * 30, "9" * 5000, "-1", '""', '"\\u0000"', "[" * 3000, "{a=" * 500, "1979-05-27", "00:00:00",
            '"{name.__class__}"', '"{name:>999999999}"', "true", "[[1],[2]]", "0x7fffffffffffffff", '"America"', "'../../etc/passwd'"]  # fmt: skip


def short(*sentences: str) -> None:
    assert sentences
    assert all(0 < len(sentence) < 2000 for sentence in sentences)


def finite(value: Any) -> bool:
    """Every number of settings can be counted with."""
    if isinstance(value, BaseModel):
        return all(finite(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, tuple | list):
        return all(map(finite, value))
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, float):
        return math.isfinite(value)
    return abs(value) < 2**63 if isinstance(value, int) else True


@st.composite
def settings_text(draw: st.DrawFn, text: str) -> bytes:
    """A shipped file with some values replaced, lines doubled or left out, or with damaged bytes."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        key, sign, _ = lines[at].partition("=")
        match draw(st.integers(0, 3)):
            case 0 | 1 if sign:
                lines[at] = f"{key}= {draw(st.sampled_from(ODD_TOML) | st.text(max_size=12))}"
            case 2:
                lines.insert(at, lines[at])
            case _:
                lines[at] = ""
    raw = "\n".join(lines).encode()
    return draw(damaged(st.just(raw))) if draw(st.integers(0, 3)) == 0 else raw


@pytest.mark.parametrize("name", FILES)
def test_any_settings_are_settings_or_a_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    text = (SHIPPED / name).read_text()

    @often(60)
    @given(settings_text(text))
    def run(raw: bytes) -> None:
        path.write_bytes(raw)
        with soon(3.0):
            try:
                found = parse(read_toml(path), FILES[name], path)
            except SettingsError as error:
                short(*error.problems)
            else:
                assert finite(found), found

    run()


@pytest.mark.parametrize("text", ["a=" + "[" * 3000, "a=" + "{b=" * 2000, "a=" + "9" * 5000, "a=\x00"])
def test_what_the_reader_of_toml_chokes_on_is_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="no valid TOML"):
        read_toml(path)


@pytest.mark.parametrize("name", ["hub.toml/x.toml", "x" * 300])
def test_a_path_that_cannot_be_is_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "hub.toml").touch()
    with pytest.raises(SettingsError, match="can't be read"):
        read_toml(tmp_path / name)


@pytest.mark.parametrize("line", ["amount_minor = 9007199254740993", "points = 99999999999999"])
def test_a_gift_that_no_message_could_carry_is_refused_when_it_is_read(line: str, tmp_path: Path) -> None:
    """It would be quarantined at the lane, with the customer in front of it."""
    path = tmp_path / "incentives.toml"
    path.write_text(
        f'[[incentive]]\nname = "x"\nwhen = "true"\nkind = "discount"\ntitle = {{ ja = "a", en = "a" }}\ngive = "electronic"\n{line}\n'
    )
    with pytest.raises(SettingsError, match="less than or equal to 1000000000000"):
        parse(read_toml(path), IncentivesFile, path)


NAMES = Names({**CUSTOMER, **PURCHASE}, {"silver": 1, "gold": 2})
WORDS = ["visits", "amount", "paid_on", "rank", "gold", "member", "true", "0", "1.5", "-9223372036854775808", "9223372036854775807", '"terminal"',
         "&&", "||", ">=", "==", "!=", "<", "+", "-", "*", "/", "%", "!", "(", ")", "[", "]", "?", ":", ",", ".", "in", "size(", "int(",
         "contains(", "1e308", "null", "{", "}", "'", '"""', "//", "\\", "'\\ud800'", "0u", "b'\\xff'", "has(", "x.all(", "(((((((("]  # fmt: skip


@often(250)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join) | st.text(min_size=1, max_size=60),
       st.fixed_dictionaries({name: st.integers(-(2**70), 2**70) if isinstance(sample, int) else st.text(max_size=9)
                              for name, sample in {**CUSTOMER, **PURCHASE}.items()}))  # fmt: skip
def test_any_text_is_a_condition_or_a_condition_error(source: str, values: dict[str, Any]) -> None:
    with soon():
        try:
            condition = Condition(source, NAMES)
        except ConditionError as error:
            short(error.problem)
            return
        finding = condition.find(values)
        assert isinstance(finding.holds, bool)
        assert finding.because


@pytest.mark.parametrize("source", ["(" * 900 + "true" + ")" * 900, "-" * 1990 + "visits > 1", "!" * 1990 + "member", "[" * 1999,
                                    " || ".join(["visits > 1"] * 140), " && ".join(["(visits > 1)"] * 120)])  # fmt: skip
def test_deep_and_long_conditions_do_not_end_the_program(source: str) -> None:
    with contextlib.suppress(ConditionError), soon(3.0):
        Condition(source, NAMES).find({**CUSTOMER, **PURCHASE})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


def test_any_rules_file_is_a_policy_or_a_sentence(store: Path) -> None:
    settings = load_hub(store / "hub.toml")
    text = (SHIPPED / "rules.toml").read_text()

    @often(40)
    @given(settings_text(text))
    def run(raw: bytes) -> None:
        (store / "rules.toml").write_bytes(raw)
        with contextlib.suppress(SettingsError), soon(3.0):
            read_policy(settings)

    run()


CELL = st.text(max_size=20) | st.sampled_from(["C1", "C0001", "0", "-1", "9" * 400, "1e3", "٣", "ibeacon:x", "a:b a:b", "a@b", "\x00", '"', "gold",
                                              "c01 c02", "=cmd()", "\ufeff", "\r", "\n", " "])  # fmt: skip
HEADS = [
    "customer",
    "name",
    "age",
    "email",
    "visits,average_purchase",
    "points",
    "rank",
    "main_clerk",
    "deputies",
    "beacons",
    "note",
    "nonsense",
]


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    head = ",".join(["customer", *draw(st.lists(st.sampled_from(HEADS), max_size=5))])
    rows = draw(st.lists(st.lists(CELL, max_size=8).map(",".join), max_size=6))
    text = "\n".join([head, *rows])
    return draw(damaged(st.just(text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "cp932"])), "replace"))))


def test_any_file_of_customers_is_imported_or_refused_in_sentences(store: Path) -> None:
    settings = load_hub(store / "hub.toml")
    journal = Journal(":memory:", MIGRATIONS)

    @often(150)
    @given(st.one_of(tables(), damaged(st.just((SHIPPED / "customers.csv").read_bytes())), st.binary(max_size=100)))
    def run(raw: bytes) -> None:
        (store / "c.csv").write_bytes(raw)
        with soon(2.0):
            try:
                report = import_file(journal.db, store / "c.csv", settings)
            except ImportFailed as error:
                short(str(error))
            else:
                assert report.read == report.imported + report.refused_count
                assert str(report)
        assert not journal.db.in_transaction
        assert journal.db.execute("PRAGMA foreign_key_check").fetchall() == []

    run()
    journal.close()


@often(200)
@given(damaged(st.just(to_json(Lane(scan="s", code="c", command=7)).encode())))
def test_a_damaged_lane_is_told_in_the_declared_ways(raw: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        assert isinstance(from_json(raw.decode("utf-8", "replace")), Lane)
