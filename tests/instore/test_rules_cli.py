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


@pytest.mark.row("B7")
@pytest.mark.row("B8")
def test_check_warns_of_products_that_the_store_does_not_have(hub):
    """A customer would read a code for a name, and no till could hand the thing over."""
    rule = "\n[[incentive]]\nname = 'gift'\nwhen = 'amount > 5000'\nkind = 'product'\ntitle = { ja = '{product}', en = '{product}' }\ngive = 'app'\n"  # fmt: skip
    path = hub.parent / "incentives.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + rule + "table = [\n  [5000, 'MUG-7'],\n  [6000, '036000291452'],\n  [7000, 'PEN-1'],\n  [8000, 'MUG-9'],\n]\n", encoding="utf-8")  # fmt: skip
    assert "note: which products incentives name was not checked: none are imported yet" in run("check", "--config", str(hub)).output  # fmt: skip
    products = hub.parent / "products.csv"
    products.write_text("code,name,price,on_sale\nMUG-7,Mug,688,yes\n036000291452,Bag,5500,yes\nPEN-1,Pen,90,no\n")
    CliRunner().invoke(app, ["products", "import", str(products), "--config", str(hub)])
    found = run("check", "--config", str(hub))
    assert found.exit_code == 0
    first = text.count("\n") + rule.count("\n") + 1
    assert [line for line in found.output.splitlines() if line.startswith("warning: ")] == [
        f"warning: {path}: incentive 'gift' (line {first + 2}), product '036000291452': the store has it as '0036000291452'; write that, or customers read the code for its name",
        f"warning: {path}: incentive 'gift' (line {first + 3}), product 'PEN-1': is not on sale any more",
        f"warning: {path}: incentive 'gift' (line {first + 4}), product 'MUG-9': the store has no such product, so that customers read the code for its name; import it (instore products import FILE), or correct it",
    ]
    assert found.output.endswith("no mistakes found, 3 warnings\n")
