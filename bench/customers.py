"""How fast customers are imported, beside bare SQLite writing the same text in the same run."""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import config
from config.hub_settings import load_hub
from delivery.journal import Journal
from hub.database.schema import MIGRATIONS
from hub.exporting import export_all
from hub.importing import import_file

HEAD = "customer,name,gender,born,phone,email,language,visits,average_purchase,points,rank,main_clerk,deputies,beacons,note"


def lines(count: int) -> list[str]:
    """Customers that differ in everything."""
    return [
        f"K{n:06},山田 花子{n},female,{1940 + n % 70}-0{n % 9 + 1}-1{n % 9},+81 3 {n:08},k{n}@example.com,ja,{n % 50},"
        f"{100 * (n % 200)},{n},{('regular', 'silver', 'gold')[n % 3]},c{n % 20:02},c{(n + 1) % 20:02} c{(n + 2) % 20:02},"
        f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:{n >> 16}:{n & 65535},席は窓側"
        for n in range(count)
    ]


def measure(count: int, folder: Path) -> dict[str, float]:
    """Seconds of each part, and `ratio`: import over bare SQLite."""
    for name in ("hub.toml", "rules.toml", "messages.toml", "incentives.toml", "coupons.toml", "consents.toml"):
        source = Path(config.__file__).parent / "shipped" / name
        if source.exists():
            (folder / name).write_bytes(source.read_bytes())
    settings, file, text = load_hub(folder / "hub.toml"), folder / "customers.csv", lines(count)
    file.write_text("\n".join([HEAD, *text]) + "\n", encoding="utf-8")
    bare_s = _bare(folder / "bare.sqlite", [line.split(",") for line in text])
    journal = Journal(settings.database, MIGRATIONS)
    try:
        times = []
        for _ in range(2):
            began = time.perf_counter()
            report = import_file(journal.db, file, settings)
            times.append(time.perf_counter() - began)
            if report.imported != count:
                raise ValueError(str(report))
        began = time.perf_counter()
        export_all(journal.db, folder / "all.json")
        exported_s = time.perf_counter() - began
    finally:
        journal.close()
    return {"customers": count, "import_s": round(times[0], 2), "again_s": round(times[1], 2),
            "export_s": round(exported_s, 2), "bare_sqlite_s": round(bare_s, 2),
            "ratio": round(times[0] / bare_s, 1)}  # fmt: skip


def _bare(path: Path, rows: list[list[str]]) -> float:
    db = sqlite3.connect(path)
    began = time.perf_counter()
    db.execute("PRAGMA journal_mode=WAL")
    columns = HEAD.split(",")
    db.execute(f"CREATE TABLE customer ({', '.join(columns)}, PRIMARY KEY (customer))")
    with db:
        db.executemany(f"INSERT INTO customer VALUES ({', '.join('?' * len(columns))})", rows)
    took = time.perf_counter() - began
    db.close()
    return took


def main(count: int = 100_000, *, as_json: bool = False) -> int:
    """Print what was measured; 0 when 100,000 would take less than 30 s."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(count, Path(folder))
    if as_json:
        print(json.dumps({"type": "instore.bench.customers", **found}))
    else:
        print(f"{count:,} customers: imported in {found['import_s']} s, again in {found['again_s']} s, exported in "
              f"{found['export_s']} s; bare SQLite writes the same text in {found['bare_sqlite_s']} s "
              f"(ratio {found['ratio']})")  # fmt: skip
    return 0 if found["import_s"] * 100_000 / count < 30 else 1


if __name__ == "__main__":
    sys.exit(main())
