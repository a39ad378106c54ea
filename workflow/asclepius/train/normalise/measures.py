"""What a normalisation must know of an image: its foreground, the mean and deviation of that, its landmarks."""

from typing import Literal

import numpy as np

Foreground = Literal["all", "above_minimum", "above_mean"]
DECILES = tuple(tenth / 10 for tenth in range(1, 10))


def moments(images: np.ndarray, foreground: Foreground) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each image's foreground, (n, channel) each, float64.

    Args:
        images: (n, ..., channel), stored values.
    """
    n, channels = len(images), images.shape[-1]
    values = images.reshape(n, -1, channels)
    threshold = _threshold(values, foreground)
    found = np.empty((2, n, channels))
    for row, channel in np.ndindex(n, channels):  # an image at a time stays in the cache
        inside = values[row, :, channel]
        if foreground != "all" and (above := inside > threshold[row, channel]).any():
            inside = inside[above]
        found[:, row, channel] = inside.mean(dtype=np.float64), inside.std(dtype=np.float64)
    return found[0], found[1]


def landmarks(images: np.ndarray, shares: tuple[float, ...], foreground: Foreground) -> np.ndarray:
    """Quantiles of each image's foreground, linearly interpolated: (n, share, channel), float64.

    Args:
        images: (n, ..., channel), stored values.
        shares: rising, 0 to 1.
    """
    values = np.sort(images.reshape(len(images), -1, images.shape[-1]), axis=1)
    first = (values <= _threshold(values, foreground)[:, None]).sum(axis=1)
    size = values.shape[1]
    first = np.where(first == size, 0, first)
    place = first[:, None] + np.asarray(shares)[None, :, None] * (size - 1 - first)[:, None]
    lower = np.floor(place).astype(np.int64)
    below = np.take_along_axis(values, lower, axis=1).astype(np.float64)
    above = np.take_along_axis(values, np.minimum(lower + 1, size - 1), axis=1).astype(np.float64)
    return below + (place - lower) * (above - below)


def _threshold(values: np.ndarray, foreground: Foreground) -> np.ndarray:
    """What foreground lies above, (n, channel).

    The mean parts a head or a chest from air (Nyúl and Udupa 1999), the minimum it from blank margins.
    """
    if foreground == "above_mean":
        return values.mean(axis=1, dtype=np.float64)
    if foreground == "above_minimum":
        return values.min(axis=1)
    return np.full((len(values), values.shape[-1]), -np.inf)
