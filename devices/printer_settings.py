"""What an installer may set of a receipt printer."""

from __future__ import annotations

from dataclasses import dataclass

from devices.escpos_document import Document, Text
from devices.printer_fence import Completion

VOID_SLIP = Document((Text("― 印刷中断・無効 / Interrupted, void ―", align="center"),))


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """`columns`: half-width characters a line, 48 or 42 (80 mm paper), 32 (58 mm).

    completion: "process_id" (TM-T88IV and later, T20II, T82, T90, m30 …) or "gs_r" (older and other makes).
    cut_counter: number of the maintenance counter of cutter operations: 178 cumulative, 50 resettable, None: the
    model has none. void_slip: after an interrupted job was taken back, cut off what may be half printed, marked void.
    poll_s + 2 answer_s bounds how late a dead printer shows. settle_s: how long a printer may take to work off what
    it holds before its buffers are cleared. xoff_limit_s: XOFF (13) differs by one bit from a good status byte (12), so
    damage on the line may stop the sending for no longer than this.
    """

    baud: int = 9600
    bytesize: int = 8
    parity: str = "N"
    columns: int = 48
    completion: Completion = "process_id"
    cut_counter: int | None = 178
    void_slip: bool = True
    poll_s: float = 0.7
    answer_s: float = 0.4
    settle_s: float = 3.0
    xoff_limit_s: float = 2.0

    def __post_init__(self) -> None:
        if self.cut_counter not in (50, 178, None):
            raise ValueError(f"cut_counter is {self.cut_counter}; allowed are 178, 50 and none")
        if self.columns < 16:
            raise ValueError(f"columns is {self.columns}; the narrowest paper has 16")
