"""The command line as a person meets it: fast help, documents, users, imports, and mistakes as sentences (row C8)."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instore.__main__ import app
from instore.store_files import SHIPPED
from tests.system.commands import Told, instore, instore_here

COMMANDS = ["", "edge", "hub", "broker", "handheld", "demo", "explain", "customers", "customers import", "contract",
            "contract asyncapi", "contract acl", "bench", "bench latency", "bench throughput", "sim", "sim reader", "sim gate",
            "sim printer", "sim beacons", "sim phones", "members", "members waiting", "members confirm", "credentials", "credentials issue", "credentials list",
            "credentials withdraw"]  # fmt: skip


def sentence(told: Told, *words: str) -> None:
    """It ended with exit code 2 and one sentence that holds these words."""
    assert told.code == 2, told
    assert told.err.startswith("instore: "), told.err
    for word in words:
        assert word in told.err
    assert "Traceback" not in told.err
    assert "[Errno" not in told.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    told = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="instore")
    assert told.exit_code == 0
    assert f"Usage: instore {command}".rstrip() in told.output


async def test_help_is_there_at_once(tmp_path: Path) -> None:
    took = []
    for _ in range(3):
        began = time.monotonic()
        told = await instore("--help", cwd=tmp_path)
        took.append(time.monotonic() - began)
        assert (told.code, told.err) == (0, "")
    assert min(took) < 5  # 0.3 s alone; other tests run beside it


async def test_help_loads_no_driver_and_no_database(tmp_path: Path) -> None:
    told = await instore("--help", cwd=tmp_path, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rpartition("|")[2].strip() for line in told.err.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"bleak", "pymodbus", "fastapi", "gmqtt", "amqtt", "paho", "PIL", "hub.service", "edge.agent"}


@pytest.mark.row("C12")
def test_the_contract_as_documents(tmp_path: Path) -> None:
    document = json.loads(instore_here("contract", "asyncapi", cwd=tmp_path).out)
    assert document["asyncapi"].startswith("3.")
    assert "channels" in document
    rules = json.loads(instore_here("contract", "acl", "--store", "ginza", "--json", cwd=tmp_path).out)
    assert rules["default"] == "deny"
    assert {rule["role"] for rule in rules["rules"]} == {"agent", "hub", "clerk", "observer"}
    text = instore_here("contract", "acl", "--store", "ginza", cwd=tmp_path).out
    for rule in rules["rules"]:
        assert rule["topic"].startswith("instore/ginza/")
        assert rule["topic"] in text
    sentence(instore_here("contract", "acl", "--store", "a/b", cwd=tmp_path), "'a/b' is no name of a store")


def test_users_come_and_go(tmp_path: Path) -> None:
    def credentials(*arguments: str) -> Told:
        return instore_here("credentials", *arguments, cwd=tmp_path)

    assert "no users yet" in credentials("list").err
    issued = credentials("issue", "clerk", "c01")
    password = issued.out.split()[-1]
    assert "clerk-c01" in issued.out
    assert len(password) >= 20
    credentials("issue", "agent", "door-1")
    listed = credentials("list")
    assert sorted(listed.out.split()) == ["agent-door-1", "clerk-c01"]
    file = tmp_path / "credentials.json"
    assert password not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert credentials("withdraw", "clerk", "c01").code == 0
    assert credentials("list").out.split() == ["agent-door-1"]
    sentence(credentials("withdraw", "clerk", "c01"), "clerk-c01")
    sentence(credentials("issue", "boss", "c01"), "boss", "agent, ")
    sentence(credentials("issue", "clerk", "a/b"), "a/b", "is no ID")
    file.write_text("{")
    sentence(credentials("list"), "credentials.json")


@pytest.mark.row("A1")
async def test_customers_are_imported_and_what_is_refused_is_named(tmp_path: Path) -> None:
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "good.csv").write_text("customer,name,age\nC9,花,20\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_text("customer,name,age\nC8,葉,21\nbad id,x,1\nC7,y,old\n", encoding="utf-8")
    good = await instore("customers", "import", "good.csv", cwd=tmp_path)
    assert good.code == 0, good
    assert "1 of 1 customers imported, 0 lines refused" in good.out
    bad = await instore("customers", "import", "bad.csv", cwd=tmp_path)
    assert bad.code == 1
    assert "1 of 3 customers imported, 2 lines refused" in bad.out
    assert "bad.csv, line 3, customer: " in bad.out
    assert "bad.csv, line 4, age: " in bad.out
    sentence(await instore("customers", "import", "none.csv", cwd=tmp_path), "none.csv")
    sentence(
        await instore("customers", "import", "good.csv", "--config", "h.toml", cwd=tmp_path),
        "h.toml: there is no such file",
    )


@pytest.mark.row("A1")
async def test_clerks_may_come_first_in_a_new_store(tmp_path: Path) -> None:
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    sentence(await instore("clerks", "list", cwd=tmp_path), "there is no such database")
    (tmp_path / "more.csv").write_text("clerk,name,groups,left_on\nc09,葉,,2026-13-01\n", encoding="utf-8")
    assert "4 of 4 clerks imported" in (await instore("clerks", "import", "clerks.csv", cwd=tmp_path)).out
    bad = await instore("clerks", "import", "more.csv", cwd=tmp_path)
    assert (bad.code, "more.csv, line 2, left_on: " in bad.out) == (1, True)
    assert "佐藤 恵" in (await instore("clerks", "list", cwd=tmp_path)).out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("edge --config nowhere.toml", ("nowhere.toml", "check the path given to --config")),
        ("hub --config .", ("this is a folder",)),
        ("broker --host 0.0.0.0", ("0.0.0.0", "--mosquitto-config")),
        ("broker --mosquitto-config m --tls-cert x", ("--tls-cert and --tls-key belong together",)),
        ("explain", ("say which visit, or --last",)),
        ("explain --last", ("no demo was played here yet", "--config")),
        ("demo --once --dir credentials.json", ("credentials.json: Not a directory",)),
        ("sim reader --link r --control c --framing morse", ("unknown framing 'morse'", "stx_etx")),
        ("sim printer --link r --control c --out o --model quill", ("unknown printer model 'quill'",)),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path: Path, command: str, words: tuple[str, ...]) -> None:
    (tmp_path / "credentials.json").write_text('{"format": "?"}')
    sentence(instore_here(*command.split(), cwd=tmp_path), *words)


@pytest.mark.parametrize(
    "command", ["nonsense", "handheld --clerk c01 --language fr", "sim beacons --bus b --control c --adapter x"]
)
def test_a_wrong_word_is_told_with_what_is_allowed(tmp_path: Path, command: str) -> None:
    told = instore_here(*command.split(), cwd=tmp_path)
    assert told.code == 2
    assert command.split()[-1] in told.err
    assert "Traceback" not in told.err
