"""Import of customers: fast, repeatable, and each refused line with its reason (row A1)."""

from __future__ import annotations

import pytest

from hub.importing import ImportFailed, import_customers, import_file

HEAD = "customer,name,visits,average_purchase,rank,main_clerk,deputies,beacons,language,age,email\n"


def bring(store, text: str | bytes, name="c.csv"):
    path = store.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_file(store.journal.db, path, store.settings)


@pytest.mark.row("A1")
def test_the_shipped_file_and_again_changes_nothing(store, folder):
    def dump():
        tables = ("customer", "deputy", "customer_beacon", "clerk")
        return [store.all(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    first = dump()
    assert store.one("SELECT name, spent_minor, main_clerk FROM customer WHERE customer = 'C0001'") == (
        "山田 花子", 48 * 12400, "c01")  # fmt: skip
    report = import_customers(folder / "hub.toml", folder / "customers.csv", quiet=True)
    assert (report.read, report.imported, report.refused) == (3, 3, [])
    assert dump() == first


def test_columns_that_are_not_in_the_file_stay(store):
    bring(store, "customer,note\nC0001,new\n")
    assert store.one("SELECT name, note, visits FROM customer WHERE customer = 'C0001'") == ("山田 花子", "new", 48)
    assert store.one("SELECT count(*) FROM deputy") == (2,)


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ("C/1,A,1,1,gold,,,,ja,,", "customer", "is not 1 to 64 letters"),
        (",A,1,1,gold,,,,ja,,", "customer", "is not 1 to 64 letters"),
        ("C1,A,-1,1,gold,,,,ja,,", "visits", "'-1' is no whole number"),
        ("C1,A,1,1.5,gold,,,,ja,,", "average_purchase", "'1.5' is no whole number"),
        ("C1,A,1,1,diamond,,,,ja,,", "rank", "possible are regular, silver, gold, platinum"),
        ("C1,A,1,1,gold,c 1,,,ja,,", "main_clerk", "'c 1' is not"),
        ("C1,A,1,1,gold,,,,fr,,", "language", "'fr' is not ja or en"),
        ("C1,A,1,1,gold,,,,ja,151,", "age", "from 0 to 150"),
        ("C1,A,1,1,gold,,,,ja,,nobody", "email", "no e-mail address"),
        ("C1,A,1,1,gold,,,tag7,ja,,", "beacons", "is no beacon"),
        (
            "C1,A,1,1,gold,,,ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:1,ja,,",
            "beacons",
            "belongs to 'C0001' already",
        ),
        ("C1,A,1,1,gold", "line", "has 5 fields, the first line names 11"),
        ("C2,A,1,1,gold,,,,ja,,", "customer", "stands in line 2 already"),
        (f"C1,{'x' * 201},1,1,gold,,,,ja,,", "name", "at most 200"),
    ],
)
def test_a_bad_line_is_named_and_the_others_come_in(store, line, field, why):
    report = bring(store, f"{HEAD}C2,B,2,100,gold,c01,c02 c03,ibeacon:x:1:2,en,30,b@x.jp\n{line}\nC3,C,,,,,,,,,\n")
    assert (report.read, report.imported, report.refused_count) == (3, 2, 1)
    assert (report.refused[0].line, report.refused[0].field) == (3, field)
    assert why in report.refused[0].why
    assert f"c.csv, line 3, {field}: " in str(report)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; the first line must name"),
        ("name\nx\n", "the column 'customer' is missing"),
        ("customer,nmae\n", "'nmae' is no column; possible are customer, name"),
        ("customer,customer\n", "stands there twice"),
        (b"customer,name\nC1,\x81\n", "neither UTF-8 nor Shift_JIS"),
        ('customer,name\nC1,"a"b\n', "line 2"),
    ],
)
def test_files_that_cannot_be_read(store, text, sentence):
    with pytest.raises(ImportFailed, match=sentence):
        bring(store, text)


@pytest.mark.parametrize("text", ["customer,visits\nC1,3\n", "customer,average_purchase\nC1,3\n"])
def test_totals_that_cannot_be_known(store, text):
    report = bring(store, text)
    assert (report.imported, report.refused[0].field) == (0, "visits")
    assert "belong together" in report.refused[0].why


def test_no_file(store):
    with pytest.raises(ImportFailed, match="No such file"):
        import_file(store.journal.db, store.folder / "nobody.csv", store.settings)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932"])
def test_files_as_spreadsheets_write_them(store, encoding):
    report = bring(store, "customer,name\r\nC7,髙橋 﨑\r\n".encode(encoding))
    assert report.imported == 1
    assert store.one("SELECT name FROM customer WHERE customer = 'C7'") == ("髙橋 﨑",)


def test_a_batch_is_written_as_a_whole_or_not_at_all(store, monkeypatch):
    import sqlite3

    from hub.database import imports

    with pytest.raises(sqlite3.IntegrityError):
        imports.write(store.journal.db, [
            {"customer": "C8", "beacons": ("ibeacon:z:1:1",)}, {"customer": "C9", "beacons": ("ibeacon:z:1:1",)}])  # fmt: skip
    assert store.one("SELECT count(*) FROM customer WHERE customer IN ('C8', 'C9')") == (0,)


@pytest.mark.row("C5")
def test_keys_of_rotating_beacons_come_with_a_record_and_never_leave(store):
    key, other = "000102030405060708090a0b0c0d0e0f", "ff" * 16
    path = store.folder / "keys.csv"
    path.write_text(
        f"customer,rotating_beacons\nC0001,{key}/10/2026-01-01T00:00:00Z {other}/10/2026-01-01T00:00:00Z\n"
        f"C0002,{key}/10/2026-01-01T00:00:00Z\nC0003,nonsense/10\n",
        encoding="utf-8",
    )
    report = import_file(store.journal.db, path, store.settings)
    assert report.imported == 1
    assert [(each.line, each.field) for each in report.refused] == [(3, "rotating_beacons"), (4, "rotating_beacons")]
    assert "belongs to 'C0001' already" in report.refused[0].why
    assert key not in str(report)
    assert store.one("SELECT count(*) FROM eid_key WHERE customer = 'C0001'") == (2,)
    path.write_text("customer,rotating_beacons\nC0001,\n", encoding="utf-8")
    import_file(store.journal.db, path, store.settings)
    assert store.one("SELECT count(*) FROM eid_key") == (0,)
