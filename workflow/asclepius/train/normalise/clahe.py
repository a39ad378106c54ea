"""Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994), of pictures and of volumes."""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from asclepius.train.normalise.maps import affine
from asclepius.train.normalise.measures import landmarks

BINS = 256
SMALLEST = 8  # pixels along a tile's side: fewer make no histogram
ROUNDS = 10  # of sharing out what was cut off, at most


@dataclass(frozen=True)
class Clahe:
    """Each image is cut to two of its percentiles, then equalised over tiles; a volume's tiles are three-dimensional.

    Args:
        tiles: along each axis, at most.
        limit: share of a tile's pixels that one of 256 grey values may hold.
        ends: percentiles that become 0 and 1.
    """

    heavy: ClassVar[bool] = True
    tiles: int
    limit: float
    ends: tuple[float, float]

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """(n, 2 + tiles x 256, channel): offset and factor of the image, then the equalising curve of each tile."""
        low, high = np.moveaxis(landmarks(images, (self.ends[0] / 100, self.ends[1] / 100), "all"), 1, 0)
        pair = np.stack([low, 1 / np.where(high > low, high - low, 1)], axis=1).astype(np.float32)
        curves = [self._equalising(*each) for each in zip(images, pair, strict=True)]
        return np.concatenate([pair, np.stack(curves)], axis=1)

    def _equalising(self, image: np.ndarray, pair: np.ndarray) -> np.ndarray:
        """(tiles x 256, channel) of one image; more at a time would take many times the memory of the images."""
        grey = (affine(image[None].astype(np.float32), pair[None], True)[0] * (BINS - 1) + 0.5).astype(np.int64)
        *sides, channels = image.shape
        shape, counts = self._tile(sides), self._counts(sides)
        fill = [(0, count * side - length) for count, side, length in zip(counts, shape, sides, strict=True)]
        grey = np.pad(grey, [*fill, (0, 0)], mode="symmetric")
        split = [part for both in zip(counts, shape, strict=True) for part in both]
        axes = len(sides)
        order = [2 * axes, *range(0, 2 * axes, 2), *range(1, 2 * axes, 2)]  # channel, tiles, pixels of a tile
        tiles = grey.reshape(*split, channels).transpose(order).reshape(channels * int(np.prod(counts)), -1)
        return _curves(_histograms(tiles), self.limit).reshape(channels, -1).T

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        """Each pixel by the curves of the tiles around it, interpolated linearly along each axis."""
        n, *sides, channels = images.shape
        pixels = int(np.prod(sides))
        grey = affine(images, measured[:, :2], True, xp) * (BINS - 1) + 0.5
        grey = xp.reshape(grey.astype(np.int32) if xp is np else xp.cast(grey, "int32"), (n, pixels, channels))
        curves = measured[:, 2:]
        out = 0.0
        for tile, weight in self._corners(sides):
            picked = xp.take_along_axis(curves, grey + (tile * BINS)[None, :, None], axis=1)
            out = out + picked * weight[None, :, None]
        return xp.reshape(out, (n, *sides, channels))

    def _tile(self, sides: list[int]) -> list[int]:
        return [min(max(-(-side // self.tiles), SMALLEST), side) for side in sides]

    def _counts(self, sides: list[int]) -> list[int]:
        return [-(-side // tile) for side, tile in zip(sides, self._tile(sides), strict=True)]

    def _corners(self, sides: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Number of a neighbouring tile and its weight, (pixels,) each, for each of the 4 or 8 neighbours."""
        counts, axes = self._counts(sides), []
        for side, tile, count in zip(sides, self._tile(sides), counts, strict=True):
            place = (np.arange(side) + 0.5) / tile - 0.5  # of each pixel among the tiles' centres
            lower = np.floor(place)
            share = place - lower
            ends = [np.clip(lower + step, 0, count - 1).astype(np.int32) for step in (0, 1)]
            axes.append(list(zip(ends, (1 - share, share), strict=True)))
        found = []
        for corner in itertools.product(*axes):
            tile, weight = np.zeros(1, np.int32), np.ones(1)
            for (number, share), count in zip(corner, counts, strict=True):
                tile = (tile[:, None] * count + number).ravel()
                weight = (weight[:, None] * share).ravel()
            found.append((tile.astype(np.int32), weight.astype(np.float32)))
        return found


def _histograms(tiles: np.ndarray) -> np.ndarray:
    """(tile, 256) counts of (tile, pixel) grey values."""
    rows = np.arange(len(tiles))[:, None] * BINS
    return np.bincount((tiles + rows).ravel(), minlength=len(tiles) * BINS).reshape(-1, BINS)


def _curves(counts: np.ndarray, limit: float) -> np.ndarray:
    """Equalising curves, (tile, 256), 0 to 1: what is above the limit is shared out among the grey values below it."""
    total = counts.sum(axis=1, keepdims=True)
    highest = np.maximum(limit * total, 1)
    held = np.minimum(counts.astype(np.float64), highest)
    for _ in range(ROUNDS):
        left = total - held.sum(axis=1, keepdims=True)
        if left.max() < 1:
            break
        room = held < highest
        held = np.where(room, np.minimum(held + left / np.maximum(room.sum(axis=1, keepdims=True), 1), highest), held)
    reached = held.cumsum(axis=1)
    return (reached / reached[:, -1:]).astype(np.float32)
