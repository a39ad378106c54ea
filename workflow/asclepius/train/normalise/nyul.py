"""Histogram standardisation (Nyúl and Udupa 1999; with deciles: Nyúl, Udupa and Zhang 2000)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from asclepius.train.normalise.maps import knots, piecewise
from asclepius.train.normalise.measures import DECILES, Foreground, landmarks
from asclepius.train.normalise.streams import Batches


@dataclass(frozen=True)
class Nyul:
    """Each image's landmarks are led to the standard ones, linearly in between and beyond.

    Args:
        shares: quantiles of the foreground that are landmarks: two ends and the deciles between them.
        standard: (channel, landmark); the ends are 0 and 1.
    """

    heavy: ClassVar[bool] = True
    shares: tuple[float, ...]
    foreground: Foreground
    standard: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, batches: Batches, ends: tuple[float, float], foreground: Foreground) -> "Nyul":
        """The mean place of each landmark between the two ends, over all images.

        An image without two grey values has no landmarks to tell and does not count.
        """
        shares = (ends[0] / 100, *DECILES, ends[1] / 100)
        total, count = 0.0, 0.0
        for batch in batches():
            found = landmarks(batch, shares, foreground)
            span = found[:, -1:] - found[:, :1]
            usable = span > 0
            total = total + np.where(usable, (found - found[:, :1]) / np.where(usable, span, 1), 0).sum(axis=0)
            count = count + usable.sum(axis=0)
        straight = np.linspace(0, 1, len(shares))[:, None]
        standard = np.where(count > 0, total / np.maximum(count, 1), straight)
        return cls(shares, foreground, tuple(tuple(map(float, channel)) for channel in standard.T))

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        found = landmarks(images, self.shares, self.foreground)
        return knots(found, np.broadcast_to(np.array(self.standard).T, found.shape))

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        return piecewise(images, measured, xp)
