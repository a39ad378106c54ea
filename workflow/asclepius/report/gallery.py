"""Grad-CAM cases as PNG: the image beside the same image with its heat and, where there is one, the mask's outline."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from asclepius.report.evidence import Evidence
from asclepius.report.wording import listed, number, percent
from asclepius.task import SEPARATOR

SIDE = 176  # pixels of the longer edge of an image on the page
OUTLINE = (0, 255, 255)
COLUMNS = 4
SHOWN = 48  # cases; further ones stay in explain/gallery


@dataclass(frozen=True)
class Case:
    """One explained case.

    Args:
        pair: pixels (y, 2 x, 3), uint8: image, then image with heat.
    """

    title: str
    details: list[str]
    correct: bool
    pair: np.ndarray

    @property
    def source(self) -> str:
        """The picture as a data address."""
        return "data:image/png;base64," + base64.b64encode(png(self.pair)).decode("ascii")

    @property
    def description(self) -> str:
        return f"Case: {self.title}; {'; '.join(self.details)}. Left the image, right the same with its heat."


def cases(evidence: Evidence) -> list[Case]:
    """The cases class by class, wrong ones first: they teach most."""
    table = evidence.gallery.sort_values(["class", "correct", "row"], kind="stable").head(SHOWN)
    found = []
    for item, explained in zip(table.itertuples(index=False), table["class"], strict=True):
        mask = evidence.heat["mask"][item.row] if "mask" in evidence.heat else None
        drawn = mask is not None and bool(np.any(mask))
        details = [f"probability of “{explained}” {number(item.probability, 2)}"]
        if item.slice >= 0:
            details.append(f"slice {item.slice + 1}, the one with most heat")
        if drawn and np.isfinite(item.overlap):
            details.append(f"{percent(item.overlap)} of the heat inside the outline")
        found.append(
            Case(
                f"true {_labels(item.target)}, called {_labels(item.predicted)}",
                details,
                bool(item.correct),
                pair(evidence.heat["image"][item.row], evidence.heat["heat"][item.row], mask if drawn else None),
            )
        )
    return found


def _labels(text: str) -> str:
    return listed(text.split(SEPARATOR)) if text else "none of the classes"


def pair(image: np.ndarray, heat: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Image and overlay side by side.

    Args:
        image: (y, x) or (y, x, 3), any unit; shown from its 1st to its 99th percentile.
        heat: (y, x), 0 to 1.
        mask: (y, x), or None.

    Returns:
        uint8 pixels (y, 2 x + gap, 3), the longer edge of one image at most SIDE or its own size if larger images
        were shrunk by whole steps.
    """
    grey = _grey(np.asarray(image, dtype=np.float64))
    factor = SIDE / max(grey.shape[:2])
    size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
    filter_ = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX
    base = np.asarray(Image.fromarray(grey).resize(size, filter_), dtype=np.float64)
    warm = Image.fromarray(np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32))
    warm = np.clip(np.asarray(warm.resize(size, Image.Resampling.BILINEAR), dtype=np.float64), 0, 1)
    colour = matplotlib.colormaps["inferno"](0.25 + 0.75 * warm)[..., :3] * 255
    alpha = (0.65 * warm)[..., None]
    over = base * (1 - alpha) + colour * alpha
    if mask is not None:
        large = np.asarray(Image.fromarray(np.asarray(mask > 0, dtype=np.uint8)).resize(size, Image.Resampling.NEAREST))
        over[_edge(large > 0)] = OUTLINE
    gap = np.full((size[1], 4, 3), 255.0)
    return np.concatenate([base, gap, over], axis=1).round().astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    low, high = np.nanpercentile(image, (1, 99)) if np.isfinite(image).any() else (0.0, 1.0)
    scaled = np.clip((np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-12), 0, 1) * 255
    scaled = scaled[..., None] if scaled.ndim == 2 else scaled
    return np.broadcast_to(scaled, (*scaled.shape[:2], 3)).round().astype(np.uint8)


def _edge(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def sheet(found: list[Case]) -> bytes:
    """All cases on one PNG with their captions, for slides and papers."""
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 12)
    width = max(case.pair.shape[1] for case in found) + 16
    height = max(case.pair.shape[0] for case in found) + 16 + 3 * 16
    columns = min(COLUMNS, len(found))
    canvas = Image.new("RGB", (columns * width, -(-len(found) // columns) * height), "white")
    pen = ImageDraw.Draw(canvas)
    for i, case in enumerate(found):
        x, y = (i % columns) * width + 8, (i // columns) * height + 8
        canvas.paste(Image.fromarray(case.pair), (x, y))
        for line, text in enumerate([case.title, *case.details]):
            while font.getlength(text) > width - 16 and len(text) > 4:
                text = text[:-2].rstrip("…") + "…"
            pen.text(
                (x, y + case.pair.shape[0] + 4 + 16 * line),
                text,
                fill="#1b1f24" if case.correct else "#b03a00",
                font=font,
            )
    return png(np.asarray(canvas))
