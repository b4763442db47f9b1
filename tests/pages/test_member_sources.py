"""The member's page as files: nothing inline, nothing from elsewhere, colours that can be read (row A2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages.shop_window import PAGES
from tests.pages.test_page_sources import _contrast, _variables

MEMBER = PAGES / "member"
SHARED = PAGES / "shared"
OWN = sorted(
    path
    for folder in (MEMBER, SHARED)
    for path in folder.iterdir()
    if path.suffix in {".js", ".html", ".css", ".webmanifest"}
)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_writes_markup_or_loads_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"https?://|wss?://[a-z]", text)
    assert len(text.splitlines()) <= 350
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_the_worker_keeps_every_file_of_the_page() -> None:
    worker = (MEMBER / "sw.js").read_text(encoding="utf-8")
    listed = set(re.findall(r'"\./([\w.-]+)"', worker))
    assert {path.name for path in MEMBER.iterdir()} - {"index.html", "sw.js", "icon-512.png"} <= listed
    sources = "".join(path.read_text(encoding="utf-8") for path in MEMBER.glob("*.js"))
    assert set(re.findall(r'from "\.\./shared/([\w.-]+)"', sources)) <= set(
        re.findall(r'"\.\./shared/([\w.-]+)"', worker)
    )


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_colours_has_the_contrast_of_wcag_aa(scheme: int) -> None:
    own = _variables((MEMBER / "style.css").read_text(encoding="utf-8"))[scheme]
    pairs = [("ink", "ground"), ("ink", "sheet"), ("soft", "ground"), ("soft", "sheet"), ("bad", "sheet"), ("bad", "ground"),
             ("main", "sheet"), ("ink", "main-soft"), ("main", "main-soft"), ("ink", "news-soft"), ("on-deep", "deep"), ("gold", "deep"),
             *(("on-strong", strong) for strong in ("main", "good", "bad", "news"))]  # fmt: skip
    for one, other in pairs:
        assert _contrast(own[one], own[other]) >= 4.5, (one, other)
