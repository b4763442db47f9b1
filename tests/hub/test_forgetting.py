"""A customer is forgotten: in every table, in what waits, in memory, in the bytes of the files, and others are not (row C11)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from contract.payloads import AgentHeartbeat
from hub.database import erasing, whole
from hub.erasure import ForgetFailed, forget
from hub.importing import import_file

NAME, PHONE, EMAIL = "山田 花子", "+81-3-0000-0001", "hanako@example.com"
MARKS = ("C0001", NAME, PHONE, EMAIL, "8024-bc5b71e0893e:1:1\x00")


@pytest.fixture
def lived(store, beacons):
    """She came, clerks were asked, she bought, went out with a coupon, came again and stands at the lane; John did too."""
    db = store.journal.db
    store.sight(beacons[0])
    store.sight(beacons[1])
    for sale, customer in (("S-1", "C0001"), ("S-2", "C0002")):
        code = store.sell(sale, 5000, customer).exit_code
        store.scan(code, sale=sale, id=f"scan-{sale}")
        store.passage(scan=f"scan-{sale}")
    code = store.sell("S-3", 7000, "C0001").exit_code
    store.scan(code, sale="S-3", id="scan-S-3")
    db.execute("INSERT INTO consent VALUES ('k-1', 'C0001', 'service', 'w1', '2026-03-01', NULL)")
    db.execute(
        "INSERT INTO coupon SELECT 'K-H', 'C0001', 'r', 'discount', 'a', 'a', 'a', 'a', 1, 0, '2026-03-01T00:00:00.000000Z', "
        "'2026-03-01T00:00:00.000000Z', '2026-04-01T00:00:00.000000Z', 'offered', 1, 1, 0"
    )
    store.journal.quarantine("2026-03-01", "POST /api/v1/sales", "invalid", "x", b'{"customer": "C0001"}')
    store.journal.quarantine("2026-03-01", "POST /api/v1/sales", "invalid", "x", b'{"customer": "C00010"}')
    return store


def ask(store, customer="C0001"):
    """As the command does while the hub runs."""
    marks = erasing.marks(store.journal.db, customer)
    erasing.ask(store.journal.db, customer, "2026-03-01")
    said = store.tick()
    return marks, said, erasing.answer(store.journal.db, customer)


def texts(store) -> str:
    """All that the database holds, as text."""
    db = store.journal.db
    return "\n".join(
        str(row) if not isinstance(value := row[0], bytes) else value.decode()
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for column in whole.columns(db, table)
        for row in db.execute(f'SELECT "{column}" FROM "{table}"').fetchall()
    )


@pytest.mark.row("C11")
def test_nothing_of_her_is_left_anywhere_in_the_database(lived):
    assert NAME in texts(lived)
    marks, _, done = ask(lived)
    left = texts(lived).replace("C00010", "")
    assert [mark for mark in marks if mark in left] == []
    assert erasing.left(lived.journal.db, "C0001") == []
    assert {"customer", "customer_beacon", "visit", "alert", "trace", "deputy", "consent", "quarantine"} <= set(
        done["erased"]
    )
    assert {"sale": 2, "scan": 2, "coupon": 1}.items() <= done["changed"].items()
    assert lived.counters["customers_forgotten"] == 1


@pytest.mark.row("C11")
def test_the_books_stay(lived):
    before = lived.all("SELECT sale, amount_minor, day FROM sale ORDER BY sale")
    ask(lived)
    assert lived.all("SELECT sale, amount_minor, day FROM sale ORDER BY sale") == before
    assert lived.one("SELECT count(*) FROM sale WHERE customer IS NULL") == (2,)
    assert lived.one("SELECT state, customer FROM coupon") == ("withdrawn", None)
    again = lived.sell("S-1", 5000, "C0001")  # the POS posts it again: no contradiction, and nobody is credited
    assert (again.created, again.customer_known) == (False, False)


@pytest.mark.row("C11")
def test_others_are_untouched(lived):
    tables = ("customer", "visit", "alert", "deputy", "customer_beacon", "trace", "scan", "incentive", "sale")
    where = dict.fromkeys(tables, "customer = 'C0002'") | {"trace": "visit LIKE '%C0002'"}

    def johns():
        return [lived.all(f"SELECT * FROM {t} WHERE {where[t]}") for t in tables]

    lived.tick()
    before = johns()
    ask(lived)
    assert johns() == before


@pytest.mark.row("C11")
def test_open_alerts_end_with_a_card_that_says_nothing(lived):
    _, said, _ = ask(lived)
    ended = [message for message in said if message.channel.name == "alert"]
    assert {message.ids["clerk"] for message in ended} == {"c01", "c02", "c03"}
    for message in ended:
        assert (message.data.state, message.data.customer.name, message.data.message.ja) == ("expired", "", "")


@pytest.mark.row("C11")
def test_what_waits_for_a_lane_goes_out_without_her_name(lived):
    ask(lived)
    lived.engine.link_down()
    lived.engine.link_up()  # whatever is unacknowledged goes out again
    again = [message for message in lived.listen() if message.channel.name == "lane_decision"]
    hers = next(message for message in again if message.data.scan == "scan-S-3")
    assert hers.data.outcome == "open"
    assert NAME not in hers.data.model_dump_json()
    assert hers.visit is None
    johns = next(message for message in again if message.data.scan == "scan-S-2")
    assert "John" in johns.data.show.ja
    lived.restart()
    assert NAME not in "".join(message.data.model_dump_json() for message in lived.listen())


@pytest.mark.row("C11")
def test_her_beacon_is_a_strangers_at_once_and_a_lane_can_finish(lived, beacons):
    ask(lived)
    assert [m for m in lived.sight(beacons[0]) if m.channel.name in ("visit_opened", "alert")] == []
    lived.passage(scan="scan-S-3")
    assert lived.one("SELECT used IS NOT NULL FROM exit_code WHERE sale = 'S-3'") == (1,)
    lived.hear(
        lived.bytes_of("agent_heartbeat", AgentHeartbeat(uptime_s=1, unacknowledged=0, epoch="e9"), agent="door-1")
    )
    assert NAME not in texts(lived)


@pytest.mark.row("C11")
def test_every_table_that_knows_a_customer_is_dealt_with(store):
    """A table that a later migration adds is erased as it stands; one that must stay has to be named."""
    tables = set(whole.tables_about_customers(store.journal.db))
    assert tables >= set(erasing.ANONYMISED)
    assert {"customer", "visit", "alert", "sensing", "member_session", "eid_key", "consent"} <= tables


@pytest.mark.row("C11")
def test_the_proof_looks_at_the_bytes(lived, tmp_path):
    settings = lived.settings
    lived.stop()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "hub.log").write_text("nothing\n")
    found = forget(settings, "C0001", [logs])
    lived.start()
    assert (found["found"], found["left_in"], found["by"]) == (0, [], "this program")
    raw = b"".join(file.read_bytes() for file in Path(settings.database).parent.glob(f"{settings.database.name}*"))
    assert [mark for mark in MARKS[1:4] if mark.encode() in raw] == []
    assert found["erased"]["customer"] == 1
    assert any(each["file"].endswith("hub.log") for each in found["searched"])
    json.dumps(found)
    with pytest.raises(ForgetFailed, match="nobody has the ID 'C0001'"):
        forget(settings, "C0001")


@pytest.mark.row("C11")
def test_a_namesake_stays_and_a_log_that_names_her_is_found(lived, tmp_path):
    path = lived.folder / "more.csv"
    path.write_text(f"customer,name\nC0044,{NAME}\n")
    import_file(lived.journal.db, path, lived.settings)
    lived.stop()
    log = tmp_path / "old.log"
    log.write_text(f"{EMAIL} and {NAME}\n")
    found = forget(lived.settings, "C0001", [log])
    lived.start()
    assert found["in_rows_of_others"]["customer.name"] == 1
    assert found["found"] == 2  # in the log
    assert lived.one("SELECT name FROM customer WHERE customer = 'C0044'") == (NAME,)


@pytest.mark.row("C11")
def test_logs_name_no_customer(store, beacons):
    with structlog.testing.capture_logs() as logs:
        for beacon in (*beacons, "ibeacon:x:1:9"):
            store.sight(beacon)
        store.scan(store.sell("S-1", 5000, "C0001").exit_code)
        store.sell("S-2", 5000, "C9999")
        store.passage()
        store.hear(("instore/ginza/agent/x/sighting", NAME.encode()))
        store.tick()
    assert [mark for mark in MARKS if mark in str(logs)] == []


@pytest.mark.row("C11")
def test_while_the_hub_runs(folder, tmp_path):
    """The real program, without a broker, and the real command."""
    text = (folder / "hub.toml").read_text().replace("port = 8080", "port = 0")
    (folder / "hub.toml").write_text(text)
    for name, content in (("hub-main.password", "x" * 20), ("api-keys.toml", f'pos-1 = "{"k" * 20}"\n')):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    command = [sys.executable, "-m", "instore"]

    def run(*arguments):
        return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)

    assert run("customers", "import", "customers.csv").returncode == 0
    with (folder / "hub.log").open("w") as log:
        hub = subprocess.Popen([*command, "hub", "--config", "hub.toml"], cwd=folder, stderr=log, stdout=log)
    try:
        while "hub started" not in (folder / "hub.log").read_text():
            assert hub.poll() is None, (folder / "hub.log").read_text()
            os.sched_yield()
        done = run("customers", "forget", "C0001", "--yes", "--search", "hub.log", "--certificate", "proof.json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["by"], found["found"], found["left_in"]) == (0, "the running hub", 0, [])
        assert json.loads((folder / "proof.json").read_text()) == found
        assert "C0001" not in run("customers", "list").stdout
        assert "nobody has the ID" in run("customers", "export", "C0001").stderr
    finally:
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(20) == 0
    raw = b"".join(file.read_bytes() for file in folder.glob("hub.sqlite*"))
    assert [mark for mark in MARKS[:4] if mark.encode() in raw] == []
