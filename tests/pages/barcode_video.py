"""What a phone's camera sees in a test: real barcodes as a video (MJPEG) that Chromium plays as its camera."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import segno
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

SIZE = 640, 480
FRAMES_PER_S = 30
"""Chromium plays every MJPEG file at this speed."""


def linear(code: str, kind: str) -> Image.Image:
    """A shelf with the barcode of a product (EAN13, EAN8, UPCA), held a little askew."""
    bars = zxingcpp.create_barcode(code, getattr(zxingcpp.BarcodeFormat, kind)).to_image(scale=4)
    drawn = Image.fromarray(bars).convert("L")
    label = Image.new("L", (drawn.width + 60, 190), 250)
    label.paste(drawn.resize((drawn.width, 150)), (30, 20))
    return _held(label, 3)


def square(text: str) -> Image.Image:
    """A QR code."""
    made = io.BytesIO()
    segno.make_qr(text, error="m").save(made, kind="png", scale=7, border=4)
    return _held(Image.open(made).convert("L"), -2)


def blank() -> Image.Image:
    """Nothing but the shelf."""
    return _held(None, 0)


def _held(label: Image.Image | None, angle_deg: float) -> Image.Image:
    scene = Image.new("L", SIZE, 120)
    noise = random.Random(7)
    pen = ImageDraw.Draw(scene)
    for _ in range(40):
        x, y = noise.randrange(SIZE[0]), noise.randrange(SIZE[1])
        pen.rectangle((x, y, x + noise.randrange(10, 120), y + noise.randrange(10, 80)), fill=noise.randrange(80, 160))
    if label is not None:
        turned = label.rotate(angle_deg, expand=True, fillcolor=120)
        scene.paste(turned, ((SIZE[0] - turned.width) // 2, (SIZE[1] - turned.height) // 2))
    return scene.filter(ImageFilter.GaussianBlur(0.8)).convert("RGB")


def film(path: Path, scenes: Sequence[tuple[Image.Image, float]]) -> Path:
    """Writes scenes of so many seconds each; the browser begins anew at the end."""
    with path.open("wb") as file:
        for scene, lasts_s in scenes:
            frame = io.BytesIO()
            scene.save(frame, "JPEG", quality=80)
            for _ in range(round(lasts_s * FRAMES_PER_S)):
                file.write(frame.getvalue())
    return path


def flags(video: Path) -> list[str]:
    """For a Chromium whose camera shows the video, without asking."""
    return ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={video}"]  # fmt: skip
