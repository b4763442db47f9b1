"""A changed store's file is taken up while the store runs: only programs whose own settings have changed are started anew.

So a key for exit codes is exchanged, or a lane's settings, while lanes and broker go on. What would move a program to another
machine, or the broker to another port, is for a new `instore up`.
"""

from __future__ import annotations

from pathlib import Path

from config.load import SettingsError
from instore.up.files import prepare, settings_file
from instore.up.plan import Plan, plan_of


def reloaded(plan: Plan) -> tuple[Plan, list[str]]:
    """The plan by the file as it is now, with its settings written, and the parts to be started anew, in their order.

    Raises SettingsError, BrokerError, OSError; a file with a mistake changes nothing.
    """
    new = plan_of(plan.path, (plan.machine.name, *plan.parts))
    fixed = [what for what, then, now in (
        ("[store] id", plan.file.store.id, new.file.store.id), ("data", plan.data, new.data), ("[broker]", plan.file.broker, new.file.broker),
        (f"[[machine]] {plan.machine.name}", plan.machine, new.machine),
    ) if then != now]  # fmt: skip
    if fixed:
        raise SettingsError(plan.path, [f"{fixed[0]} has changed: that needs a new start of `instore up`"])
    from instore.up.checking import check_all  # with the rules' language, which a start does not need

    check_all(new)
    before = {part: _text(plan, part) for part in plan.parts}
    prepare(new)
    changed = [part for part in new.parts if _text(new, part) != before[part]]
    if "web" in new.parts and (plan.file.web, plan.hub_url) != (new.file.web, new.hub_url):
        changed.append("web")
    return new, changed


def _text(plan: Plan, part: str) -> str:
    """The settings of a part as they are written now; "" for one that has no file."""
    path = _settings(plan, part)
    return path.read_text(encoding="utf-8") if path is not None and path.exists() else ""


def _settings(plan: Plan, part: str) -> Path | None:
    if part == "hub":
        return plan.data / "hub.toml"
    return settings_file(plan, part.removeprefix("agent:")) if part.startswith("agent:") else None
