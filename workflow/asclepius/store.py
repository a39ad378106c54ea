"""The array store: fixed-size images stacked in one memory-mappable .npy file per shard."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asclepius.errors import StudyError
from asclepius.tables import replacing

LARGE = 1 << 15  # bytes of an image from which on a loop costs less than a second copy


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard's arrays lie."""
    return Path(folder) / f"shard-{shard:04d}.npy"


class Writer:
    """Images of one shape on their way into a .npy file; made by `writing`.

    Args:
        handle: open for binary reading and writing.
        shape: of one image, axes (y, x, channel) or (z, y, x, channel).
    """

    def __init__(self, handle: BinaryIO, shape: tuple[int, ...], dtype: np.dtype):
        self._handle, self.shape, self.dtype, self.count = handle, tuple(shape), np.dtype(dtype), 0
        self._header()

    def add(self, array: np.ndarray) -> int:
        """Append an image and return its row.

        Raises:
            StudyError: it has another shape.
        """
        if array.shape != self.shape:
            raise StudyError(f"image {self.count} has shape {array.shape}, the store holds {self.shape}")
        self._handle.write(np.ascontiguousarray(array, dtype=self.dtype).data)
        self.count += 1
        return self.count - 1

    def end(self) -> None:
        """Write the number of images into the header."""
        self._handle.seek(0)
        self._header()

    def _header(self) -> None:
        # NumPy pads the header so that a longer leading axis still fits: it can be rewritten in place.
        np.lib.format.write_array_header_1_0(
            self._handle,
            {
                "shape": (self.count, *self.shape),
                "fortran_order": False,
                "descr": np.lib.format.dtype_to_descr(self.dtype),
            },
        )


@contextmanager
def writing(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[Writer]:
    """A Writer whose file takes its place only if the block ends well; memory holds one image at a time."""
    with replacing(path) as temporary, open(temporary, "r+b") as handle:
        writer = Writer(handle, shape, dtype)
        yield writer
        writer.end()


def write(path: Path, arrays: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Stream arrays of one shape into a .npy file and return how many there were.

    Raises:
        StudyError: an array has another shape.
    """
    with writing(path, shape, dtype) as writer:
        for array in arrays:
            writer.add(array)
        return writer.count


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
                array = np.load(path, mmap_mode="r").view(np.ndarray)  # memmap's own class slows every index
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
        numbers = set(shards.tolist())
        for number in numbers:
            array = self.shard(number)
            here = np.flatnonzero(shards == number) if len(numbers) > 1 else slice(None)
            wanted = rows[here]
            if wanted.min() < 0 or wanted.max() >= len(array):
                raise IndexError(f"{shard_path(self.folder, number)} holds {len(array)} images, not row {wanted.max()}")
            if len(numbers) == 1:
                array.take(wanted, axis=0, out=out, mode="clip")  # without "clip" it would copy once more
            elif first[:1].nbytes > LARGE:
                for place, row in zip(here, wanted, strict=True):
                    out[place] = array[row]
            else:
                out[here] = array.take(wanted, axis=0)
        return out
