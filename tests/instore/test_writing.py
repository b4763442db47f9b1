"""What is written as TOML is read back as it was, and stands in files that only their owner reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.edge_settings import EdgeSettings
from config.load import SettingsError
from config.writing import toml_text, write_private, write_settings
from instore.store_files import BrokerPlace, agent_settings, mqtt

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = TEXT.filter(bool)
PLAIN = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXT)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_document_is_read_back_as_it_was(document):
    assert tomllib.loads(toml_text(document)) == document


def test_lanes_stand_as_tables_that_a_person_can_read():
    text = toml_text({"agent": "exit", "lane": [{"id": "1", "reader": {"port": Path("/dev/r")}, "gate": None}]})
    assert text == 'agent = "exit"\n\n[[lane]]\nid = "1"\nreader = { port = "/dev/r" }\n'


def test_what_can_be_no_setting_is_an_error():
    with pytest.raises(TypeError, match="bytes is no type"):
        toml_text({"x": {"y": b"1"}})
    with pytest.raises(ValueError, match="inf is no value"):
        toml_text({"x": float("inf")})


def test_settings_are_checked_before_they_are_written_and_are_their_owners_only(tmp_path):
    broker = BrokerPlace("mosquitto", "10.0.0.1", 1883, 9001)
    path = tmp_path / "exit.toml"
    lane = {"id": "1", "reader": {"port": "/dev/reader"}}
    document = agent_settings("ginza", "exit", mqtt(broker, "agent-exit", "secret"), lane=[lane])
    read = write_settings(path, document, EdgeSettings, "written by a test\nnot by hand")
    assert read.lane[0].reader.port == "/dev/reader"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("# written by a test\n# not by hand\nstore = ")
    before = path.stat().st_ino
    write_settings(path, document, EdgeSettings, "written by a test\nnot by hand")
    assert path.stat().st_ino == before, "the same again: nothing is written"
    with pytest.raises(SettingsError, match=r"lane\.0\.reader is missing"):
        write_settings(path, {**document, "lane": [{"id": "2"}]}, EdgeSettings)
    assert path.stat().st_ino == before


def test_a_file_that_others_may_read_is_written_anew(tmp_path):
    path = tmp_path / "key"
    path.write_text("x")
    path.chmod(0o644)
    write_private(path, "x")
    assert path.stat().st_mode & 0o777 == 0o600
