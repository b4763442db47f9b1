"""The display's page as files: nothing inline, nothing from elsewhere, a picture for each screen, colours for all eyes (row B10)."""

from __future__ import annotations

import re
from itertools import combinations
from typing import get_args

import pytest

from contract.payloads import Bilingual
from edge.display import words
from edge.display.server import KINDS, PAGE
from edge.display.view import Screen, Tone

pytestmark = pytest.mark.row("B10")

FILES = sorted(PAGE.iterdir())
STYLE = (PAGE / "style.css").read_text(encoding="utf-8")
MARKUP = (PAGE / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_writes_markup_or_loads_from_elsewhere(path) -> None:  # type: ignore[no-untyped-def]
    text = path.read_text(encoding="utf-8")
    assert path.suffix in KINDS
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|cookie|localStorage", text
    )
    assert not re.search(r"(https?|wss?)://(?!www\.w3\.org/2000/svg)", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_the_page_keeps_all_of_its_files_for_the_time_without_the_agent() -> None:
    kept = re.findall(r'"([\w.]+)"', re.search(r"const FILES = \[(.*?)\]", (PAGE / "sw.js").read_text(), re.S)[1])  # type: ignore[index]
    assert sorted([*kept, "sw.js"]) == [path.name for path in FILES]


def test_each_screen_has_a_picture_and_each_tone_a_colour() -> None:
    pictures = {name for names in re.findall(r'data-for="([^"]+)"', MARKUP) for name in names.split()}
    screens = {*get_args(Screen), "lost"}
    assert pictures == screens - {"coupon"}
    for screen in screens - {"coupon"}:
        assert f'[data-screen="{screen}"] #picture [data-for~="{screen}"]' in STYLE
    assert {*get_args(Tone), "lost"} - {"calm"} == set(re.findall(r'\[data-tone="(\w+)"\] \{', STYLE))


def test_the_lanes_own_words_stand_in_both_languages() -> None:
    own = [value for value in vars(words).values() if isinstance(value, Bilingual)]
    for text in [*own, *words.REFUSALS.values()]:
        assert re.search(r"[ぁ-んァ-ン一-龯]", text.ja)
        assert re.fullmatch(r"[ -~]+", text.en)
    assert len(own) > 20


# Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour: str, eye: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a colour as an eye sees it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    r, g, b = (min(1.0, max(0.0, sum(f * v for f, v in zip(row, linear, strict=True)))) for row in EYES[eye])
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("eye", EYES)
def test_the_tones_differ_for_every_eye(eye: str) -> None:
    calm = re.search(r":root \{.*?--ground: (#\w+)", STYLE, re.S)[1]  # type: ignore[index]
    grounds = {"calm": calm} | dict(re.findall(r'\[data-tone="(good|stop|alarm|lost)"\] \{ --ground: (#\w+)', STYLE))
    assert len(grounds) == 5
    for (one, first), (other, second) in combinations(grounds.items(), 2):
        far = sum((a - b) ** 2 for a, b in zip(lab(first, eye), lab(second, eye), strict=True)) ** 0.5
        assert far > 20, (one, other, round(far, 1))
