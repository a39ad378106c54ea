"""Pieces that stand in a row like letters of a line."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from asclepius.deidentify.pixels.glyphs import Glyphs

_GAP = 1.0  # between letters or words, in heights
_MOST_PAIRS = 4_000_000  # noise has more; then only near neighbours count


@dataclass
class Lines:
    """Rows of pieces. `frame`: (line, (y0, x0, y1, x1)); `traits`: (line, trait); `member`: line of each glyph."""

    frame: np.ndarray
    traits: np.ndarray
    height: np.ndarray
    shade: np.ndarray
    peak: np.ndarray


TRAITS = ("count", "letters", "extent", "height", "uneven", "ragged", "spread", "sharp", "flat", "clutter", "peak",
          "strokes", "fill", "heights")  # fmt: skip


def integral(contrast: np.ndarray) -> np.ndarray:
    """Sums over everything above and left of a corner, (y + 1, x + 1), of an image uint8 (y, x)."""
    kind = np.int32 if contrast.size < 1 << 23 else np.int64
    sums = np.zeros(np.add(contrast.shape, 1), kind)
    np.cumsum(contrast, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


def rows(glyphs: Glyphs, sums: Callable[[], np.ndarray], highest: int) -> Lines:
    """Horizontal rows of letters.

    Args:
        glyphs: pieces of one threshold.
        sums: gives the integral of the contrast over the image.
        highest: letter, pixels.
    """
    usable = (glyphs.height >= 5) & (glyphs.width <= 16 * glyphs.height) & (glyphs.height <= highest)
    usable &= glyphs.across <= 2.2 * glyphs.width / np.maximum(glyphs.height, 1) + 2.5
    glyphs = glyphs[usable]
    n = len(glyphs)
    if not n:
        return Lines(np.zeros((0, 4), int), np.zeros((0, len(TRAITS))), *[np.zeros(0)] * 3)
    glyphs = glyphs[np.argsort(glyphs.x0, kind="stable")]
    a, b = _neighbours(glyphs)
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), (n, n))
    count, member = connected_components(graph, directed=False)
    return _measure(glyphs, member, count, sums())


def _neighbours(glyphs: Glyphs) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that may be next to each other in a line."""
    x0, x1, h = glyphs.x0, glyphs.x1, glyphs.height
    last = np.searchsorted(x0, x1 + np.minimum(_GAP * h * 1.6, 80) + 2, "right")
    number = np.maximum(last - np.arange(len(x0)) - 1, 0)
    if number.sum() > _MOST_PAIRS:
        number = np.minimum(number, _MOST_PAIRS // len(x0))
    a = np.repeat(np.arange(len(x0)), number)
    b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(number) - number, number)
    near = (glyphs.y0[b] < glyphs.y1[a]) & (glyphs.y0[a] < glyphs.y1[b])
    a, b = a[near], b[near]
    low, high = np.minimum(h[a], h[b]), np.maximum(h[a], h[b])
    slack = np.maximum(0.16 * high, 1.5)
    aligned = (np.abs(glyphs.y1[a] - glyphs.y1[b]) <= slack) | (np.abs(glyphs.y0[a] - glyphs.y0[b]) <= slack)
    gap = x0[b] - x1[a]
    peak = np.minimum(glyphs.peak[a], glyphs.peak[b])
    good = (
        aligned
        & (high <= 1.9 * low + 1)
        & (gap <= _GAP * high + 2)
        & (gap >= -0.3 * low - 1)
        & (np.abs(glyphs.shade[a] - glyphs.shade[b]) <= 0.25 * peak + 4)
        & (np.maximum(glyphs.peak[a], glyphs.peak[b]) <= 1.7 * peak)
    )
    return a[good], b[good]


def _measure(glyphs: Glyphs, member: np.ndarray, count: int, sums: np.ndarray) -> Lines:
    order = np.argsort(member, kind="stable")
    glyphs, member = glyphs[order], member[order]
    starts = np.searchsorted(member, np.arange(count))
    number = np.diff(np.append(starts, len(member)))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values.astype(float), starts) / number

    def spread(values: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(mean(values.astype(float) ** 2) - mean(values) ** 2, 0))

    y0, x0 = np.minimum.reduceat(glyphs.y0, starts), np.minimum.reduceat(glyphs.x0, starts)
    y1, x1 = np.maximum.reduceat(glyphs.y1, starts), np.maximum.reduceat(glyphs.x1, starts)
    height = mean(glyphs.height)
    peak, area = mean(glyphs.peak), np.add.reduceat(glyphs.area, starts)
    frame = (y1 - y0) * (x1 - x0)
    total = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    ink = np.add.reduceat(glyphs.area * glyphs.peak * 0.75, starts)
    letters = np.add.reduceat(np.maximum(glyphs.width / np.maximum(glyphs.height, 1) / 0.9, 1), starts)
    # Capitals share both edges; with small letters one of the two is still shared.
    ragged = np.minimum(spread(glyphs.y0), spread(glyphs.y1)) / height
    traits = np.stack(
        [
            np.log(number), np.log(letters), (x1 - x0) / height, np.log(height),
            (y1 - y0) / height - 1, ragged, spread(glyphs.shade) / peak, mean(glyphs.sharp), mean(glyphs.flat),
            np.maximum(total - ink, 0) / np.maximum(frame - area, 1) / peak, np.log(peak),
            np.add.reduceat(glyphs.across, starts) / letters, area / np.maximum(frame, 1),
            spread(glyphs.height) / height,
        ],
        axis=1,
    )  # fmt: skip
    return Lines(np.stack([y0, x0, y1, x1], axis=1), traits, height, mean(glyphs.shade), peak)
