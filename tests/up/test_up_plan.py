"""The file of a whole store: what runs where, what is written, and what is said when it can't be so."""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import SettingsError
from config.store_file import load_store
from instore.__main__ import app
from instore.store_files import SHIPPED
from instore.up import files, telling
from instore.up.checking import check_all
from instore.up.new import new_store
from instore.up.plan import plan_of
from instore.up.reload import reloaded
from instore.up.run import check_ports

pytestmark = pytest.mark.row("B13")
ONE = (SHIPPED / "store.toml").read_text(encoding="utf-8")
MACHINE = '[[machine]]\nname = "store"\naddress = "127.0.0.1"'
SEVERAL = """
[store]
id = "ginza"
name = { ja = "銀座店", en = "Ginza" }

[broker]
kind = "mosquitto"

[hub]
policy = "policy"

[hub.http]
port = 8181

[[machine]]
name = "office"
address = "10.0.0.10"
runs = ["broker", "hub"]

[[machine]]
name = "gateway"
address = "shop.example"
runs = ["web"]

[[machine]]
name = "exit-pi"
address = "10.0.0.21"
runs = ["agent:exit"]

[[agent]]
name = "exit"
place = { ja = "出口", en = "Exit" }

[[agent.lane]]
id = "1"
reader = { port = "/dev/serial/by-id/usb-reader" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "store.toml"
    path.write_text(text, encoding="utf-8")
    return path


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_bytes())
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def test_a_new_store_is_good_as_it_is_and_is_not_written_over(tmp_path):
    ran = CliRunner().invoke(app, ["up", "--new", str(tmp_path / "shop")])
    assert (ran.exit_code, "next: edit" in ran.output) == (0, True), ran.output
    ran = CliRunner().invoke(app, ["up", "--config", str(tmp_path / "shop/store.toml"), "--check"])
    assert ran.exit_code == 0, ran.output
    assert "usb-printer is not there" in ran.output
    assert ran.output.splitlines()[-1].endswith("good")
    assert not (tmp_path / "shop/data").exists(), "a check writes nothing"
    with pytest.raises(ValueError, match="is there already"):
        new_store(tmp_path / "shop")


def test_what_is_written_is_its_owners_and_a_second_run_keeps_it(tmp_path):
    plan = plan_of(written(tmp_path, ONE))
    files.prepare(plan)
    first = tree(plan.data)
    assert {"hub.toml", "agent-exit.toml", "agent-entrance.toml", "api-keys.toml", "credentials.json", "secrets/hub-main",
            "secrets/agent-exit", "secrets/clerk-c01"} <= set(first)  # fmt: skip
    assert {mode for mode, _ in first.values()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (plan.data, plan.data / "secrets")} == {0o700}
    files.prepare(plan_of(plan.path))
    assert tree(plan.data) == first
    (plan.data / "secrets/agent-exit").unlink()
    files.prepare(plan)
    again = tree(plan.data)
    changed = {name for name in again if again[name] != first[name]}
    assert changed == {"secrets/agent-exit", "credentials.json"}, (
        "half of a user is of no use: a new password for this one"
    )


@pytest.mark.row("B13")
def test_what_root_writes_belongs_to_whom_the_folder_belongs_to(tmp_path, monkeypatch):
    """An installer exports a machine and issues a password as root; the service, which is somebody else, reads it all."""
    given = {}
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.chown", lambda made, user, group: given.__setitem__(_name(made), (user, group)))
    plan = plan_of(written(tmp_path, ONE))
    files.prepare(plan)
    CliRunner().invoke(app, ["credentials", "issue", "clerk", "c77", "--file", str(files.users_file(plan))])
    owner = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    assert set(given.values()) == {owner}
    assert {"data", "secrets", "hub.toml", "agent-exit.toml", "api-keys.toml", "credentials.json", "hub-main"} <= set(
        given
    )


def test_root_runs_nothing_in_a_folder_of_somebody_else(tmp_path, monkeypatch):
    """Its databases would be root's, and the service could not read them."""
    plan = plan_of(written(tmp_path, ONE))
    files.prepare(plan)
    if os.geteuid() == 0:
        files.check_owner(plan)
        os.chown(plan.data, 65534, 65534)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(SettingsError, match="runuser -u"):
        files.check_owner(plan)


def test_a_changed_file_says_which_programs_are_started_anew(tmp_path):
    new_store(tmp_path)
    plan = plan_of(written(tmp_path, ONE))
    files.prepare(plan)
    assert reloaded(plan)[1] == []
    written(tmp_path, ONE.replace("enter_rssi_dbm = -72", "enter_rssi_dbm = -75"))
    plan, changed = reloaded(plan)
    assert changed == ["agent:entrance"]
    written(tmp_path, ONE + "[hub.lane]\nopen_s = 6\n")
    plan, changed = reloaded(plan)
    assert changed == ["hub", "agent:entrance"]
    for mistake, says in (
        (("port = 1883", "port = 1884"), "new start"),
        (("open_s = 6", "open_z = 6"), "open_z"),
        (('name = "exit"', 'name = "exits"'), "agent:exit"),
    ):
        written(tmp_path, (ONE + "[hub.lane]\nopen_s = 6\n").replace(*mistake))
        before = tree(plan.data)
        with pytest.raises(SettingsError, match=says):
            reloaded(plan)
        assert tree(plan.data) == before


def _name(made: int | Path) -> str:
    path = Path(f"/proc/self/fd/{made}").readlink() if isinstance(made, int) else made
    return path.name.lstrip(".").rpartition(".")[0] if isinstance(made, int) else path.name


def test_a_machine_keeps_its_data_where_the_store_says(tmp_path):
    """The service of a machine may write to /var/lib/instore and nowhere else."""
    plan = plan_of(written(tmp_path, f'data = "{tmp_path}/var/data"\n{SEVERAL}'), ["office"])
    carried = tomllib.loads(files.export(plan, "exit-pi").read_text(encoding="utf-8"))
    assert carried["data"] == str(tmp_path / "var/data")


def test_machines_get_what_they_need_and_nothing_else(tmp_path):
    office = plan_of(written(tmp_path, SEVERAL), ["office"])
    assert office.parts == ("broker", "hub")
    assert office.hub_document()["http"]["host"] == "10.0.0.10"
    assert office.hub_document()["http"]["ws_url"] == "ws://shop.example:8443/mqtt"
    assert office.hub_document()["rules"] == tmp_path / "policy/rules.toml"
    assert office.hub_document()["places"] == {"exit": {"ja": "出口", "en": "Exit"}}
    path = files.export(office, "exit-pi")
    assert path.stat().st_mode & 0o777 == 0o600
    carried = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(carried["passwords"]) == {"agent-exit"}
    assert carried["passwords"]["agent-exit"] == (office.data / "secrets/agent-exit").read_text().strip()
    there = tmp_path / "pi"
    there.mkdir()
    (there / "store.toml").write_bytes(path.read_bytes())
    for does in (check_all, files.prepare):
        with pytest.raises(SettingsError, match="chmod 600"):
            does(plan_of(there / "store.toml"))
    (there / "store.toml").chmod(0o600)
    pi = plan_of(there / "store.toml")
    assert (pi.machine.name, pi.parts, pi.home) == ("exit-pi", ("agent:exit",), False)
    files.prepare(pi)
    assert set(tree(pi.data)) == {"agent-exit.toml", "secrets/agent-exit"}
    settings = tomllib.loads((pi.data / "agent-exit.toml").read_text(encoding="utf-8"))
    assert (settings["mqtt"]["host"], settings["mqtt"]["username"]) == ("10.0.0.10", "agent-exit")
    assert "rules.toml" in telling.exported(office, "office", path)


def test_a_machine_listens_where_it_is_reached(tmp_path):
    file = load_store(written(tmp_path, SEVERAL))
    assert [machine.listens for machine in file.machine] == ["10.0.0.10", "0.0.0.0", "10.0.0.21"]
    one = plan_of(written(tmp_path, ONE.replace('"127.0.0.1"', '"192.168.0.10"')))
    assert (one.broker.host, one.broker_listens) == ("127.0.0.1", "127.0.0.1"), "the embedded broker: this machine only"
    assert any("clerks' phones" in caution for caution in telling.cautions(one))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[hub]", "[hubb]"), "hubb is not a known key; did you mean 'hub'?"),
        (('runs = ["broker", "hub", ', 'runs = ["hub", '), "nothing runs 'broker'; add it to one machine's list"),
        (('"agent:exit"]', '"agent:exits"]'), "'agent:exits' has no [[agent]] with that name"),
        (('"agent:exit"]', '"agent:exit", "hub"]'), "'hub' is to run 2 times; it runs once"),
        (('[hub]\npolicy', '[hub]\nidd = "x"\npolicy'), "hub: idd is not a known key"),
        (('[hub]\npolicy', '[hub]\nid = "x"\npolicy'), "hub: id does not belong here: it follows from the rest"),
        (('[hub]\npolicy', '[hub]\ntrace_days = 0\npolicy'), "[hub] trace_days: Input should be greater than or equal to 1"),
        (("enter_rssi_dbm = -72", "enter_rssi = -72"), "[[agent]] entrance: beacons.enter_rssi is not a known key; did you mean"),
        (("[agent.lane.reader]\nport", "[agent.lane.reader]\nprt"), "[[agent]] exit: lane.0.reader.port is missing"),
        (('ws_port = 9001', "ws_port = 8080"), "port 8080 of 'store' is wanted by broker.ws_port and hub.http.port"),
        (('ws_port = 9001', "ws_port = 1883"), "port and ws_port are both 1883"),
        (('kind = "embedded"', 'kind = "elsewhere"'), 'kind = "elsewhere" needs host, username, password_file'),
        (('kind = "embedded"', 'kind = "embedded"\ntls_cert = "x"'), "tls_cert and tls_key belong together"),
        ((MACHINE, '[[machine]]\nname = "pi"\naddress = "10.0.0.9"\nruns = ["web"]\n' + MACHINE),
         '"embedded" serves one machine only, and \'pi\' is another; use "mosquitto"'),
        ((MACHINE, '[[machine]]\nname = "store"\nruns = ["web"]\n' + MACHINE), "two machines are called 'store'"),
        (('time_zone = "Asia/Tokyo"', 'time_zone = "Asia/Tokio"'), "store.time_zone: is no time zone"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_file_the_key_and_what_to_do(tmp_path, change, says):
    assert change[0] in ONE
    path = written(tmp_path, ONE.replace(*change, 1))
    ran = CliRunner().invoke(app, ["up", "--config", str(path), "--check"])
    assert ran.exit_code == 2, ran.output
    assert str(path) in ran.output
    assert says in ran.output.replace("\n", " "), ran.output
    assert "Traceback" not in ran.output


@pytest.mark.parametrize(
    ("only", "says"),
    [
        (
            ["cellar"],
            "there is no such machine or part; known are office, gateway, exit-pi, agent:exit, broker, hub, web",
        ),
        (["office", "gateway"], "this is one machine, not 2"),
        (["office", "agent:exit"], "that runs on machine 'exit-pi', not on 'office'"),
        ([], "which machine is this? None is called"),
        (["exit-pi"], "on 'office' run `instore up --export-machine exit-pi`"),
    ],
)
def test_who_asks_for_what_is_not_here_is_told(tmp_path, only, says):
    path = written(tmp_path, SEVERAL)
    with pytest.raises(SettingsError) as refused:
        files.prepare(plan_of(path, only))
    assert says in str(refused.value)
    assert plan_of(path, ["hub"]).parts == ("hub",)


def test_a_certificate_or_a_rule_that_is_wrong_is_found_by_the_check(tmp_path):
    path = tmp_path / "store.toml"
    new_store(tmp_path)
    path.write_text(ONE.replace("# [web]", '[web]\ntls_cert = "a.pem"\ntls_key = "b.pem"').replace('"broker", "hub",', '"broker", "hub", "web",'))  # fmt: skip
    ran = CliRunner().invoke(app, ["up", "--config", str(path), "--check"])
    assert (ran.exit_code, f"web.tls_cert: {tmp_path / 'a.pem'}: there is no such file" in ran.output) == (2, True)
    path.write_text(ONE)
    (tmp_path / "rules.toml").write_text("[[rank]]\nname = 1\n")
    ran = CliRunner().invoke(app, ["up", "--config", str(path), "--check"])
    assert (ran.exit_code, f"{tmp_path / 'rules.toml'}: rank" in ran.output) == (2, True), ran.output


def test_a_port_in_use_is_said_and_so_is_a_second_run(tmp_path):
    plan = plan_of(written(tmp_path, ONE))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = plan_of(written(tmp_path, ONE.replace("port = 8080", f"port = {port}")), ["hub"])
        with pytest.raises(
            SettingsError, match=rf"hub.http.port\): port {port} on 127.0.0.1 can't be used .*Address already in use"
        ):
            check_ports(other)
    files.prepare(plan)
    with files.alone(plan), pytest.raises(SettingsError, match="broker of this store runs already"), files.alone(plan):
        pass


def test_users_that_the_file_does_not_name_any_more_are_named(tmp_path):
    plan = plan_of(written(tmp_path, ONE))
    files.prepare(plan)
    fewer = ONE.replace(', "agent:entrance"', "")
    without = plan_of(
        written(tmp_path, fewer[: fewer.index("[[agent]]")] + fewer[fewer.index('[[agent]]\nname = "exit"') :])
    )
    assert any("instore credentials withdraw agent entrance" in caution for caution in telling.cautions(without))
