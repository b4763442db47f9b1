"""The running policy. A file that changed is read again; with a mistake in it, the running policy stays."""

from __future__ import annotations

from pathlib import Path

import structlog

from config.hub_settings import HubSettings
from config.load import SettingsError
from hub.rules.policy import Policy, read_policy

log = structlog.get_logger()


class RunningPolicy:
    """Reads the policy at once (raises SettingsError: a hub does not start with rules it can't read)."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._stamps = self._look()
        self.current: Policy = read_policy(settings)
        self.loads, self.refusals = 1, 0
        self.problem: str | None = None
        """What is wrong with the files as they are now; None: the policy is what the files say."""

    def check(self) -> bool:
        """Look whether a file changed, and take it if it is sound; True when the policy is a new one. Never raises."""
        stamps = self._look()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        try:
            self.current = read_policy(self._settings)
        except SettingsError as error:
            self.refusals += 1
            self.problem = str(error)
            log.error("rules refused, the running ones stay", problem=self.problem)
            return False
        self.loads += 1
        self.problem = None
        log.info("rules reloaded")
        return True

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        own = self._settings
        return tuple(_stamp(path) for path in (own.rules, own.messages, own.incentives, own.coupons) if path)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino  # an editor replaces the file, so its inode counts too
    except OSError:
        return 0, 0, 0
