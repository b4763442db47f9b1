"""What a visit did, counted where it stays, independently of what the demo says: hub's file, paper, the gate's own memory."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import zxingcpp
from PIL import Image

from instore.demo.past import READINGS

ONE_OF_EACH = {
    "visits": 1,
    "service requests": 1,
    "accepted by a clerk": 1,
    "coupons": 1,
    "coupons committed": 1,
    "coupons instead of paper": 0,
    "codes used": 1,
    "passages": 1,
    "receipts on paper": 1,
    "persons through the gate": 1,
    "persons without leave": 0,
    "quarantined": 0,
}

WITHOUT_PAPER = {**ONE_OF_EACH, "coupons committed": 0, "receipts on paper": 0, "coupons instead of paper": 1}
"""Her coupon came electronically, because the printer was not back in time."""

_IN_HUB = {
    "visits": "SELECT count(*) FROM visit",
    "service requests": "SELECT count(*) FROM alert WHERE kind = 'service_request'",
    "accepted by a clerk": "SELECT count(*) FROM alert WHERE holder = 'c01' AND kind = 'service_request'",
    "coupons": "SELECT count(*) FROM incentive",
    "coupons committed": "SELECT count(*) FROM incentive WHERE state = 'committed' AND paper = 'printed'",
    "coupons instead of paper": "SELECT count(*) FROM incentive WHERE state = 'committed' AND give = 'electronic'"
    " AND paper IN ('', 'failed')",
    "codes used": "SELECT count(*) FROM exit_code WHERE used IS NOT NULL",
    "passages": "SELECT count(*) FROM scan WHERE passage = 'passed'",
    "quarantined": "SELECT count(*) FROM quarantine",
}


def effects(demo: Path) -> dict[str, int]:
    """Counts, comparable with ONE_OF_EACH. `demo` is the folder of a demo that has ended."""
    with closing(sqlite3.connect(demo / "hub.sqlite")) as db:
        counts = {name: int(db.execute(sql).fetchone()[0]) for name, sql in _IN_HUB.items()}
        coupons = {row[0] for row in db.execute("SELECT coupon FROM incentive")}
    gate = json.loads((demo / "sim/gate.json").read_text())
    on_paper = [code for png in sorted((demo / "receipts").glob("*.png")) for code in qr_codes(png)]
    counts["receipts on paper"] = len(on_paper)
    counts["persons through the gate"] = gate["exits"]
    counts["persons without leave"] = gate["intrusions"] + gate["entries"]
    assert set(on_paper) <= coupons, "a coupon was printed that the hub does not know"
    return counts


def qr_codes(png: Path) -> list[str]:
    """The texts of the QR codes in a picture, as zxing-cpp reads them."""
    with Image.open(png) as picture:
        return [
            found.text for found in zxingcpp.read_barcodes(picture) if found.format == zxingcpp.BarcodeFormat.QRCode
        ]


def readings_in(demo: Path, said: str) -> list[str]:
    """Where a reading of her phone stands that should be nowhere: its value under its name, or as a database holds it."""
    values = {**READINGS, **READINGS["blood_pressure"]}
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    text = re.compile("|".join(rf"{name}\W{{1,6}}{value}\b" for name, value in numbers.items()).encode())
    places = {"output": said.encode()} | {
        str(path.relative_to(demo)): path.read_bytes() for path in demo.rglob("*") if path.is_file()
    }
    # Numbers that are no short fraction: eight bytes which nothing else has.
    doubles = [struct.pack(">d", value) for value in numbers.values() if value % 0.5]
    return [where for where, found in places.items() if text.search(found) or any(each in found for each in doubles)]
