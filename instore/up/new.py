"""`instore up --new DIR`: a folder with everything a store begins with."""

from __future__ import annotations

from pathlib import Path

from instore.store_files import POLICY, copy_shipped

_BEGIN = ("store.toml", *POLICY, "clerks.csv", "customers.csv")


def new_store(folder: Path) -> str:
    """Make it, and say how to go on. What is there already stays; a store's file that is there is an error (ValueError)."""
    path = folder / "store.toml"
    if path.exists():
        raise ValueError(f"{path} is there already; edit it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    copy_shipped(folder, *_BEGIN)
    return (
        f"made {path}, and beside it the rules, messages, incentives and coupons that a manager edits\n"
        f"next: edit {path}, then\n"
        f"  instore up --config {path} --check\n"
        f"  instore up --config {path}\n"
        f"  instore clerks import {folder / 'clerks.csv'} --config {folder / 'data/hub.toml'}    # and customers, products"
    )
