"""Customers and clerks out and in again, and one customer's own data (rows A1, C11)."""

from __future__ import annotations

import json
import stat

import pytest

from delivery.journal import Journal
from hub import listing
from hub.clerks import as_records, export_clerks, import_clerks
from hub.database.schema import MIGRATIONS
from hub.exporting import EXPORTED, NobodyThere, export_all, export_one
from hub.importing import import_file
from hub.purchases import SaleLine


def bring(store, text: str, name: str):
    path = store.folder / name
    path.write_text(text)
    return import_file(store.journal.db, path, store.settings)


@pytest.mark.row("A1")
@pytest.mark.parametrize("name", ["out.csv", "out.json"])
def test_an_export_imports_again_the_same(store, tmp_path, name):
    store.sell("S-1", 3001, "C0003")
    bring(store, 'customer,name,note,preferences\nC0009,"a, ""b""\nc","=1+1",静かな席\n', "odd.csv")
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    assert export_all(store.journal.db, first) == 4
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    other = Journal(tmp_path / "other.sqlite", MIGRATIONS)
    report = import_file(other.db, first, store.settings)
    assert (report.imported, report.refused) == (4, [])
    export_all(other.db, second)
    other.close()
    assert second.read_text() == first.read_text()


def test_an_export_of_nobody(store, tmp_path):
    store.journal.db.execute("DELETE FROM customer")
    export_all(store.journal.db, tmp_path / "x.json")
    export_all(store.journal.db, tmp_path / "x.csv")
    assert json.loads((tmp_path / "x.json").read_text()) == []
    assert (tmp_path / "x.csv").read_text().strip() == ",".join(EXPORTED)


@pytest.mark.row("A1")
def test_json_names_line_and_field(store):
    report = bring(
        store,
        '[\n{"customer": "C1", "visits": 2, "spent": 300, "deputies": ["c01", "c02"]},\n'
        '{"customer": "C2", "visits": -1, "spent": 5},\n{"customer": "C3", "nmae": "x"},\n{"name": "x"},\n17,\n'
        '{"customer": "C4",\n "points": 1.5},\n{"customer": "C5", "deputies": ["c 1"]},\n{"customer": "C6"}\n]\n',
        "c.json",
    )
    assert [(each.line, each.field) for each in report.refused] == [
        (3, "visits"), (4, "nmae"), (5, "customer"), (6, "record"), (7, "points"), (9, "deputies")]  # fmt: skip
    assert (report.read, report.imported) == (8, 2)
    assert store.one("SELECT visits, spent_minor, rank FROM customer WHERE customer = 'C1'") == (2, 300, "regular")


def test_json_lines_and_broken_json(store):
    assert bring(store, '{"customer": "C1"}\n{"customer": "C2"}\n', "c.jsonl").imported == 2
    with pytest.raises(ValueError, match="line 2: no valid JSON; the records before it are imported"):
        bring(store, '[{"customer": "C7"},\n{"customer": ]', "c.json")
    assert store.one("SELECT count(*) FROM customer WHERE customer = 'C7'") == (1,)


@pytest.mark.row("A1")
def test_ages_do_not_rot_and_phones_are_read_as_written_in_japan(store):
    path = store.folder / "c.csv"
    path.write_text("customer,age,born,phone\nC1,30,,０３－１２３４\nC2,30,1990-12-24,\nC3,,1990-13,\nC4,,,abc\n")
    report = import_file(store.journal.db, path, store.settings, today="2026-03-01")
    assert store.all("SELECT born, phone FROM customer WHERE customer IN ('C1', 'C2') ORDER BY customer") == [
        ("1996", "03-1234"), ("1990-12-24", "")]  # fmt: skip
    assert [(each.line, each.field) for each in report.refused] == [(4, "born"), (5, "phone")]
    assert listing.customer(store.journal.db, "C2", store.settings.store.zone)["age"] >= 35


@pytest.mark.row("A1")
def test_an_imported_rank_is_not_made_to_hold_longer_by_the_same_file(store):
    path = store.folder / "r.csv"
    path.write_text("customer,rank\nC0003,gold\nC0002,silver\n")

    def since(today):
        import_file(store.journal.db, path, store.settings, today=today)
        return store.one("SELECT rank, rank_imported_on FROM customer WHERE customer = 'C0003'")

    assert since("2026-03-01") == ("gold", "2026-03-01")
    assert since("2026-09-01") == ("gold", "2026-03-01")
    assert since("2027-03-01") == ("gold", "2027-03-01")  # it was over, and the file says it again
    assert store.one("SELECT rank, rank_imported FROM customer WHERE customer = 'C0002'") == ("silver", "")


@pytest.mark.row("A1")
def test_the_whole_record(store):
    bring(store, "customer,preferences,born\nC0001,窓側の席,1984-05-23\n", "p.csv")
    store.sell("S-1", 500, "C0001", lines=[SaleLine(product="4901", name="Cup", quantity=2, amount_minor=500)])
    found = listing.customer(store.journal.db, "C0001", store.settings.store.zone)
    assert {"name", "gender", "age", "phone", "email", "visits", "average_purchase", "points", "rank", "rank_reason",
            "main_clerk", "deputies", "preferences", "purchases"} <= set(found)  # fmt: skip
    assert (found["visits"], found["average_purchase"], found["points"]) == (49, (48 * 12400 + 500) // 49, 5957)
    assert (found["main_clerk"], found["deputies"], found["preferences"]) == ("c01", ["c02", "c03"], "窓側の席")
    assert found["purchases"][0]["lines"][0]["name"] == "Cup"
    assert "2 × Cup" in listing.card(found)
    assert "山田 花子" in listing.table(listing.customers(store.journal.db, "hanako", "gold", 10))
    assert listing.customer(store.journal.db, "C0", store.settings.store.zone) is None


@pytest.mark.row("C11")
def test_all_that_is_known_of_one(store, beacons):
    store.sight(beacons[0])
    code = store.sell("S-1", 5000).exit_code
    store.scan(code)
    store.passage()
    data = export_one(store.journal.db, "C0001")
    assert {"customer", "customer_beacon", "deputy", "visit", "presence", "alert", "alert_clerk", "trace", "sale",
            "exit_code", "scan", "incentive"} <= set(data["tables"])  # fmt: skip
    assert "C0002" not in json.dumps(data)
    with pytest.raises(NobodyThere, match="nobody has the ID 'C9'"):
        export_one(store.journal.db, "C9")


@pytest.mark.row("A1")
@pytest.mark.parametrize("name", ["clerks.csv", "clerks.json"])
def test_clerks_in_and_out(store, tmp_path, name):
    path = tmp_path / "in.csv"
    path.write_text(
        "clerk,name,groups,left_on\nc01,佐藤,floor night,\nc/2,x,,\nc03,Kim,floor,2026-02-30\nc04,李,floor,2026-02-28\nc01,y,,\n"
    )
    report = import_clerks(store.journal.db, path)
    assert [(each.line, each.field) for each in report.refused] == [(3, "clerk"), (4, "left_on"), (6, "clerk")]
    assert "2 of 5 clerks imported" in str(report)
    before = as_records(store.journal.db)
    assert before[0] == {"clerk": "c01", "name": "佐藤", "groups": ["floor", "night"], "left_on": ""}
    export_clerks(store.journal.db, tmp_path / name)
    assert import_clerks(store.journal.db, tmp_path / name).refused == []
    assert as_records(store.journal.db) == before
