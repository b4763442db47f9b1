"""Settings of an edge agent: the samples load, and each mistake has a sentence with file, key, what was found, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.edge_settings import EdgeSettings, load_edge
from config.load import SettingsError

SHIPPED = Path(__file__).parents[2] / "config" / "shipped"
EXIT = (SHIPPED / "edge-exit.toml").read_text(encoding="utf-8")


def read(folder: Path, text: str) -> EdgeSettings:
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return load_edge(path)


def changed(old: str, new: str) -> str:
    assert old in EXIT
    return EXIT.replace(old, new, 1)


@pytest.mark.parametrize("name", ["edge-entrance.toml", "edge-exit.toml"])
def test_the_samples_load(name: str) -> None:
    settings = load_edge(SHIPPED / name)
    assert settings.database.is_absolute()
    assert settings.database.parent == SHIPPED / "data"
    assert settings.mqtt.username == f"agent-{settings.agent}"


def test_the_samples_say_what_the_program_does_by_itself(tmp_path: Path) -> None:
    """A value in a sample that is the default in the code too: an installer reads the truth."""
    lane = load_edge(SHIPPED / "edge-exit.toml").lane[0]
    bare = read(tmp_path, EXIT[: EXIT.index("[[lane]]")] + '[[lane]]\nid = "1"\n[lane.reader]\nport = "/r"\n').lane[0]
    for key in ("offline", "decide_s", "print_patience_s", "gate_patience_s"):
        assert getattr(lane, key) == getattr(bare, key)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (changed("offline =", "ofline ="), "lane.0.ofline is not a known key; did you mean 'offline'?"),
        (changed('port = "/dev/serial/by-id/usb-reader"', ""), "lane.0.reader.port is missing"),
        (changed('agent = "exit"', ""), "agent is missing"),
        (changed("baud = 115200", 'baud = "fast"'), "lane.0.reader.baud: Input should be a valid integer"),
        (changed("baud = 115200", "baud = 300"), "lane.0.reader.baud: Input should be greater than or equal to 1200"),
        (changed('offline = "open"', 'offline = "maybe"'), "lane.0.offline: Input should be 'open' or 'refuse'; found"),
        (changed("cut_counter = 178", "cut_counter = 7"), "lane.0.printer.cut_counter"),
        (changed("usb-gate", "usb-printer"), "two devices share the port /dev/serial/by-id/usb-printer"),
        (EXIT + '\n[[lane]]\nid = "1"\n[lane.reader]\nport = "/r2"\n', "two lanes have the same id: 1"),
        (changed('id = "1"', f'id = "{"x" * 49}"'), "lane.0.id"),
        (changed('id = "1"', 'id = "1/2"'), "lane.0.id"),
        (changed('"agent-exit"', '"agent-exti"'), "mqtt.username is 'agent-exti'; the broker knows this agent as 'agent-exit'"),
        (changed("password_file =", "# password_file ="), "give either password or password_file"),
        (EXIT[: EXIT.index("[[lane]]")], "this agent has nothing to do"),
        (changed("store =", "store"), "no valid TOML"),
        (EXIT.replace("decide_s = 2.0", "decide_s = 0"), "lane.0.decide_s: Input should be greater than 0; found 0"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)
    assert sentence in str(raised.value)
    assert str(tmp_path / "edge.toml") in str(raised.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read(
            tmp_path, changed('agent = "exit"', "").replace("offline =", "ofline =").replace("port = 1883", "port = 0")
        )
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize("kind", ["missing", "folder", "not utf-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "edge.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "not utf-8":
        path.write_bytes("店".encode("cp932"))
    with pytest.raises(
        SettingsError, match=r"edge\.toml: (there is no such file|this is a folder|byte 0 is not UTF-8)"
    ):
        load_edge(path)


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = read(tmp_path, EXIT)
    with pytest.raises(SettingsError, match=r"mqtt.password_file: .*agent-exit: No such file"):
        settings.mqtt.secret(tmp_path / "edge.toml")


def test_a_broker_with_one_user_for_all(tmp_path: Path) -> None:
    text = changed('"agent-exit"', '"store"\nshared_user = true')
    assert read(tmp_path, text).mqtt.username == "store"


@pytest.mark.parametrize("value", ['"geheim"\npassword_file = "x"', "123456"])
def test_no_sentence_tells_a_password(tmp_path: Path, value: str) -> None:
    lines = [line for line in EXIT.splitlines() if "password_file" not in line]
    text = "\n".join(lines).replace("[mqtt]", f"[mqtt]\npassword = {value}")
    with pytest.raises(SettingsError, match=r"mqtt(\.password)?: ") as raised:
        read(tmp_path, text)
    assert "geheim" not in str(raised.value)
    assert "123456" not in str(raised.value)
