"""Import of customers: far below what 100,000 in 30 s allow, measured beside bare SQLite (row A1)."""

from __future__ import annotations

import pytest

from bench.customers import measure


@pytest.mark.row("A1")
def test_import_and_export_at_a_small_size(tmp_path):
    found = measure(3000, tmp_path)
    assert found["customers"] == 3000
    # 100,000 in 30 s are 3.3 customers a millisecond, some 60 times what bare SQLite needs.
    assert found["ratio"] < 120 or found["import_s"] < 0.9
