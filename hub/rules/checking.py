"""`instore rules check`: the files as they are, counted, with what is written and never used."""

from __future__ import annotations

from pathlib import Path

from config.hub_settings import load_hub
from hub.rules.policy import Policy, read_policy


def check_rules(settings_path: Path) -> str:
    """A report for people. Raises SettingsError naming every mistake with its file, rule, line and column."""
    settings = load_hub(settings_path)
    policy = read_policy(settings)
    lines = [
        f"{settings.rules}: {_count(len(policy.ranks), 'rank')}, {_count(len(policy.good), 'rule')} for good customers, "
        f"{_count(len(policy.treatments), 'special treatment')}",
        f"{settings.messages}: {_count(len(policy.messages.treatment), 'message')} of special treatment",
        f"{settings.incentives}: {_count(len(policy.incentives), 'incentive')}",
    ]
    if settings.coupons is not None:
        lines.append(f"{settings.coupons}: {_count(len(policy.coupons.file.coupon), 'coupon')}")
    asked = ", ".join(policy.readings) or "nothing"
    lines.append(f"the terminals of good customers who have agreed are asked for: {asked}")
    return "\n".join([*lines, *_unused(policy), "no mistakes found"])


def _unused(policy: Policy) -> list[str]:
    used = {rule.message for rule, _ in policy.treatments}
    return [f"note: message {name!r} is used by no rule" for name in policy.messages.treatment if name not in used]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
