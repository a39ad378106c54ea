"""Rows of the arrays of an .npz file, read in one pass and one row at a time."""

import zipfile
from pathlib import Path

import numpy as np

from asclepius.errors import Rejected, StudyError
from asclepius.resample.geometry import Grid
from asclepius.resample.scan import Scan


class Rows:
    """Rows of one array of an .npz, asked for in ascending order.

    The array is inflated once, whatever its size, and memory holds a single row.
    """

    def __init__(self, path: Path, name: str):
        self.path, self.name = Path(path), name
        try:
            self._zip = zipfile.ZipFile(path)
            self._stream = self._zip.open(f"{name}.npy")
            version = np.lib.format.read_magic(self._stream)
            read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else _read_header_2
            self.shape, fortran, self.dtype = read_header(self._stream)
        except FileNotFoundError:
            raise StudyError(f"{path}: no such file; check cohort.path") from None
        except (zipfile.BadZipFile, ValueError, EOFError, OSError):
            raise StudyError(f"{path}: not a whole .npz file; download it again") from None
        except KeyError:
            raise StudyError(f"{path}: holds no array {name!r}; check that it is the file meant") from None
        if fortran or self.dtype.hasobject or len(self.shape) < 2:
            raise StudyError(f"{path}: array {name!r} is not a plain stack of images; save it again with numpy.savez")
        self._size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        self._next = 0

    def read(self, row: int) -> np.ndarray:
        """One row, of the array's shape without the first axis.

        Raises:
            Rejected: "truncated" if the file ends before it.
        """
        if not self._next <= row < self.shape[0]:
            raise StudyError(f"{self.path}: row {row} of array {self.name!r} is not in order or beyond its end")
        try:
            for _ in range(row - self._next):
                self._stream.read(self._size)
            data = self._stream.read(self._size)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError):
            data = b""
        self._next = row + 1
        if len(data) < self._size:
            raise Rejected("truncated", "the .npz file ends before this row; download it again")
        return np.frombuffer(data, dtype=self.dtype).reshape(self.shape[1:])

    def close(self) -> None:
        self._stream.close()
        self._zip.close()


def _read_header_2(stream):
    return np.lib.format.read_array_header_2_0(stream)


def scan(array: np.ndarray, sides: int) -> Scan:
    """A row as a scan without spacing.

    Args:
        array: (y, x), (y, x, colour), (z, y, x) or (z, y, x, colour).
        sides: 2 or 3, of the stored images; tells (y, x, colour) from (z, y, x).
    """
    colour = array.ndim == sides + 1 and array.shape[-1] in (3, 4)
    if array.ndim != sides and not colour:
        shape = " x ".join(map(str, array.shape))
        raise Rejected("wrong-shape", f"a row of {shape} values; resample.size has {sides} sides, so it does not fit")
    pixels = array[..., :3] if colour else array[..., None]
    pixels = pixels[None] if sides == 2 else pixels
    pixels = pixels.astype(np.uint8 if pixels.dtype == bool else pixels.dtype.newbyteorder("="), copy=False)
    grid = Grid.of_pixels(pixels.shape[:3], flat=sides == 2)
    return Scan(pixels, grid, grid)


def row_grid(rows: Rows) -> Grid:
    """The grid of a row: flat for (y, x) and (y, x, colour)."""
    shape = rows.shape[1:]
    colour = shape[-1] in (3, 4) and len(shape) in (3, 4)
    sides = shape[:-1] if colour else shape
    if len(sides) not in (2, 3):
        raise Rejected("wrong-shape", f"a row of {' x '.join(map(str, shape))} values is no image")
    return Grid.of_pixels((1, *sides)[-3:], flat=len(sides) == 2)
