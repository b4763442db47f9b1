"""`instore rules check`: the files as they are, counted, with what is written and never used, and what the store does not have."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from config.hub_settings import HubSettings, load_hub
from config.incentives import IncentiveRule, IncentivesFile
from hub.database import products
from hub.rules.policy import Policy, read_policy
from hub.shopping.codes import CodeRefused, product_code


def check_rules(settings_path: Path) -> str:
    """A report for people. Raises SettingsError naming every mistake with its file, rule, line and column."""
    settings = load_hub(settings_path)
    policy = read_policy(settings)
    lines = [
        f"{settings.rules}: {_count(len(policy.ranks), 'rank')}, {_count(len(policy.good), 'rule')} for good customers, "
        f"{_count(len(policy.treatments), 'special treatment')}",
        f"{settings.messages}: {_count(len(policy.messages.treatment), 'message')} of special treatment",
        f"{settings.incentives}: {_incentives(policy.incentives.file)}",
    ]
    if settings.coupons is not None:
        lines.append(f"{settings.coupons}: {_count(len(policy.coupons.file.coupon), 'coupon')}")
    asked = ", ".join(policy.readings) or "nothing"
    lines.append(f"the terminals of good customers who have agreed are asked for: {asked}")
    lines += _unused(policy)
    warnings = list(_products(settings, policy.incentives.file))
    found = sum(each.startswith("warning: ") for each in warnings)
    end = f"no mistakes found, {_count(found, 'warning')}" if found else "no mistakes found"
    return "\n".join([*lines, *warnings, end])


def _unused(policy: Policy) -> list[str]:
    used = {rule.message for rule, _ in policy.treatments}
    return [f"note: message {name!r} is used by no rule" for name in policy.messages.treatment if name not in used]


def _products(settings: HubSettings, file: IncentivesFile) -> Iterator[str]:
    """Products that incentives give away and the store does not have. Reads the database, if there is one; changes nothing."""
    named = [(rule, code) for rule in file.incentive for code in _codes(rule)]
    if not named:
        return
    unchecked = "note: which products incentives name was not checked:"
    if not settings.database.exists():
        yield f"{unchecked} there is no database {settings.database} yet"
        return
    try:
        with closing(sqlite3.connect(f"{settings.database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            if not products.some(db, "", 1):
                yield f"{unchecked} none are imported yet (instore products import FILE)"
                return
            for rule, code in named:
                if wrong := _product(db, code):
                    where = _line(settings.incentives, rule.name, code)
                    yield f"warning: {settings.incentives}: incentive {rule.name!r}{where}, product {code!r}: {wrong}"
    except sqlite3.Error as error:
        yield f"{unchecked} {settings.database}: {error}"


def _codes(rule: IncentiveRule) -> list[str]:
    table = [str(value) for _, value in rule.table or ()] if rule.stepped == "product" else []
    return [*([rule.product] if rule.product else []), *table]


def _product(db: sqlite3.Connection, code: str) -> str:
    """What is wrong with it, or nothing."""
    row = products.product(db, code)
    if row is not None:
        return "" if row.on_sale else "is not on sale any more"
    try:
        known = product_code(code)
    except CodeRefused as refused:
        return str(refused)
    if products.product(db, known) is not None:
        return f"the store has it as {known!r}; write that, or customers read the code for its name"
    return ("the store has no such product, so that customers read the code for its name; "
            "import it (instore products import FILE), or correct it")  # fmt: skip


def _line(path: Path, rule: str, code: str) -> str:
    """Where the code stands behind the rule's name."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        said = line.partition("#")[0]
        if said.strip().startswith("name") and (f'"{rule}"' in said or f"'{rule}'" in said):
            inside = True
        if inside and (f'"{code}"' in said or f"'{code}'" in said):
            return f" (line {number})"
    return ""


def _incentives(file: IncentivesFile) -> str:
    """How many, how they go together, and which of them can be given by nobody's fault alone."""
    limited = [rule.name for rule in file.incentive if rule.budget_minor or rule.budget_count or rule.per_customer]
    how = {
        "first": "the first that holds is given",
        "best": "the best one that holds is given",
        "sum": "all that hold are given",
    }
    said = [_count(len(file.incentive), "incentive"), *([how[file.combine]] if file.incentive else [])]
    return "; ".join([*said, *([f"with a budget or a limit: {', '.join(limited)}"] if limited else [])])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
