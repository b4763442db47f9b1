"""The pages as files: nothing inline, nothing from elsewhere, vendored modules unchanged, colours that can be read."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.pages.shop_window import PAGES

HANDHELD = PAGES / "handheld"
VENDOR = PAGES / "vendor"
OWN = sorted(path for path in HANDHELD.iterdir() if path.suffix in {".js", ".html", ".css", ".webmanifest"})


def test_vendored_modules_are_what_their_list_says() -> None:
    listed = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["module"]
    for module in listed:
        assert hashlib.sha256((VENDOR / module["file"]).read_bytes()).hexdigest() == module["sha256"], module["file"]
        licence = (VENDOR / module["licence_file"]).read_text(encoding="utf-8")
        assert module["version"] in licence
        assert "MIT" in licence
    named = {"vendor.toml", *(module[key] for module in listed for key in ("file", "licence_file"))}
    assert {path.name for path in VENDOR.iterdir()} == named


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_writes_markup_or_loads_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"https?://|wss?://[a-z]", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_the_worker_keeps_what_the_page_shares() -> None:
    worker = (HANDHELD / "sw.js").read_text(encoding="utf-8")
    kept = set(re.findall(r'"\./([\w.-]+)"|"\.\./shared/([\w.-]+)"', worker))
    own = {path.name for path in HANDHELD.iterdir()} - {"index.html", "sw.js", "icon-512.png"}
    sources = "".join(path.read_text(encoding="utf-8") for path in HANDHELD.glob("*.js"))
    shared = set(re.findall(r'from "\.\./shared/([\w.-]+)"', sources))
    assert own | shared <= {name for pair in kept for name in pair}


def _variables(text: str) -> list[dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)
    )
    return [light, light | dark]


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_colours_has_the_contrast_of_wcag_aa(scheme: int) -> None:
    own = _variables((HANDHELD / "style.css").read_text(encoding="utf-8"))[scheme]
    pairs = [("ink", "ground"), ("ink", "sheet"), ("soft", "ground"), ("soft", "sheet"), ("warn", "sheet"), ("bad", "sheet"),
             ("good", "sheet"), ("ink", "service-soft"), ("ink", "special-soft"),
             *(("on-strong", strong) for strong in ("service", "special", "good", "bad", "warn"))]  # fmt: skip
    for one, other in pairs:
        assert _contrast(own[one], own[other]) >= 4.5, (one, other)


@pytest.mark.parametrize("page", ["handheld", "manager"])
def test_both_languages_say_the_same_things(page: str) -> None:
    text = re.sub(r'"[^"\n]*"|`[^`]*`', "_", (PAGES / page / "words.js").read_text(encoding="utf-8"))
    ja, en = (
        set(re.findall(r"(\w+): (?=[_(])", block)) for block in re.findall(r"^  \w\w: \{(.*?)^  \},", text, re.S | re.M)
    )
    assert len(ja) > 30
    assert ja == en
    source = "".join(path.read_text(encoding="utf-8") for path in (PAGES / page).glob("*.js"))
    assert set(re.findall(r'\.say\("(\w+)"', source)) <= ja
