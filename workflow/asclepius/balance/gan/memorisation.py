"""Whether drawn images are real ones remembered: their nearest training image, against real images' own."""

from dataclasses import dataclass

import numpy as np

PERCENTILE = 1
CHUNK = 256
REFERENCE = 2000  # real images of a class whose nearest neighbours are sought, at most


@dataclass(frozen=True)
class Nearest:
    """Args:
    row: (n,) of the training images.
    distance: (n,).
    """

    row: np.ndarray
    distance: np.ndarray


class Guard:
    """Training images in one space, and how near two images of different patients come in it.

    A drawn image is too close to a real one where it is nearer than nearly all (99 %) real images of its class are
    to their nearest real image of another patient. Neighbours are sought in all classes.
    """

    def __init__(self, points: np.ndarray, labels: np.ndarray, patients: np.ndarray, seed: int):
        """Args:
        points: (n, d) of all training images.
        labels: (n,) class numbers.
        patients: (n,) whatever is equal for images of one person.
        """
        self._points = points.astype(np.float32)
        self._squares = (self._points**2).sum(axis=1)
        numbers = np.unique(patients, return_inverse=True)[1]
        random = np.random.default_rng(seed)
        self.apart: dict[int, np.ndarray] = {}
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            if len(rows) > REFERENCE:
                rows = random.choice(rows, REFERENCE, replace=False)
            found = self._nearest(self._points[rows], numbers[rows], numbers).distance
            self.apart[int(label)] = found[np.isfinite(found)]

    def limit(self, label: int) -> float:
        """The distance up to which an image is too close; 0 where there is one patient alone: copies only."""
        apart = self.apart[label]
        return float(np.percentile(apart, PERCENTILE)) if len(apart) else 0.0

    def nearest(self, points: np.ndarray) -> Nearest:
        """The nearest training image of each of (m, d) points."""
        return self._nearest(points.astype(np.float32), None, None)

    def _nearest(self, points: np.ndarray, own: np.ndarray | None, patients: np.ndarray | None) -> Nearest:
        rows, distance = np.empty(len(points), int), np.empty(len(points))
        for start in range(0, len(points), CHUNK):
            part = slice(start, start + CHUNK)
            squared = self._squares - 2 * points[part] @ self._points.T
            if own is not None:
                squared[own[part, None] == patients] = np.inf
            rows[part] = squared.argmin(axis=1)
            alone = ~np.isfinite(squared).any(axis=1)
            exact = np.linalg.norm(points[part] - self._points[rows[part]], axis=1)  # the expansion rounds near 0
            distance[part] = np.where(alone, np.inf, exact)
        return Nearest(rows, distance)
