"""`instore products import`: everything is checked, nothing is silently lost (row B1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hub.database import products
from hub.import_files import ImportFailed
from hub.shopping.products import COLUMNS, NAME_MAX, import_products
from instore.__main__ import app
from tests.hub.conftest import Store

pytestmark = pytest.mark.row("B1")
COLA = "4901234567894"


def imported(store: Store, folder: Path, text: str, name: str = "products.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return import_products(store.journal.db, folder / name)


def test_every_column(store: Store, folder: Path) -> None:
    report = imported(
        store, folder, f"code,name_ja,name_en,price,tax,category,on_sale\n{COLA},コーラ,Cola,150,8,drinks,no\n"
    )
    assert (report.read, report.imported, report.refused) == (1, 1, [])
    assert products.product(store.journal.db, COLA) == products.ProductRow(
        COLA, "コーラ", "Cola", 150, 80, "drinks", False
    )


def test_all_forms_of_a_code_are_one_product(store: Store, folder: Path) -> None:
    report = imported(store, folder, "code,name,price\n036000291452,Bag,100\n0036000291452,Bag again,100\n")
    assert report.imported == 1
    assert "stands in line 2 already" in str(report)
    found = products.product(store.journal.db, "0036000291452")
    assert found is not None
    assert (found.name_ja, found.name_en, found.tax_per_mille, found.on_sale) == ("Bag", "Bag", None, True)


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ("4901234567895,Cola,150,8", "code", "last digit"),
        (",Cola,150,8", "code", "no product code"),
        ("A,,150,8", "name", "is missing"),
        ("A,Cola,,8", "price", "whole number of minor units"),
        ("A,Cola,1.50,8", "price", "whole number"),
        ("A,Cola,-1,8", "price", "whole number"),
        ("A,Cola,１５０,8", "price", "whole number"),
        ("A,Cola,9999999999,8", "price", "whole number"),
        ("A,Cola,150,eight", "tax", "rate in percent"),
        ("A,Cola,150,8.25", "tax", "rate in percent"),
        ("A,Cola,150,100.5", "tax", "rate in percent"),
        ("A,Cola,150", "line", "has 3 fields"),
        (f"A,{'x' * (NAME_MAX + 1)},150,8", "name", "at most"),
        ("A,a\x07b,150,8", "name", "visible"),
    ],
)
def test_a_refused_line_is_named_and_the_others_are_imported(
    store: Store, folder: Path, line: str, field: str, why: str
) -> None:
    report = imported(store, folder, f"code,name,price,tax\n{line}\n{COLA},Cola,150,8\n")
    assert (report.read, report.imported, report.refused_count) == (2, 1, 1)
    assert (report.refused[0].line, report.refused[0].field) == (2, field)
    assert why in report.refused[0].why
    assert f"line 2, {field}: " in str(report)


def test_a_new_product_needs_name_and_price_a_known_one_does_not(store: Store, folder: Path) -> None:
    assert imported(store, folder, f"code,price\n{COLA},150\n").refused[0].field == "name"
    assert imported(store, folder, f"code,name\n{COLA},Cola\n").refused[0].field == "price"
    imported(store, folder, f"code,name_ja,name_en,price,tax\n{COLA},コーラ,Cola,150,8\n")
    report = imported(store, folder, f"code,name_en,price\n{COLA},Coke,160\nNEW,New,10\n")
    assert report.imported == 2, report
    found = products.product(store.journal.db, COLA)
    assert found is not None
    assert (found.name_ja, found.name_en, found.price_minor, found.tax_per_mille) == ("コーラ", "Coke", 160, 80)
    assert products.product(store.journal.db, "NEW") == products.ProductRow("NEW", "New", "New", 10, None, "", True)


def test_the_same_again_changes_nothing(store: Store, folder: Path) -> None:
    text = f"code,name,price\n{COLA},Cola,150\nB,Bread,200\n"
    imported(store, folder, text)
    before = store.all("SELECT * FROM product ORDER BY code")
    assert imported(store, folder, text).imported == 2
    assert store.all("SELECT * FROM product ORDER BY code") == before


def test_json_and_a_japanese_spreadsheet(store: Store, folder: Path) -> None:
    imported(store, folder, json.dumps([{"code": COLA, "name": "Cola", "price": 150, "tax": "8"}]), "products.json")
    path = folder / "sjis.csv"
    path.write_bytes("code,name_ja,price,category\nB,食パン,238,食品\n".encode("cp932"))
    assert import_products(store.journal.db, path).imported == 1
    assert store.all("SELECT code, name_ja, name_en, category FROM product ORDER BY code") == [
        (COLA, "Cola", "Cola", ""),
        ("B", "食パン", "食パン", "食品"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is empty"), ("name,price\nCola,1\n", "'code' is missing"), ("code,colour\nA,red\n", "is no column")],
)
def test_a_file_that_is_none_is_a_sentence(store: Store, folder: Path, text: str, why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        imported(store, folder, text)


def test_progress_comes_to_its_end(store: Store, folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    path = folder / "many.csv"
    path.write_text("code,name,price\n" + "".join(f"P{n},Product {n},{n}\n" for n in range(4500)), encoding="utf-8")
    import_products(store.journal.db, path, lambda done, total: steps.append((done, total)))
    assert steps == [(2000, 4500), (4000, 4500), (4500, 4500)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=12) | st.just("8"), min_size=1), max_size=5))
def test_any_file_is_imported_or_refused_line_by_line(store: Store, folder: Path, rows: list[dict[str, str]]) -> None:
    report = imported(store, folder, json.dumps(rows), "any.json")
    assert report.read == len(rows)
    assert report.imported + report.refused_count == report.read
    store.journal.db.execute("DELETE FROM product")


def test_on_the_command_line_as_the_first_thing_in_a_new_store(folder: Path) -> None:
    path = folder / "products.csv"
    path.write_text(f"code,name,price\n{COLA},Cola,150\nB,Bread,x\n", encoding="utf-8")
    config = ["--config", str(folder / "hub.toml")]
    told = CliRunner().invoke(app, ["products", "import", str(path), *config])
    assert (told.exit_code, "1 of 2 products imported, 1 lines refused" in told.output) == (1, True)
    told = CliRunner().invoke(app, ["products", "list", "--search", "cola", "--json", *config])
    assert json.loads(told.output)[0]["price_minor"] == 150
    told = CliRunner().invoke(app, ["products", "list", *config])
    assert "Cola" in told.output
