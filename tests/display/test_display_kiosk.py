"""The kiosk as it is installed: its unit, its flags in a real Chromium, its policy (row B10)."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from config.display_settings import DisplaySettings
from tests.display.rig import FLAGS, Rig

pytestmark = pytest.mark.row("B10")

DEPLOY = Path(__file__).parents[2] / "deploy" / "display"
UNIT = DEPLOY / "user" / "instore-display@.service"
PAGE = Path(__file__).parents[2] / "docs" / "display.md"


def command() -> list[str]:
    """The unit's command line for lane 1."""
    found = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M)
    assert found is not None
    return shlex.split(found[1].replace("%i", "1"))


def test_it_is_started_again_for_ever_and_shows_the_port_of_the_settings() -> None:
    text = UNIT.read_text()
    for line in ("Restart=always", "StartLimitIntervalSec=0", "WantedBy=graphical-session.target"):
        assert f"\n{line}\n" in text
    assert f"INSTORE_DISPLAY_PORT={DisplaySettings().port}\n" in text
    assert command()[0] == "/usr/bin/chromium"
    assert command()[-1] == "http://127.0.0.1:${INSTORE_DISPLAY_PORT}/lane/1"
    assert {"--kiosk", "--autoplay-policy=no-user-gesture-required", "--enable-speech-dispatcher"} <= set(command())


def test_systemd_knows_every_key(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # a machine without systemd: then the test above is what can be said
        return
    path = tmp_path / "instore-display@1.service"
    path.write_text(UNIT.read_text().replace("/usr/bin/chromium", "/bin/true"))
    done = subprocess.run([analyze, "verify", "--user", str(path)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "instore" in line]
    assert (said, done.returncode) == ([], 0), done.stderr


def test_the_policy_lets_the_display_show_this_machine_only() -> None:
    policy = json.loads((DEPLOY / "chromium-policy.json").read_text())
    assert policy["URLBlocklist"] == ["*"]
    assert all(url.startswith("http://127.0.0.1") for url in policy["URLAllowlist"])
    assert policy["DeveloperToolsAvailability"] == 2


def test_the_installers_page_names_all_of_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("instore-display@", "chromium-policy.json", "--autoplay-policy=no-user-gesture-required", "speech-dispatcher",
                 *DisplaySettings.model_fields):  # fmt: skip
        assert name in page, name
    for picture in re.findall(r"\]\((images/[^)]+)\)", page):
        assert (PAGE.parent / picture).stat().st_size < 300_000, picture


@pytest.mark.browser
async def test_with_the_flags_of_the_unit_it_shows_and_may_sound(tmp_path: Path) -> None:
    wanted = [flag for flag in command()[1:-1] if not flag.startswith("--user-data-dir")]
    (tmp_path / "agent").mkdir()
    async with Rig(tmp_path / "agent") as rig, async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=command()[0], args=[*wanted, *FLAGS[:3]], no_viewport=True
        )
        try:
            page = context.pages[0]
            await page.goto(rig.url)
            await page.locator('body[data-screen="waiting"]').wait_for()
            await page.locator("#mute").wait_for(state="hidden")
        finally:
            await context.close()
