"""What `instore up` says: what runs where, what to open, how each part is. Text for a terminal or a journal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import segno

from instore.store_files import HUB
from instore.up.files import manager_key, settings_file, strangers, users_file
from instore.up.plan import Plan


def overview(plan: Plan) -> str:
    """What runs on this machine, what elsewhere, and which settings say so."""
    store = plan.file.store
    lines = [f"store {store.id} ({store.name.ja} / {store.name.en}) from {plan.path}",
             f"machine {plan.machine.name} ({plan.machine.address}), data in {plan.data}", ""]  # fmt: skip
    for machine in plan.file.machine:
        for part in machine.runs:
            here = machine == plan.machine and part in plan.parts
            where = "here" if here else f"on {machine.name} ({machine.address})"
            lines.append(f"  {part:<18} {where:<28} {what(plan, part)}")
    return "\n".join(lines)


def what(plan: Plan, part: str) -> str:
    """One part in a few words."""
    given = plan.file.broker
    if part == "broker":
        tls = ", TLS" if given.tls_cert else ""
        return f"{given.kind}, MQTT {given.port}, WebSocket {given.ws_port}{tls}"
    if part == "hub":
        return f"hub-{HUB}, pages at {plan.hub_url}"
    if part == "web":
        return f"pages at {plan.pages_url}"
    agent = next(each for each in plan.file.agent if f"agent:{each.name}" == part)
    return "; ".join(_devices(agent.sections))


def _devices(sections: dict[str, Any]) -> list[str]:
    found = []
    if "beacons" in sections:
        found.append(f"beacons ({sections['beacons'].get('adapter', 'first adapter')})")
    found += [f"{each.get('kind')} {each.get('id')}" for each in sections.get("detector", [])]
    for lane in sections.get("lane", []):
        ports = [name for name in ("reader", "keypad", "nfc", "printer", "gate") if name in lane]
        found.append(f"lane {lane.get('id')}: {', '.join(ports)}")
    return found


def missing_ports(plan: Plan) -> list[str]:
    """Serial ports of this machine's agents that are not there: they are waited for, and most likely misspelt."""
    found = []
    for agent in plan.agents:
        for where, port in _ports(agent.sections, ""):
            if port.startswith("/") and not Path(port).exists():
                found.append(
                    f"agent {agent.name}: {where}: {port} is not there; it is waited for (ls -l /dev/serial/by-id)"
                )
    return found


def _ports(value: Any, where: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        own = [(where, value["port"])] if isinstance(value.get("port"), str) else []
        return own + [found for key, each in value.items() for found in _ports(each, f"{where}.{key}".strip("."))]
    if isinstance(value, list):
        return [found for each in value for found in _ports(each, f"{where} {each.get('id', '') if isinstance(each, dict) else ''}".strip())]  # fmt: skip
    return []


def to_open(plan: Plan, *, qr: bool) -> str:
    """Addresses of pages, and where the keys to them are."""
    url = plan.pages_url
    lines = [f"members   {url}/member/", f"clerks    {url}/handheld/", f"manager   {url}/manager/"]
    if (key := manager_key(plan)) is not None:
        lines[-1] += f"   key: [managers] in {key}"
    if plan.home and plan.file.clerks:
        lines[1] += f"   passwords: {plan.secret('clerk-ID')}"
    elif plan.home and plan.file.broker.kind != "elsewhere":
        lines[1] += f"   a password: instore credentials issue clerk ID --file {users_file(plan)}"
    lines += [f"lane      http://{at}/lane/{lane}" for at, lane in _displays(plan)]
    text = "\n".join(f"  {line}" for line in lines)
    return f"{text}\n\n{_picture(url)}" if qr else text


def _displays(plan: Plan) -> list[tuple[str, str]]:
    """Displays of the lanes of this machine: they are served by the agent itself."""
    found = []
    for agent in plan.agents:
        display = agent.sections.get("display")
        if isinstance(display, dict):
            at = f"{display.get('host', '127.0.0.1')}:{display.get('port', 0)}"
            found += [(at, str(lane.get("id"))) for lane in agent.sections.get("lane", [])]
    return found


def _picture(url: str) -> str:
    """The member page as a QR code for a terminal."""
    out = io.StringIO()
    segno.make_qr(f"{url}/member/", error="m").terminal(out, compact=True, border=2)
    return out.getvalue()


def cautions(plan: Plan) -> list[str]:
    """What works and should not stay so."""
    found = missing_ports(plan)
    given = plan.file.broker
    if given.kind == "mosquitto" and not given.tls_cert and any(not each.local for each in plan.file.machine):
        found.append("broker: without tls_cert and tls_key passwords cross the network in the clear")
    if given.kind == "embedded" and len(plan.file.machine) == 1 and not plan.machine.local:
        found.append("broker: the embedded one listens on this machine only; clerks' phones need \"mosquitto\", or a \"web\"")  # fmt: skip
    found += [f"{name} may use the broker and is not in the file: instore credentials withdraw {name.replace('-', ' ', 1)} "
              f"--file {users_file(plan)}" for name in strangers(plan)]  # fmt: skip
    return found


def exported(plan: Plan, name: str, path: Path) -> str:
    """What to do with a machine's file."""
    machine = next(each for each in plan.file.machine if each.name == name)
    lines = [f"wrote {path} (mode 600; it holds the passwords of {', '.join(machine.runs)})",
             f"carry it to {name} ({machine.address}) and run there: instore up --config {path.name}"]  # fmt: skip
    if "hub" in machine.runs:
        lines.append("beside it belong rules.toml, messages.toml, incentives.toml, coupons.toml and what [hub] names")
    if "web" in machine.runs and plan.file.web.tls_cert is not None:
        lines.append(f"and {plan.file.web.tls_cert}, {plan.file.web.tls_key}")
    return "\n".join(lines)


__all__ = ["cautions", "exported", "overview", "settings_file", "to_open", "what"]
