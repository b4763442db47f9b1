"""Prints every row of the mission with the tests that show it, passed and failed. Exit code 1 if one failed.

The names of the rows stand here in short.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = {
    "A1": "Customer database",
    "A2": "Member registration on a web page",
    "A3": "POS link, a transaction counts once",
    "A4": "Beacon heard at entrances and floors",
    "A5": "Visit: first sighting of the store's day",
    "A6": "Good-customer decision by attribute",
    "A7": "Service request to main clerk and deputies",
    "A8": "Sensing data on request",
    "A9": "Special treatment by thresholds",
    "A10": "Special-treatment message to the same clerks",
    "A11": "Coupon from purchase history",
    "A12": "Handheld: own ID only, buzz, two kinds of request",
    "A13": "Other detectors, coupon variations",
    "B1": "Product, cart, customer, sales databases",
    "B2": "Product registration on the terminal",
    "B3": "The coming coupon named while shopping",
    "B4": "Payment on the terminal or at a settlement device",
    "B5": "Exit code shown after payment",
    "B6": "Exit code read by QR, NFC or keypad",
    "B7": "Incentive rules",
    "B8": "Points, discount, product coupons",
    "B9": "Given on paper, to the terminal, by the display",
    "B10": "Lane display and sound",
    "B11": "Counts of terminal payments and exits",
    "B12": "Flapper gate and lanes without one",
    "B13": "One machine or several",
    "C1": "Nothing lost, nothing twice",
    "C2": "The gate works without the hub",
    "C3": "Incentive used up only by passage",
    "C4": "Printed only when confirmed",
    "C5": "Rotating identifiers",
    "C6": "An alert has a life",
    "C7": "Every decision explains itself",
    "C8": "Rules tried on yesterday",
    "C9": "A whole store in one command",
    "C10": "Doctor that proves the loop",
    "C11": "Consent, export, erase",
    "C12": "The wire contract is data",
    "C13": "From one Pi to a chain",
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "rows.json"
        workers = ("-n", str((os.cpu_count() or 1) + 2), "--dist", "worksteal")
        command = (sys.executable, "-m", "pytest", "-q", *workers, f"--rows-report={report}", *sys.argv[1:])
        subprocess.run(command, check=False)
        outcomes: dict[str, list[list[str]]] = json.loads(report.read_text())
    failed = 0
    for row, name in ROWS.items():
        tests = outcomes.get(row, [])
        bad = [test for test, outcome in tests if outcome != "passed"]
        failed += len(bad)
        print(
            f"\n{row:4} {name}: {len(tests) - len(bad)} passed, {len(bad)} failed"
            if tests
            else f"\n{row:4} {name}: no test"
        )
        for test, outcome in tests:
            print(f"       {outcome:7} {test}")
    for row in sorted(set(outcomes) - set(ROWS)):
        failed += 1
        print(f"\n{row}: is no row of the mission; see {outcomes[row][0][0]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
