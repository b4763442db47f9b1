"""Members' QR codes, held before a reader at an entrance: `MEMBER:` and the 26 letters and digits of a token (row A13).

The code says that somebody came, nothing more: it opens no gate and pays nothing. Any other text is refused and counted; an exit code
shown here is not used up, for no lane hears of it.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from config.edge_settings import MemberCodes as Settings
from contract import exit_code
from contract.payloads import Detector
from devices.reader import QrReader, ReaderSettings
from devices.reader_frames import Scan
from edge.detectors.detector import AT_ONCE, Category, Noticed, Tell
from edge.detectors.dwell import Dwell

SCANS_MAX = 100
"""Codes waiting for a turn of the loop; a reader makes some two a second."""
_MEMBER = re.compile(r"MEMBER:([A-Z0-9]{26})")


class MemberCodes:
    """A reader at an entrance."""

    category: Category = "scanner"

    def __init__(self, settings: Settings) -> None:
        self.name = settings.id
        self._settings = settings
        self._dwell = Dwell(Detector.MEMBER_CODE, settings.stay_s)
        self._scans: deque[Scan] = deque()
        self._counters = Counter({"member_codes": 0, "refused_exit_code": 0, "refused_text": 0, "dropped_scans": 0})
        self._wake: Callable[[], None] = lambda: None

    def driver(self, wake: Callable[[], None], tell: Tell) -> QrReader:
        self._wake = wake
        settings = ReaderSettings(baud=self._settings.baud, framing=self._settings.framing)
        return QrReader(self._settings.port, settings, self.on_scan, tell)

    def on_scan(self, scan: Scan) -> None:
        """From the reader."""
        if len(self._scans) >= SCANS_MAX:
            self._counters["dropped_scans"] += 1
            return
        self._scans.append(scan)
        self._wake()

    def step(self, now: float) -> Iterable[Noticed]:
        events = []
        while self._scans:
            scan = self._scans.popleft()
            token = token_of(scan.text)
            if token is None:
                is_exit_code = scan.text.startswith(exit_code.PREFIX)
                self._counters["refused_exit_code" if is_exit_code else "refused_text"] += 1
            else:
                self._counters["member_codes"] += 1
                events += self._dwell.notice(f"member:{token}", scan.t_last_byte)
        return events + self._dwell.tick(now)

    def due(self) -> float | None:
        return AT_ONCE if self._scans else self._dwell.due()

    def counted(self) -> Mapping[str, int]:
        return dict(self._counters)


def token_of(text: str) -> str | None:
    """The token of a member's code, None for any other text."""
    found = _MEMBER.fullmatch(text.strip())
    return found[1] if found else None
