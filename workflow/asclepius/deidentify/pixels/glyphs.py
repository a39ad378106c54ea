"""Connected pieces of thin strokes, with what tells a letter from anatomy: size, even shade, sharp edges."""

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

STROKE = 7  # pixels: a stroke must be thinner
_LEAST, _HIGHEST, _LONGEST = 5, 72, 16  # height in pixels, and width in heights
_EIGHT = np.ones((3, 3), int)


@dataclass
class Glyphs:
    """Pieces, one element of each array per piece; lengths in pixels.

    Args:
        y0, x0, y1, x1: half-open frames.
        area: pixels.
        shade: mean value of the piece's most distinct pixels.
        peak: greatest contrast to what surrounds it.
        sharp: mean step to the neighbouring pixels, share of the peak.
        flat: share of the pixels that nearly reach the peak.
        across, down: strokes that a row, a column of the piece crosses on average.
    """

    y0: np.ndarray
    x0: np.ndarray
    y1: np.ndarray
    x1: np.ndarray
    area: np.ndarray
    shade: np.ndarray
    peak: np.ndarray
    sharp: np.ndarray
    flat: np.ndarray
    across: np.ndarray
    down: np.ndarray

    def __len__(self) -> int:
        return len(self.y0)

    def __getitem__(self, chosen: np.ndarray) -> "Glyphs":
        return Glyphs(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def height(self) -> np.ndarray:
        return self.y1 - self.y0

    @property
    def width(self) -> np.ndarray:
        return self.x1 - self.x0

    def turned(self) -> "Glyphs":
        """As seen in the transposed image."""
        return Glyphs(
            self.x0, self.y0, self.x1, self.y1, self.area, self.shade, self.peak, self.sharp, self.flat, self.down,
            self.across,
        )  # fmt: skip


def contrast(plane: np.ndarray) -> np.ndarray:
    """How much brighter thin bright strokes are than what surrounds them (white top-hat).

    Args:
        plane: uint8, (y, x).
    """
    return plane - _extreme(_extreme(plane, STROKE, np.minimum, 255), STROKE, np.maximum, 0)


def steps(plane: np.ndarray) -> np.ndarray:
    """Greatest step between a pixel's neighbours (morphological gradient), uint8, (y, x)."""
    return _extreme(plane, 3, np.maximum, 0) - _extreme(plane, 3, np.minimum, 255)


def _extreme(plane: np.ndarray, size: int, pick: np.ufunc, neutral: int) -> np.ndarray:
    """Extreme value in a square around each pixel; by doubling windows, many times faster than scipy's filter."""
    for _ in range(2):
        run, width = np.pad(plane, ((size // 2, size // 2), (0, 0)), constant_values=neutral), 1
        while 2 * width <= size:
            run, width = pick(run[:-width], run[width:]), 2 * width
        if size > width:
            run = pick(run[: width - size], run[size - width :])
        plane = np.ascontiguousarray(run.T)
    return plane


def pieces(plane: np.ndarray, strokes: np.ndarray, gradient: np.ndarray, threshold: int) -> Glyphs:
    """Connected pieces whose contrast exceeds a threshold and whose size may be that of a letter or a word."""
    inside = strokes > threshold
    filled = np.flatnonzero(inside.any(axis=1))
    if not len(filled):
        return _none()
    width, first = inside.shape[1], int(filled[0])
    labels, count = ndimage.label(inside[first : filled[-1] + 1], _EIGHT)
    place = np.flatnonzero(inside)
    label = labels.ravel()[place - first * width]
    order = np.argsort(label, kind="stable")
    place, label = place[order], label[order]
    starts = np.searchsorted(label, np.arange(1, count + 1))
    y, x = np.divmod(place, width)
    # Labels run in raster order of their first pixel; within one the order of pixels is kept.
    y0, y1 = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts) + 1
    x0, x1 = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts) + 1
    area = np.diff(np.append(starts, len(label)))
    long, short = np.maximum(y1 - y0, x1 - x0), np.minimum(y1 - y0, x1 - x0)
    kept = (long >= _LEAST) & (short <= _HIGHEST) & (long <= np.maximum(_LONGEST * short, _HIGHEST)) & (area >= 5)
    chosen = kept[label - 1]
    place, label = place[chosen], (np.cumsum(kept) - 1)[label[chosen] - 1]
    y0, y1, x0, x1, area = y0[kept], y1[kept], x0[kept], x1[kept], area[kept]
    if not len(area):
        return _none()
    starts = np.searchsorted(label, np.arange(len(area)))
    strength = strokes.ravel()[place]
    peak = np.maximum.reduceat(strength, starts).astype(float)
    core = strength >= 0.75 * peak[label]
    value, n = plane.ravel()[place].astype(float), len(area)
    y, x = np.divmod(place, width)
    left, up = ~inside[y, x - 1] | (x == 0), ~inside[y - 1, x] | (y == 0)
    return Glyphs(
        y0=y0, x0=x0, y1=y1, x1=x1, area=area,
        shade=np.bincount(label, value * core, n) / np.bincount(label, core, n),
        peak=peak,
        sharp=np.bincount(label, gradient.ravel()[place], n) / area / peak,
        flat=np.bincount(label, core, n) / area,
        across=np.bincount(label, left, n) / (y1 - y0),
        down=np.bincount(label, up, n) / (x1 - x0),
    )  # fmt: skip


def _none() -> Glyphs:
    return Glyphs(*[np.zeros(0)] * 11)
