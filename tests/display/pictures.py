"""The pictures of docs/display.md, taken in Chromium at a real lane whose devices are played: `python -m tests.display.pictures`.

With a folder as its argument it leaves each screen there at each size, to look at.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.display.rig import SIZES, Rig, chromium, every_screen, kiosk

IMAGES = Path(__file__).parents[2] / "docs" / "images"
COLOURS = 192
GAP = 8
TALL = ("waiting", "coupon", "pass", "refused")


async def taken(size: str) -> dict[str, Image.Image]:
    """Every screen at this size."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Rig(Path(folder)) as rig,
            chromium() as browser,
            kiosk(browser, rig.url, size, reduced_motion="reduce") as page,
        ):
            async for screen in every_screen(rig, page):
                await page.page.evaluate("document.fonts.ready.then(() => true)")
                found[screen] = Image.open(io.BytesIO(await page.page.screenshot())).convert("RGB")
    return found


def sheet(pictures: list[Image.Image], columns: int, width: int) -> Image.Image:
    """Side by side, each `width` wide."""
    height = width * pictures[0].height // pictures[0].width
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "#ffffff")
    for number, picture in enumerate(pictures):
        place = (number % columns * (width + GAP), number // columns * (height + GAP))
        whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS), place)
    return whole


def save(picture: Image.Image, name: str) -> None:
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


async def main(folder: Path | None) -> None:
    shots = {size: await taken(size) for size in (SIZES if folder else ("wide", "tall"))}
    if folder is not None:
        for size, screens in shots.items():
            for name, picture in screens.items():
                picture.save(folder / f"{name}-{size}.png")
        return
    wide, tall = shots["wide"], shots["tall"]
    save(wide["waiting"].resize((960, 540), Image.Resampling.LANCZOS), "display-waiting.png")
    save(sheet([picture for name, picture in wide.items() if name != "starting"], 3, 480), "display-screens.png")
    save(sheet([tall[name] for name in TALL], 4, 300), "display-upright.png")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
