"""What ESC/POS commands do to the paper: the state of the printer's formatter. Own implementation, no I/O.

Source: Epson ESC/POS command reference, Japanese models: kanji mode (FS &, FS .) with code system JIS or Shift_JIS
(FS C), half-width katakana as single bytes, sizes by GS !, ESC ! and, for kanji, FS ! and FS W.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from PIL import Image

from firmware_sim.escpos_commands import Command
from firmware_sim.escpos_paper import CELL_DOTS, Paper, Run, Style

_LINE_PITCH_DOTS = 30  # ESC 2: 1/6 inch at 180 motion units, 3.75 mm
_CUTTER_DOTS = 96  # from the head to the blade
_QR_LIMIT_BYTES = 7_089
_PLAIN = Style()


@dataclass(slots=True)
class _Format:
    style: Style = _PLAIN
    kanji_style: Style | None = None  # set by FS ! or FS W; None: as `style`
    align: int = 0
    pitch_dots: int = _LINE_PITCH_DOTS
    kanji: bool = False
    shift_jis: bool = False
    country: int = 0
    code_table: int = 0
    qr_level: str = "L"
    qr_module_dots: int = 3
    qr_data: bytes = b""


@dataclass(slots=True)
class Formatter:
    """`do(command)` moves the paper and returns by how many dots. A command that is not known is counted in `unknown`
    by its name. `cut` is True after a cutting command until `take_receipt`."""

    columns: int = 48
    unknown: Counter[str] = field(default_factory=Counter)
    paper: Paper = field(init=False)
    cut: bool = False
    _format: _Format = field(default_factory=_Format)
    _runs: list[Run] = field(default_factory=list)
    _half: bytes = b""  # first byte of a two-byte character whose second has not come

    def __post_init__(self) -> None:
        self.paper = self._fresh_paper()

    def take_receipt(self) -> Paper:
        """The paper that was cut off."""
        receipt, self.paper, self.cut = self.paper, self._fresh_paper(), False
        return receipt

    def forget_line(self) -> None:
        """Buffers cleared: what stood in the line buffer is gone, what is on paper stays there."""
        self._runs.clear()
        self._half = b""

    def power_on(self) -> None:
        self.forget_line()
        self._format = _Format()

    def do(self, command: Command) -> int:
        if command.name == "text":
            self._text(command.args)
            return 0
        action = _ACTIONS.get(command.name)
        if action is None:
            self.unknown[command.name] += 1
            return 0
        return action(self, command.args) or 0

    def _fresh_paper(self) -> Paper:
        return Paper(self.columns * CELL_DOTS)

    def _text(self, data: bytes) -> None:
        data, self._half = self._half + data, b""
        at = 0
        while at < len(data):
            lead = self._format.kanji and _is_lead(data[at], shift_jis=self._format.shift_jis)
            if lead and at + 1 == len(data):
                self._half = data[at:]
                return
            length = 2 if lead else 1
            self._char(self._decode(data[at : at + length]), double=lead)
            at += length

    def _decode(self, code: bytes) -> str:
        if len(code) == 2:
            if not self._format.shift_jis:
                code = bytes((code[0] | 0x80, code[1] | 0x80))
            return code.decode("cp932" if self._format.shift_jis else "euc_jp", "replace")[:1]
        byte = code[0]
        if byte == 0x5C and self._format.country == 8:
            return "￥"
        if byte < 0x7F:
            return chr(byte)
        if 0xA1 <= byte <= 0xDF and (self._format.code_table == 1 or self._format.shift_jis):
            return code.decode("cp932")
        return code.decode("cp437")

    def _char(self, char: str, *, double: bool) -> None:
        form = self._format
        style = form.kanji_style or form.style if double else form.style
        style = replace(style, bold=form.style.bold, inverse=form.style.inverse)
        if self._line_dots() + (2 if double else 1) * CELL_DOTS * style.wide > self.paper.width_dots:
            self._line_feed(b"")  # a full line prints by itself
        if self._runs and self._runs[-1].style == style:
            self._runs[-1] = Run(self._runs[-1].text + char, style)
        else:
            self._runs.append(Run(char, style))

    def _line_dots(self) -> int:
        return sum(
            (1 if char < "\x7f" or "｡" <= char <= "ﾟ" else 2) * CELL_DOTS * run.style.wide
            for run in self._runs
            for char in run.text
        )

    def _line_feed(self, _: bytes) -> int:
        runs, self._runs = self._runs, []
        return self.paper.print_line(runs, self._format.align, self._format.pitch_dots)

    def _flush(self) -> int:
        return self._line_feed(b"") if self._runs else 0

    def _initialize(self, _: bytes) -> None:
        self.forget_line()
        self._format = _Format()

    def _style(self, **change: bool | int) -> None:
        self._format.style = replace(self._format.style, **change)  # type: ignore[arg-type]

    def _size(self, n: int) -> None:
        self._style(wide=min(8, (n >> 4 & 7) + 1), high=min(8, (n & 7) + 1))
        self._format.kanji_style = None  # GS ! sizes kanji too; the command that came last holds

    def _print_mode(self, n: int) -> None:
        self._style(bold=bool(n & 8), high=1 + bool(n & 16), wide=1 + bool(n & 32), underline=bool(n & 128))

    def _kanji_mode(self, n: int) -> None:
        self._format.kanji_style = replace(self._format.style, wide=1 + bool(n & 4), high=1 + bool(n & 8))

    def _feed_lines(self, n: int) -> int:
        return self._flush() + self.paper.feed(n * self._format.pitch_dots)

    def _feed_dots(self, n: int) -> int:
        return self._flush() + self.paper.feed(n)

    def _cut(self, args: bytes) -> int:
        moved = self._flush()
        if args[:1] in (b"A", b"B"):
            moved += self.paper.feed(_CUTTER_DOTS + args[1])
        self.cut = True
        return moved

    def _code_system(self, n: int) -> None:
        self._format.shift_jis = n in (1, 0x31)

    def _tab(self, _: bytes) -> None:
        columns = self._line_dots() // CELL_DOTS
        for _column in range(8 - columns % 8):
            self._char(" ", double=False)

    def _symbol(self, args: bytes) -> int:
        """GS ( k: cn 49 is QR; fn 65 model, 67 module size, 69 level, 80 store, 81 print."""
        if len(args) < 2 or args[0] != 0x31:
            self.unknown["GS ( k, not QR"] += 1
            return 0
        match args[1]:
            case 67 if len(args) > 2:
                self._format.qr_module_dots = min(16, max(1, args[2]))
            case 69 if len(args) > 2 and 48 <= args[2] <= 51:
                self._format.qr_level = "LMQH"[args[2] - 48]
            case 80:
                self._format.qr_data = args[3 : 3 + _QR_LIMIT_BYTES]
            case 81 if self._format.qr_data:
                form = self._format
                return self.paper.print_qr(form.qr_data, form.qr_level, form.qr_module_dots, form.align)
        return 0

    def _raster(self, args: bytes) -> int:
        """GS v 0 m xL xH yL yH and the dots, one bit each; m bit 0 double width, bit 1 double height."""
        mode, wide, high = args[0] & 3, int.from_bytes(args[1:3], "little"), int.from_bytes(args[3:5], "little")
        if not wide or not high:
            return 0
        image = Image.frombytes("1", (wide * 8, high), bytes(byte ^ 0xFF for byte in args[5:])).convert("L")
        scaled = image.resize((wide * 8 * (1 + (mode & 1)), high * (1 + (mode >> 1))), Image.Resampling.NEAREST)
        return self.paper.print_image(scaled, self._format.align)


def _is_lead(byte: int, *, shift_jis: bool) -> bool:
    if shift_jis:
        return 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC
    return 0x21 <= byte <= 0x7E


_Action = Callable[[Formatter, bytes], int | None]


def _set(name: str) -> _Action:
    return lambda printer, args: setattr(printer._format, name, args[0])


def _style(name: str) -> _Action:
    return lambda printer, args: printer._style(**{name: bool(args[0] & 1)})


def _nothing(_: Formatter, __: bytes) -> None:
    """Known, and of no effect on the picture (drawer, panel buttons, spacing that no receipt of ours sets)."""


_ACTIONS: dict[str, _Action] = {
    "LF": Formatter._line_feed,
    "HT": Formatter._tab,
    "ESC @": Formatter._initialize,
    "ESC !": lambda printer, args: printer._print_mode(args[0]),
    "ESC E": _style("bold"),
    "ESC G": _style("bold"),
    "ESC -": _style("underline"),
    "ESC a": lambda printer, args: setattr(printer._format, "align", args[0] % 48 % 3),
    "ESC d": lambda printer, args: printer._feed_lines(args[0]),
    "ESC J": lambda printer, args: printer._feed_dots(args[0]),
    "ESC 2": lambda printer, _: setattr(printer._format, "pitch_dots", _LINE_PITCH_DOTS),
    "ESC 3": _set("pitch_dots"),
    "ESC t": _set("code_table"),
    "ESC R": _set("country"),
    "ESC i": Formatter._cut,
    "ESC m": Formatter._cut,
    "FS &": lambda printer, _: setattr(printer._format, "kanji", True),
    "FS .": lambda printer, _: setattr(printer._format, "kanji", False),
    "FS C": lambda printer, args: printer._code_system(args[0]),
    "FS !": lambda printer, args: printer._kanji_mode(args[0]),
    "FS W": lambda printer, args: printer._kanji_mode(12 * (args[0] & 1)),
    "GS !": lambda printer, args: printer._size(args[0]),
    "GS B": _style("inverse"),
    "GS V": Formatter._cut,
    "GS ( k": Formatter._symbol,
    "GS v 0": Formatter._raster,
    **dict.fromkeys(("CR", "DLE", "ESC M", "ESC =", "ESC p", "ESC c", "ESC SP", "ESC {", "FS S", "GS b"), _nothing),
}
