"""The array store: fixed-size images stacked in one memory-mappable .npy file per shard."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from asclepius.errors import StudyError
from asclepius.tables import replacing


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard's arrays lie."""
    return Path(folder) / f"shard-{shard:04d}.npy"


def write(path: Path, arrays: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Stream arrays of one shape into a .npy file and return how many there were.

    Args:
        arrays: each of `shape`, axes (y, x, channel) or (z, y, x, channel); memory holds one at a time.
        shape: of one image, without the leading axis.

    Raises:
        StudyError: an array has another shape.
    """
    dtype = np.dtype(dtype)
    count = 0
    with replacing(path) as temporary, open(temporary, "r+b") as handle:
        _header(handle, 0, shape, dtype)
        for array in arrays:
            if array.shape != tuple(shape):
                raise StudyError(f"{path}: image {count} has shape {array.shape}, the store holds {tuple(shape)}")
            handle.write(np.ascontiguousarray(array, dtype=dtype).tobytes())
            count += 1
        handle.seek(0)
        _header(handle, count, shape, dtype)
    return count


def _header(handle, count: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
    # NumPy pads the header so that a longer leading axis still fits: it can be rewritten in place.
    np.lib.format.write_array_header_1_0(
        handle,
        {"shape": (count, *shape), "fortran_order": False, "descr": np.lib.format.dtype_to_descr(dtype)},
    )


class Store:
    """Random access to the images of all shards of a folder; files are mapped once, on first use."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._shards: dict[int, np.ndarray] = {}

    def shard(self, number: int) -> np.ndarray:
        """The arrays of one shard, shape (n, y, x, channel) or (n, z, y, x, channel), mapped read-only."""
        if number not in self._shards:
            path = shard_path(self.folder, number)
            try:
                array = np.load(path, mmap_mode="r")
            except ValueError:  # an empty file cannot be mapped
                array = np.load(path)
            self._shards[number] = array
        return self._shards[number]

    def read(self, shards: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Gather images in the order given: a new array (n, ..., channel) of the store's type."""
        shards, rows = np.asarray(shards), np.asarray(rows)
        if len(shards) == 0:
            raise ValueError("no images asked for")
        first = self.shard(int(shards[0]))
        out = np.empty((len(shards), *first.shape[1:]), dtype=first.dtype)
        for number in np.unique(shards):
            here = np.flatnonzero(shards == number)
            order = here[np.argsort(rows[here], kind="stable")]
            out[order] = self.shard(int(number))[rows[order]]
        return out
