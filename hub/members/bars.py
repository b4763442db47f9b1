"""A number as Code 128, set C (ISO/IEC 15417): two digits a symbol, so that twelve of them fit a phone's width. SVG."""

from __future__ import annotations

import re
from functools import lru_cache

_EVEN = re.compile(r"([0-9]{2}){1,20}")
_START_C, _STOP = 105, "2331112"
_QUIET = 10
"""Modules left and right that stay white."""
_HEIGHT = 40
"""Modules. A phone is held to a reader at an angle: 15 % of the width is the least."""
_SYMBOLS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222"
    "123122123221223211221132221231213212223112312131311222321122321221312212322112322211212123212321"
    "232121111323131123131321112313132113132311211313231113231311112133112331132131113123113321133121"
    "313121211331231131213113213311213131311123311321331121312113312311332111314111221411431111111224"
    "111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111"
    "111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113"
    "114311411113411311113141114131311141411131211412211214211232"
)
"""Bars and spaces of symbols 0 to 105, in modules, six a symbol (table 1 of the standard)."""


def widths(digits: str) -> str:
    """Bars and spaces in turn, in modules, from the start to the stop. Raises ValueError for anything but pairs of digits."""
    if not _EVEN.fullmatch(digits):
        raise ValueError(f"{len(digits)} characters are no even number of digits, at most 40")
    symbols = [_START_C, *(int(digits[at : at + 2]) for at in range(0, len(digits), 2))]
    check = (_START_C + sum(place * symbol for place, symbol in enumerate(symbols))) % 103
    return "".join(_SYMBOLS[6 * symbol : 6 * symbol + 6] for symbol in [*symbols, check]) + _STOP


@lru_cache(maxsize=256)
def code128_svg(digits: str) -> str:
    """The code with its quiet zones, black on white. Raises ValueError as `widths`."""
    runs = [int(width) for width in widths(digits)]
    wide, at, path = sum(runs) + 2 * _QUIET, _QUIET, ""
    for place, run in enumerate(runs):
        if place % 2 == 0:
            path += f"M{at} 0h{run}v{_HEIGHT}h-{run}z"
        at += run
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {_HEIGHT}" width="{wide * 4}" height="{_HEIGHT * 4}" '
        f'preserveAspectRatio="none" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{wide}v{_HEIGHT}H0z"/><path d="{path}"/></svg>'
    )
