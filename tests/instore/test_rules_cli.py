"""`instore rules`: what the manager types, and what comes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config
from instore.__main__ import app

SHIPPED = Path(config.__file__).parent / "shipped"


@pytest.fixture
def hub(tmp_path):
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / "hub.toml"
    CliRunner().invoke(app, ["customers", "import", str(tmp_path / "customers.csv"), "--config", str(path)])
    return path


def run(*arguments: str):
    return CliRunner().invoke(app, ["rules", *arguments])


def test_check(hub):
    found = run("check", "--config", str(hub))
    assert found.exit_code == 0
    assert "no mistakes found" in found.output


@pytest.mark.row("C7")
def test_check_names_file_rule_line_and_column(hub):
    rules = hub.parent / "rules.toml"
    rules.write_text(rules.read_text().replace("heart_rate >= 100", "heart_rte >= 100"))
    found = run("check", "--config", str(hub))
    assert found.exit_code == 2
    assert f"{rules}: treatment 'thirsty' (line " in found.output
    assert "when: column 30: 'heart_rte' is not known; possible are " in found.output
    assert "did you mean 'heart_rate'?" in found.output


@pytest.mark.row("A9")
def test_try(hub):
    found = run("try", "--config", str(hub), "--customer", "C0001", "--sensing", "ambient_temperature=31,heart_rate=110", "--json")  # fmt: skip
    assert found.exit_code == 0
    assert json.loads(found.output)["special_treatment"] == {
        "said": "thirsty: yes, ambient_temperature >= 30 and heart_rate >= 100 (heart_rate is 110, ambient_temperature is 31)",
        "holds": True,
        "rule": "thirsty",
        "treatment": "drink",
    }
    assert "good customer?" in run("try", "--config", str(hub), "--customer", "C0002").output
    assert run("try", "--config", str(hub), "--customer", "nobody").exit_code == 2


@pytest.mark.row("B7")
def test_try_a_purchase_and_what_was_given(hub):
    found = run(
        "try", "--config", str(hub), "--customer", "C0001", "--amount", "3000", "--registered-on", "terminal", "--json"
    )
    incentive = json.loads(found.output)["incentive"]
    assert (incentive["holds"], incentive["rule"]) == (True, "thanks-200")
    assert incentive["rules"] == [
        {"rule": "thanks-200", "verdict": "given", "because": "amount >= 1000 (amount is 3000)"}
    ]
    table = run("given", "--config", str(hub)).output
    assert "thanks-200" in table
    assert "no limit" in table
    assert json.loads(run("given", "--config", str(hub), "--json").output)[0]["out"] == 0
