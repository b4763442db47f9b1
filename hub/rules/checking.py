"""`instore rules check`: the files as they are, counted, with what is written and never used."""

from __future__ import annotations

from pathlib import Path

from config.hub_settings import load_hub
from config.incentives import IncentivesFile
from hub.rules.policy import Policy, read_policy


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
    return "\n".join([*lines, *_unused(policy), "no mistakes found"])


def _unused(policy: Policy) -> list[str]:
    used = {rule.message for rule, _ in policy.treatments}
    return [f"note: message {name!r} is used by no rule" for name in policy.messages.treatment if name not in used]


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
