"""Offset and factor: one pair for all images, or each image's own."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from asclepius.train.normalise.maps import affine
from asclepius.train.normalise.measures import Foreground, landmarks, moments
from asclepius.train.normalise.streams import Batches, mean_and_deviation, quantiles


@dataclass(frozen=True)
class Shared:
    """(value - offset) / scale for every image, cut to 0..1 if `clip`.

    Args:
        offset: per channel, in stored units (HU or raw values).
        scale: per channel, in stored units.
    """

    heavy: ClassVar[bool] = False
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    clip: bool

    @classmethod
    def standardise(cls, batches: Batches, channels: int) -> "Shared":
        """Mean 0 and deviation 1 over all values of all images."""
        return cls._of(*mean_and_deviation(batches, channels), False)

    @classmethod
    def between_percentiles(cls, batches: Batches, channels: int, ends: tuple[float, float]) -> "Shared":
        """Percentiles over all values of all images become 0 and 1."""
        low, high = quantiles(batches, channels, (ends[0] / 100, ends[1] / 100))
        return cls._of(low, high - low, True)

    @classmethod
    def window(cls, low: float, high: float, channels: int) -> "Shared":
        """A fixed window becomes 0 to 1."""
        return cls((low,) * channels, (high - low,) * channels, True)

    @classmethod
    def _of(cls, offset: np.ndarray, scale: np.ndarray, clip: bool) -> "Shared":
        return cls(tuple(map(float, offset)), tuple(map(float, _safe(scale))), clip)

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        pair = np.array([self.offset, 1 / np.asarray(self.scale)], np.float32)
        return np.broadcast_to(pair, (len(images), *pair.shape))

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        return affine(images, measured, self.clip, xp)


@dataclass(frozen=True)
class Own:
    """Each image by its own statistics: nothing is fitted.

    Args:
        by: moments make the foreground's mean 0 and deviation 1; percentiles make two of them 0 and 1, cut there.
        ends: those percentiles, 0 to 100.
    """

    heavy: ClassVar[bool] = False
    by: Literal["moments", "percentiles"]
    foreground: Foreground
    ends: tuple[float, float]

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        if self.by == "moments":
            offset, scale = moments(images, self.foreground)
        else:
            shares = (self.ends[0] / 100, self.ends[1] / 100)
            low, high = np.moveaxis(landmarks(images, shares, self.foreground), 1, 0)
            offset, scale = low, high - low
        return np.stack([offset, 1 / _safe(scale)], axis=1).astype(np.float32)

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        return affine(images, measured, self.by == "percentiles", xp)


def _safe(scale: np.ndarray) -> np.ndarray:
    """A constant channel becomes 0, not NaN."""
    return np.where(scale > 0, scale, 1.0)
