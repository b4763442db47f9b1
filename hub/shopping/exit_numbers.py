"""Exit codes as numbers (rows B5, B6): for the lane's keypad and for a Code 128.

A number means one exit code as it was signed at one time, and is worth what that is: it ages as a picture of the code does,
opens nothing that the code does not, and is used up with it. The lane can't judge it, so it asks (`contract.exit_digits`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from config.hub_settings import HubSettings
from contract import exit_code
from contract.envelope import Message
from contract.exit_code import ExitClaims
from contract.exit_digits import new_digits
from contract.payloads import LaneScan
from delivery.engine import Tx
from hub.database import exit_numbers as table
from hub.database import times
from hub.database.sales import CodeRow
from hub.exit_keys import KeyRing
from hub.saying import count

KEPT = timedelta(days=2)
"""After a number is over: so long it is told that it is old, and not that nobody knows it; a cut-off lane's scan comes late."""
AT_ONCE = 1000


class ExitNumbers:
    """Gives numbers out, and reads them."""

    def __init__(self, settings: HubSettings, keys: KeyRing, counters: Counter[str]) -> None:
        self._settings, self._keys, self._counters = settings, keys, counters

    def of(self, tx: Tx, code: CodeRow) -> str:
        """The number of this code as it is shown now; a renewed code has another one."""
        known = table.number_of(tx.db, code.code, code.expires)
        while known is None:
            digits = new_digits()
            if table.add(tx.db, digits, code.code, code.issued, code.expires):
                known = digits
        return known

    def read(self, message: Message, tx: Tx) -> Message:
        """A lane's scan with the code that its number stands for. Without one when the number is nobody's: then it is refused.
        Whether the code still holds is judged as ever."""
        scan = message.data
        assert isinstance(scan, LaneScan)
        if not scan.digits:
            return message
        found = table.meaning(tx.db, scan.digits)
        if found is None:
            count(tx, self._counters, "scans_unknown_number")
            return replace(message, data=scan.model_copy(update={"code": "", "code_id": "", "sale": ""}))
        code, sale, issued, expires = found
        claims = ExitClaims(self._settings.store.id, sale, times.time(issued), times.time(expires), code)
        text = exit_code.issue(claims, self._keys.signing, self._keys.kid)
        return replace(message, data=scan.model_copy(update={"code": text, "code_id": code, "sale": sale}))

    def clean(self, tx: Tx) -> None:
        """Numbers that are long over go; call now and then."""
        table.forget(tx.db, times.text(tx.utc - KEPT), AT_ONCE)
