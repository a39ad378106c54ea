"""A contact sheet: training images in rows, as they are and as some epochs see them."""

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE, GAP, LINE = 144, 6, 18  # pixels: longer edge of a picture, between pictures, a line of text
EDGES = (0.5, 99.5)  # percentiles of the untouched image that become black and white
INK, MUTED = "#1b1f24", "#5b6470"


def sheet(title: str, caption: str, rows: list[tuple[str, np.ndarray]]) -> Image.Image:
    """Draw the sheet.

    Args:
        title: stands above, in bold.
        caption: below it, wrapped.
        rows: of each image its name and (columns, y, x, channel) or (columns, z, y, x, channel), the first column
            untouched. Of volumes the middle slice is drawn, of three channels the colours, of other numbers the first.
    """
    drawn = [(name, [_pixels(one, images[0]) for one in images]) for name, images in rows]
    columns = len(drawn[0][1])
    width = GAP + columns * (SIDE + GAP)
    height = drawn[0][1][0].height
    text = textwrap.wrap(caption, width // 7)
    top = GAP + (len(text) + 2) * LINE
    found = Image.new("RGB", (width, top + len(drawn) * (height + LINE + GAP)), "white")
    pen = ImageDraw.Draw(found)
    pen.text((GAP, GAP), title, fill=INK, font=_font(14, "-Bold"))
    for number, line in enumerate(text, 1):
        pen.text((GAP, GAP + number * LINE), line, fill=MUTED, font=_font(12))
    for number in range(columns):
        head = "as it is" if number == 0 else f"epoch {number}"
        pen.text((GAP + number * (SIDE + GAP), top - LINE), head, fill=INK, font=_font(12))
    for row, (name, pictures) in enumerate(drawn):
        y = top + row * (height + LINE + GAP)
        for number, picture in enumerate(pictures):
            found.paste(picture, (GAP + number * (SIDE + GAP), y))
        pen.text((GAP, y + height + 1), name, fill=MUTED, font=_font(11))
    return found


def _pixels(image: np.ndarray, untouched: np.ndarray) -> Image.Image:
    shown = _slice(untouched)
    low, high = np.percentile(shown, EDGES)
    if high <= low:
        low, high = shown.min(), shown.max()
    grey = np.clip((_slice(image) - low) / max(high - low, 1e-12), 0, 1) * 255
    picture = Image.fromarray(np.broadcast_to(grey, (*grey.shape[:2], 3)).round().astype(np.uint8))
    factor = SIDE / max(picture.size)
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    return picture.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX)


def _slice(image: np.ndarray) -> np.ndarray:
    flat = image[len(image) // 2] if image.ndim == 4 else image
    return flat if flat.shape[-1] == 3 else flat[..., :1]


def _font(size: int, weight: str = "") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / f"fonts/ttf/DejaVuSans{weight}.ttf"), size)
