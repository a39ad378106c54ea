"""Real images above synthetic ones, class by class, as one picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 10
SIDE = 84  # pixels of the longer edge of an image
GAP, LINE = 4, 18


@dataclass(frozen=True)
class Rows:
    """Stored images of a class, the first ten of which are shown: (n, y, x, channel) or (n, z, y, x, channel)."""

    title: str
    real: np.ndarray
    made: np.ndarray


def sheet(classes: list[Rows], low: np.ndarray, high: np.ndarray) -> Image.Image:
    """Draw them; of a volume its middle slice along z.

    Args:
        low, high: (channels,), shown black and white.
    """
    pictures = [
        (f"{each.title}: {what}", [_picture(image, low, high) for image in images[:COLUMNS]])
        for each in classes
        for what, images in (("real", each.real), ("synthetic", each.made))
        if len(images)
    ]
    height = max(p.height for _, found in pictures for p in found) + GAP
    width = max(p.width for _, found in pictures for p in found) + GAP
    canvas = Image.new("RGB", (COLUMNS * width + GAP, len(pictures) * (height + LINE) + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for row, (title, found) in enumerate(pictures):
        top = GAP + row * (height + LINE)
        pen.text((GAP, top), title, fill="#1b1f24", font=font)
        for column, picture in enumerate(found):
            canvas.paste(picture, (GAP + column * width, top + LINE - 2))
    return canvas


def _picture(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> Image.Image:
    if image.ndim == 4:
        image = image[len(image) // 2]
    scaled = np.clip((image.astype(np.float64) - low) / (high - low), 0, 1)
    shown = scaled if scaled.shape[-1] == 3 else np.repeat(scaled[..., :1], 3, axis=-1)
    picture = Image.fromarray((255 * shown).round().astype(np.uint8))
    factor = SIDE / max(picture.size)
    size = tuple(max(1, round(length * factor)) for length in picture.size)
    return picture.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX)
