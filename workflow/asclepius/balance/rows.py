"""Examples as rows of numbers that are read, or made, a block at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from asclepius.store import Store

BLOCK = 2**20  # bytes of float32 that are worked on at a time


class Rows:
    """Examples as rows of numbers; an array is one.

    shape: (examples, features).
    """

    shape: tuple[int, int]

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Stored(Rows):
    """Flattened pixels in the store's units, float32."""

    def __init__(self, store: Store, shards: np.ndarray, rows: np.ndarray):
        self.store, self.shards, self.rows = store, shards, rows
        first = store.shard(int(shards[0]))  # mapped, not read
        self.image_shape, self.dtype = first.shape[1:], first.dtype
        self.shape = (len(rows), int(np.prod(self.image_shape)))

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        shards, rows = self.shards[which], self.rows[which]
        found = np.empty((len(rows), self.shape[1]), np.float32)
        for part in parts(len(rows), self.shape[1]):  # the store's own type is not held as a whole beside it
            found[part] = self.store.read(shards[part], rows[part]).reshape(-1, self.shape[1])
        return found


class Beside(Rows):
    """Features of two kinds, side by side."""

    def __init__(self, rows: Rows | np.ndarray, more: np.ndarray):
        self.rows, self.more, self.shape = rows, more, (len(more), rows.shape[1] + more.shape[1])

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        return np.hstack([self.rows[which], self.more[which].astype(np.float32)])


class Stacked(Rows):
    """Rows of several kinds, one kind after the other; read by slices."""

    def __init__(self, parts: list[Rows | np.ndarray]):
        self.parts = parts
        self.ends = np.cumsum([part.shape[0] for part in parts])
        self.shape = (int(self.ends[-1]), parts[0].shape[1])

    def __getitem__(self, which: Any) -> np.ndarray:
        start, stop, _ = which.indices(self.shape[0])
        found = np.empty((max(stop - start, 0), self.shape[1]), np.float32)
        for part, end in zip(self.parts, self.ends, strict=True):
            begin = end - part.shape[0]
            first, last = max(start, begin), min(stop, end)
            if first < last:
                found[first - start : last - start] = part[first - begin : last - begin]
        return found


def blocks(rows: Rows | np.ndarray, size: int = BLOCK) -> Iterator[tuple[int, np.ndarray]]:
    """All rows, some at a time, with the number of the first.

    Args:
        size: bytes of float32 at a time.
    """
    for part in parts(*rows.shape, size):
        yield part.start, rows[part]


def parts(length: int, width: int, size: int = BLOCK) -> Iterator[slice]:
    """The same as slices."""
    step = max(1, size // (4 * max(width, 1)))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def spread(rows: Rows | np.ndarray) -> np.ndarray:
    """(features,) standard deviations, in 64 bits."""
    total = sum(block.sum(axis=0, dtype=np.float64) for _, block in blocks(rows))
    mean = total / rows.shape[0]
    squares = sum(((block - mean) ** 2).sum(axis=0) for _, block in blocks(rows))
    return np.sqrt(squares / rows.shape[0])
