"""Which members' terminals are connected now. Pure: the connections are the gateway's."""

from __future__ import annotations

from collections import Counter


class Terminals:
    """How many terminals of whom are there."""

    def __init__(self) -> None:
        self._there: Counter[str] = Counter()

    def __len__(self) -> int:
        """All connections together."""
        return self._there.total()

    def is_there(self, customer: str) -> bool:
        """Whether a question to this customer's terminal can reach one."""
        return self._there[customer] > 0

    def came(self, customer: str) -> None:
        self._there[customer] += 1

    def went(self, customer: str) -> None:
        self._there[customer] -= 1
        if self._there[customer] <= 0:
            del self._there[customer]
