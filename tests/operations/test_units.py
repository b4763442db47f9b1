"""The services as they are installed: every key is known to systemd, limits and protection stand, paths fit the documents."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from delivery.watchdog import UNWATCHED_S
from edge import health

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = {unit.name: unit for unit in sorted(DEPLOY.glob("*/*.service"))}
OURS = ["instore-edge@.service", "instore-hub.service", "instore-up.service"]


def keys(unit: str) -> dict[str, list[str]]:
    """All values of each key; systemd's format repeats keys."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNITS[unit].read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_they_are_all_there() -> None:
    assert set(UNITS) == {*OURS, "instore-mosquitto.service"}


@pytest.mark.row("C9")
@pytest.mark.parametrize("unit", OURS)
def test_it_is_watched_started_again_for_ever_and_limited(unit: str) -> None:
    found = keys(unit)
    for name, value in {
        "Type": "notify", "Restart": "always", "StartLimitIntervalSec": "0", "WatchdogSec": "20", "User": "instore",
        "StateDirectory": "instore", "NoNewPrivileges": "true", "ProtectSystem": "strict", "PrivateTmp": "true",
        "DevicePolicy": "closed", "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6", "CapabilityBoundingSet": "",
    }.items():  # fmt: skip
        assert found[name] == [value], name
    assert {"MemoryMax", "MemoryHigh", "TasksMax", "CPUWeight", "Nice", "RestartSec"} <= found.keys()
    # A hung worker is mended by the agent before systemd ends the process.
    mended_s = health.HANGS_AFTER_S + health.LOOK_EVERY_S + health.CANCEL_S + health.AGAIN_S
    assert mended_s < 15 < float(found["WatchdogSec"][0])
    assert float(found["WatchdogSec"][0]) / 2 >= UNWATCHED_S


def test_an_agent_may_use_serial_ports_and_no_other_device() -> None:
    found = keys("instore-edge@.service")
    assert found["DeviceAllow"] == [f"char-tty{kind} rw" for kind in ("USB", "ACM", "S", "AMA")]
    assert found["SupplementaryGroups"] == ["dialout bluetooth"]
    assert "DeviceAllow" not in keys("instore-hub.service")


def installed(folder: Path) -> list[Path]:
    """As on a store's machine, with a program that is here."""
    for unit in UNITS.values():
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
        (folder / unit.name.replace("@.", "@exit.")).write_text(text)
    return sorted(folder.iterdir())


def test_systemd_knows_every_key_and_finds_it_well_protected(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # a machine without systemd: then the tests above are what can be said
        return
    paths = installed(tmp_path)
    done = subprocess.run([analyze, "verify", *map(str, paths)], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "instore" in line]
    assert (said, done.returncode) == ([], 0), done.stderr
    for path in paths:
        done = subprocess.run(
            [analyze, "security", "--offline=true", "--no-pager", "--threshold=30", str(path)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout  # 3.0 of 10: "OK"; a daemon without any of it has 9.6


@pytest.mark.parametrize("unit", OURS)
def test_the_installers_page_says_what_the_units_expect(unit: str) -> None:
    page = (DEPLOY.parent / "docs" / "operations.md").read_text()
    for path in ("/opt/instore", "/etc/instore", "/var/lib/instore", unit):
        assert path in page, path
