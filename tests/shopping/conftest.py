"""A hub as in tests/members, with products to sell."""

from __future__ import annotations

import pytest

from hub.shopping.products import import_products
from tests.hub.conftest import Store
from tests.members.conftest import Phone, address, folder, mailbox, phone, store, stranger, with_settings

__all__ = ["Phone", "address", "folder", "mailbox", "phone", "store", "stranger", "with_settings"]

COLA, BREAD, BAG, MUG = "4901234567894", "96385074", "0036000291452", "MUG-7"
PRODUCTS = f"""code,name_ja,name_en,price,tax,category
{COLA},コーラ,Cola,150,8,drinks
{BREAD},食パン,Bread,238,8,food
{BAG},バッグ,Bag,5500,10,bags
{MUG},マグカップ,Mug,688,,tableware
"""


@pytest.fixture
def products(store: Store, folder) -> None:
    """The shop's products."""
    path = folder / "products.csv"
    path.write_text(PRODUCTS, encoding="utf-8")
    report = import_products(store.journal.db, path)
    assert report.imported == 4, report
