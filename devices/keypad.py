"""A keypad on a serial port: entered digits, the help key and status to callbacks; reconnects by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.keypad_frames import Entry, KeypadFramer
from devices.listener import Listener
from devices.status import DeviceStatus

__all__ = ["Keypad", "KeypadSettings"]


@dataclass(frozen=True, slots=True)
class KeypadSettings:
    """As set in the keypad. `help_key`: a letter from A to D, None when it has no such key."""

    baud: int = 9600
    help_key: str | None = "A"
    idle_s: float = 15.0


class Keypad:
    """`run()` for ever. `on_entry` per entered number, `on_help` when the key for help goes down, `on_typed` with the number of
    digits that stand there, whenever it changes; `on_status` when the port comes or goes and when counters change."""

    def __init__(
        self,
        path: str | Path,
        settings: KeypadSettings,
        on_entry: Callable[[Entry], None],
        on_help: Callable[[], None],
        on_status: Callable[[DeviceStatus], None],
        on_typed: Callable[[int], None] = lambda _digits: None,
    ) -> None:
        self._framer = KeypadFramer(settings.help_key, idle_s=settings.idle_s)
        self._on_entry, self._on_help, self._on_typed = on_entry, on_help, on_typed
        self._typed = 0
        self._line = Listener("keypad", path, self._framer, self._key, on_status, after=self._show, baud=settings.baud)
        self.pulse = self._line.pulse

    async def run(self) -> None:
        """Read for ever; cancel to end."""
        await self._line.run()

    def _key(self, event: object) -> None:
        if isinstance(event, Entry):
            self._on_entry(event)
        else:
            self._on_help()

    def _show(self) -> None:
        if self._framer.typed != self._typed:
            self._typed = self._framer.typed
            self._on_typed(self._typed)
