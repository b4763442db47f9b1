"""Where the printed receipts go: numbered pictures and texts in a directory, and the counters that outlive a kill.

A receipt is on disk before the cutter's counter moves, and the counter before the printer answers. After a kill
between the two, the counter is put right from the pictures: paper that lies there has been cut.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from firmware_sim.escpos_paper import Paper

log = structlog.get_logger()

_NUMBERED = re.compile(r"receipt-(\d+)\.png")


@dataclass(frozen=True, slots=True)
class Receipt:
    number: int
    png: Path
    txt: Path
    text: str


class Tray:
    """`cuts`: cutter operations since manufacture (as GS g 2 tells), kept in `state_file` if there is one."""

    def __init__(self, out_dir: Path, state_file: Path | None) -> None:
        self.out_dir = out_dir
        self.cuts = 0
        self.receipts = 0
        self._state_file = state_file
        out_dir.mkdir(parents=True, exist_ok=True)
        self._load()

    def add(self, paper: Paper) -> Receipt:
        """Store what was cut off."""
        number = self.receipts + 1
        png, txt = self.out_dir / f"receipt-{number:05}.png", self.out_dir / f"receipt-{number:05}.txt"
        text = text_of(paper)
        txt.write_text(text, encoding="utf-8")
        partial = self.out_dir / f".receipt-{number:05}.tmp"
        paper.picture().save(partial, format="PNG", compress_level=1)
        partial.replace(png)
        self.receipts, self.cuts = number, self.cuts + 1
        self._save()
        return Receipt(number, png, txt, text)

    def cut_nothing(self) -> None:
        """The cutter moved and no paper fell."""
        self.cuts += 1
        self._save()

    def _load(self) -> None:
        if self._state_file is not None and self._state_file.exists():
            try:
                state = json.loads(self._state_file.read_text())
                self.cuts, self.receipts = int(state["cuts"]), int(state["receipts"])
            except (ValueError, KeyError, TypeError) as error:
                log.warning("printer state unreadable, counting from the pictures", error=str(error))
        lying = max((int(m[1]) for path in self.out_dir.iterdir() if (m := _NUMBERED.fullmatch(path.name))), default=0)
        if lying > self.receipts:
            self.cuts, self.receipts = self.cuts + lying - self.receipts, lying

    def _save(self) -> None:
        if self._state_file is None:
            return
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._state_file.with_name(f".{self._state_file.name}.{os.getpid()}")
        partial.write_text(json.dumps({"cuts": self.cuts, "receipts": self.receipts}))
        partial.replace(self._state_file)


def text_of(paper: Paper) -> str:
    """The text as printed, line by line, and each QR code's payload where it stands at the end."""
    codes = [f"[QR] {payload.decode('utf-8', 'replace')}" for payload in paper.qr]
    return "\n".join([*paper.text, *codes]) + "\n"
