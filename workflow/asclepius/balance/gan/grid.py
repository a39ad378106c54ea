"""The grid a GAN draws on, and the way of stored values to it and back."""

from dataclasses import dataclass

import numpy as np

SMALLEST = 4  # pixels of an axis at the coarsest level
LONGEST = {2: 64, 3: 32}
TAILS = (0.0001, 0.9999)  # a scanner's few outliers would leave the rest little contrast


def drawn_shape(shape: tuple[int, ...], longest: int | None) -> tuple[int, ...]:
    """Spatial shape of the grid: that of the images, shrunk evenly where its longest side is over `longest`."""
    limit = longest or LONGEST[len(shape)]
    factor = min(1.0, limit / max(shape))
    return tuple(max(1, round(length * factor)) for length in shape)


def levels(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Spatial shapes from full size down: each axis is halved, rounding up, until it has at most 4 pixels."""
    found = [tuple(shape)]
    while max(found[-1]) > SMALLEST:
        found.append(tuple(-(-length // 2) if length > SMALLEST else length for length in found[-1]))
    return found


def resized(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Linear interpolation along each spatial axis; shrinking averages, so that nothing fine is skipped.

    Args:
        images: (n, *spatial, channel).
        shape: spatial shape wanted.

    Returns:
        The array itself if it has that shape, else float32.
    """
    for axis, length in enumerate(shape, start=1):
        if images.shape[axis] != length:
            weights = _weights(images.shape[axis], length)
            images = np.moveaxis(np.tensordot(images.astype(np.float32), weights, axes=(axis, 1)), -1, axis)
    return images


def _weights(old: int, new: int) -> np.ndarray:
    """(new, old): what each old pixel adds to each new one, a triangle as wide as the coarser grid's pixel."""
    centre = (np.arange(new) + 0.5) * old / new - 0.5
    width = max(1.0, old / new)
    found = np.maximum(0, 1 - np.abs(np.arange(old) - centre[:, None].clip(0, old - 1)) / width)
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Scale:
    """Stored values to -1..1 and back, channel by channel.

    Args:
        low, high: (channels,), in stored units.
        shape: of a stored image, (y, x, channel) or (z, y, x, channel).
        dtype: of the store.
        drawn: spatial shape of the grid.
    """

    low: np.ndarray
    high: np.ndarray
    shape: tuple[int, ...]
    dtype: np.dtype
    drawn: tuple[int, ...]

    @classmethod
    def of(cls, images: np.ndarray, longest: int | None = None) -> "Scale":
        """From stored training images (n, *shape): the range of all but 1 in 10,000 values at either end."""
        channels = images.shape[-1]
        low, high = np.empty(channels, np.float32), np.empty(channels, np.float32)
        for channel in range(channels):
            values = images[..., channel]
            low[channel], high[channel] = np.quantile(values, TAILS)
            if high[channel] <= low[channel]:  # almost nothing but background
                low[channel], high[channel] = values.min(), max(values.max(), values.min() + 1)
        return cls(low, high, images.shape[1:], images.dtype, drawn_shape(images.shape[1:-1], longest))

    def to_unit(self, images: np.ndarray) -> np.ndarray:
        """Stored values (n, *shape) or already on the grid, to float32 (n, *drawn, channel) of -1..1."""
        found = resized(images, self.drawn).astype(np.float32, copy=False)
        return np.clip((found - self.low) * (2 / (self.high - self.low)) - 1, -1, 1)

    def to_stored(self, images: np.ndarray) -> np.ndarray:
        """(n, *drawn, channel) of -1..1 to the store's shape, units and type."""
        values = resized((images + 1) * ((self.high - self.low) / 2) + self.low, self.shape[:-1])
        if not np.issubdtype(self.dtype, np.integer):
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.rint(values).clip(limits.min, limits.max).astype(self.dtype)
