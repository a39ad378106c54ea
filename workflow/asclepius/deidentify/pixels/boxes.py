"""Rectangles of pixels."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_FILLED = 0.96  # share of a frame that boxes must cover


class Box(NamedTuple):
    """Half-open rectangle: x0 ≤ x < x1, y0 ≤ y < y1, pixels."""

    x0: int
    y0: int
    x1: int
    y1: int

    def grown(self, by: int, shape: tuple[int, int]) -> "Box":
        """Wider on all sides, within an image of shape (y, x)."""
        return Box(max(self.x0 - by, 0), max(self.y0 - by, 0), min(self.x1 + by, shape[1]), min(self.y1 + by, shape[0]))

    def meets(self, other: "Box") -> bool:
        """They share a pixel."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Nearly the same area with fewer boxes: two become one where boxes already fill their common frame."""
    left = sorted(set(boxes), key=_area, reverse=True)
    if not left:
        return []
    shape = max(box.y1 for box in left), max(box.x1 for box in left)
    total = np.pad(painted(left, shape).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))

    def filled(frame: Box) -> bool:
        inside = total[frame.y1, frame.x1] - total[frame.y0, frame.x1] - total[frame.y1, frame.x0]
        return inside + total[frame.y0, frame.x0] >= _FILLED * _area(frame)

    out: list[Box] = []
    for box in left:
        joined = True
        while joined:
            joined = False
            for place, other in enumerate(out):
                frame = Box(min(box.x0, other.x0), min(box.y0, other.y0), max(box.x1, other.x1), max(box.y1, other.y1))
                if box.meets(other) and filled(frame):
                    del out[place]
                    box, joined = frame, True
                    break
        out.append(box)
    return sorted(out, key=lambda box: (box.y0, box.x0))


def painted(boxes: Iterable[Box], shape: tuple[int, int]) -> np.ndarray:
    """Mask of an image of shape (y, x): True within a box."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[max(box.y0, 0) : max(box.y1, 0), max(box.x0, 0) : max(box.x1, 0)] = True
    return mask


def _area(box: Box) -> int:
    return (box.x1 - box.x0) * (box.y1 - box.y0)
