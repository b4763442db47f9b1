"""docs/incentives.md is true: its examples are run, its tables name every key, every name and every reason (rows B7, B8)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from config.incentives import IncentiveRule, IncentivesFile
from hub.offers.redeeming import Reason
from hub.rules import incentives
from hub.rules.condition import Condition, Value
from hub.rules.granting import decide
from hub.rules.incentives import Incentives, Out
from hub.rules.policy import PURCHASE, read_policy
from tests.hub.granting_rules import NAMES, NOW, RANKS, TOKYO, values

pytestmark = [pytest.mark.row("B7"), pytest.mark.row("B8")]
DOCS = Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "incentives.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)
EXAMPLES = [
    (title, toml, purchase, brings)
    for title, toml, table in re.findall(
        r"^### (.+?)\n.*?```toml\n(.*?)```\n(.*?)(?=^##|\Z)", MANUAL, re.MULTILINE | re.DOTALL
    )
    for purchase, brings in ROW.findall(table)
]


def compiled(text: str) -> Incentives:
    file = IncentivesFile.model_validate(tomllib.loads(text))
    assert not any(incentives.table_problem(rule, {**NAMES.samples}, RANKS) for rule in file.incentive)
    return Incentives(file, tuple(Condition(rule.when, NAMES) for rule in file.incentive), RANKS)


def value(name: str, text: str) -> Value:
    if name == "rank":
        return RANKS[text]
    return {"true": True, "false": False}.get(text, int(text) if text.isdigit() else text)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 15
    assert len({title for title, *_ in EXAMPLES}) == MANUAL.count("\n### ")


@pytest.mark.parametrize(("title", "toml", "purchase", "brings"), EXAMPLES)
def test_an_example(title: str, toml: str, purchase: str, brings: str) -> None:
    said: dict[str, Any] = {name: value(name, text) for name, text in (each.split("=") for each in purchase.split())}
    first = IncentivesFile.model_validate(tomllib.loads(toml)).incentive[0].name
    out = Out(said.pop("out", 0), said.pop("out_worth", 0), said.pop("hers", 0))
    outcome = decide(
        compiled(toml), values(**said), lambda rule, _: out if rule.name == first else Out(), now=NOW, zone=TOKYO
    )
    found = outcome.grant.title.en if outcome.grant else f"nothing: {outcome}"
    assert found == brings, title
    if "out_worth" in purchase:
        assert "its budget this month of 1,000 yen has no room for 300 yen (900 yen are out)" in str(outcome)


def keys_of(heading: str) -> set[str]:
    table = re.search(rf"^{re.escape(heading)}\n\n\|(.*?)\n\n", MANUAL, re.MULTILINE | re.DOTALL)
    assert table, heading
    return {
        name for cell in re.findall(r"^\| (`.+?) \|", table[0], re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    }


def test_the_tables_of_keys_are_complete() -> None:
    assert keys_of("At the top of the file:") == set(IncentivesFile.model_fields)
    assert keys_of("In each `[[incentive]]`:") == set(IncentiveRule.model_fields)
    assert keys_of("Conditions name what [rules.md](rules.md) lists of a customer, and:") == set(PURCHASE)


def test_the_table_of_reasons_is_complete() -> None:
    table = MANUAL[MANUAL.index("| `reason` | |") :]
    named = {
        name for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    }
    assert named - {"reason"} == {reason.value for reason in Reason}


def test_the_example_file_is_sound_and_gives(store) -> None:
    path = store.settings.incentives
    path.write_text((DOCS / "examples" / "incentives.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert store.policy.check()
    read_policy(store.settings)
    (decision,) = store.scan(store.sell(amount=3500, registered_on="terminal").exit_code)
    given = decision.data.incentive
    assert (given.title.en, given.amount_minor, given.points) == (
        "400 yen off + 30 points + 50 points for members",
        400,
        80,
    )
    assert "1,000円以上のお会計でご利用いただけます。" in [line.text for line in given.receipt]


def test_a_file_of_before_says_the_same_as_before(store) -> None:
    """What was valid stays valid, and means what it meant: the first that holds."""
    path = store.settings.incentives
    receipt = '[incentive.receipt]\nja = [["qr", "{coupon}"]]\nen = [["qr", "{coupon}"]]\n'
    path.write_text(
        "".join(
            f'[[incentive]]\nname = "{name}"\nwhen = "{when}"\nkind = "{kind}"\ntitle = {{ ja = "a", en = "{name}" }}\n'
            f'amount_minor = {amount}\npoints = {points}\ngive = "{give}"\nvalid_days = 7\n{receipt}'
            for name, when, kind, amount, points, give in (
                ("a", "amount >= 9000", "points", 0, 10, "electronic"),
                ("b", "amount >= 1000", "discount", 100, 0, "print"),
                ("c", "amount >= 10", "product", 500, 0, "electronic"),
            )
        ),
        encoding="utf-8",
    )
    assert store.policy.check()
    for number, (amount, title, kind, give) in enumerate(
        [(9000, "a", "points", "electronic"), (8999, "b", "discount", "print"), (10, "c", "product", "electronic")]
    ):
        code = store.sell(f"S-{number}", amount).exit_code
        (decision,) = store.scan(code, sale=f"S-{number}", id=f"scan-{number}", lane=str(number))
        given = decision.data.incentive
        assert (given.title.en, given.kind, given.give) == (title, kind, give)
