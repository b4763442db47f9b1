"""Which detectors an agent may have, as its settings say (row A13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.edge_settings import load_edge
from config.load import SettingsError

# --- settings


def settings(folder: Path, more: str, head: str = "") -> Path:
    path = folder / "edge.toml"
    path.write_text(
        f'store = "s1"\nagent = "door"\ndatabase = "{folder}/door.db"\n{head}[mqtt]\nusername = "agent-door"\npassword = "x"\n{more}'
    )
    return path


CODE = '[[detector]]\nkind = "member_code"\nid = "qr"\nport = "/dev/a"\n'
DOOR = '[[detector]]\nkind = "counter"\nid = "beam"\nport = "/dev/b"\n'
FACE = '[[detector]]\nkind = "face"\nid = "camera"\nplugin = "a.b:c"\n'


@pytest.mark.row("A13")
@pytest.mark.parametrize("more", [CODE, DOOR, FACE, CODE + DOOR + FACE, "[beacons]\n" + CODE])
def test_any_mixture_of_detectors(tmp_path: Path, more: str) -> None:
    assert len(load_edge(settings(tmp_path, more)).detector) == more.count("[[detector]]")


def test_no_camera_unless_it_is_configured(tmp_path: Path) -> None:
    assert load_edge(settings(tmp_path, "[beacons]\n")).detector == ()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "nothing to do"),
        (CODE + CODE.replace("/dev/a", "/dev/c"), "same name: qr"),
        (CODE + DOOR.replace("/dev/b", "/dev/a"), "share the port /dev/a"),
        (CODE.replace('"qr"', '"beacons"'), "same name: beacons"),
        (CODE.replace("member_code", "telepathy"), "telepathy"),
        (DOOR + "address = 256\n", "address"),
        (FACE.replace("a.b:c", "a b"), "plugin"),
        (CODE + "stay = 5\n", "not a known key"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_edge(settings(tmp_path, more))


def test_no_agent_is_called_terminal(tmp_path: Path) -> None:
    path = settings(tmp_path, CODE)
    path.write_text(path.read_text().replace('"door"', '"terminal"', 1).replace("agent-door", "agent-terminal"))
    with pytest.raises(SettingsError, match="stands for members' own terminals"):
        load_edge(path)


def test_a_plugin_that_is_not_there_is_a_sentence_at_the_start(tmp_path: Path) -> None:
    from edge.agent import Agent

    path = settings(tmp_path, FACE)
    with pytest.raises(SettingsError, match=r"detector camera: plugin: 'a\.b:c' can't be loaded"):
        Agent(load_edge(path), path)
