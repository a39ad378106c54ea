"""From slices as they were acquired to a regular grid: sheared, unevenly spaced and missing ones.

Every slice keeps its own plane. Within it a slice is only moved by parts of a pixel (linear interpolation); between
planes values are interpolated linearly from the true positions. So nothing is bent, and a linear field stays linear.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asclepius.resample.geometry import Grid

ON_PLANE = 1e-3  # voxels; nearer to a slice than this, the slice is taken as it is


@dataclass(frozen=True, eq=False)
class Planes:
    """Args:
    grid: regular and right-angled; x, y along the slices' rows and columns, z along their normal.
    shape: pixels (y, x) of a slice.
    places: (slices,), z of each slice in voxels of the grid, ascending.
    shifts: (slices, 2), (y, x) of each slice's first pixel in voxels of the grid; zero unless sheared.
    counted: (slices,), z by which the manifest's boxes count the slices.
    """

    grid: Grid
    shape: tuple[int, int]
    places: np.ndarray
    shifts: np.ndarray
    counted: np.ndarray

    @classmethod
    def of(cls, grid: Grid) -> "Planes":
        """The slices of a grid that is regular already."""
        number = np.arange(grid.shape[0], dtype=float)
        return cls(grid, grid.shape[1:], number, np.zeros((len(number), 2)), number)

    @property
    def regular(self) -> bool:
        """Whether slices are the grid's own."""
        return np.array_equal(self.places, np.arange(self.grid.shape[0])) and not self.shifts.any()

    @property
    def origins(self) -> np.ndarray:
        """(slices, 3), LPS of each slice's first pixel, mm."""
        index = np.column_stack([self.shifts[:, ::-1], self.places])
        return index @ self.grid.affine[:3, :3].T + self.grid.affine[:3, 3]

    def nearest(self, z: float) -> tuple[int, float]:
        """The slice next to a place (z, in voxels of the grid), and how far off, in distances to its neighbour."""
        number = int(np.abs(self.places - z).argmin())
        gaps = np.diff(self.places)[max(number - 1, 0) : number + 1]
        return number, abs(z - self.places[number]) / (gaps.max() if len(gaps) else 1.0)

    def put(self, slices: Callable[[int], np.ndarray], fill: float, *, labels: bool = False) -> np.ndarray:
        """Slices on the grid.

        Args:
            slices: gives (y, x, channel) of a slice by its number in `places`; asked for each once, in ascending order.
            fill: where no slice reaches.
            labels: take the nearest value, never one in between.

        Returns:
            (z, y, x, channel) in a type that holds all slices; whole numbers stay whole.
        """
        stack = _Stack(self.grid.shape, fill if self.shifts.any() else None)
        near: dict[int, np.ndarray] = {}

        def plane(number: int) -> np.ndarray:
            if number not in near:
                for old in [old for old in near if old < number - 1]:
                    del near[old]
                near[number] = self._moved(stack.known(slices(number)), self.shifts[number], fill, labels)
            return near[number]

        for z in range(self.grid.shape[0]):
            above = min(int(np.searchsorted(self.places, z)), len(self.places) - 1)
            below = max(above - 1, 0)
            gap = self.places[above] - self.places[below]
            weight = float(np.clip((z - self.places[below]) / gap, 0, 1)) if gap else 0.0
            if labels:
                weight = float(weight > 0.5)
            if weight * gap < ON_PLANE:
                stack.add(z, plane(below))
            elif (1 - weight) * gap < ON_PLANE:
                stack.add(z, plane(above))
            else:
                stack.add(z, plane(below) * np.float32(1 - weight) + plane(above) * np.float32(weight))
        return stack.array

    def _moved(self, plane: np.ndarray, shift: np.ndarray, fill: float, labels: bool) -> np.ndarray:
        """A slice on the grid's rows and columns."""
        for axis in (0, 1):
            count = self.grid.shape[1 + axis]
            if shift[axis] == 0 and plane.shape[axis] == count:
                continue
            at = np.arange(count) - shift[axis]
            outside = (at < -0.5) | (at >= plane.shape[axis] - 0.5)
            low = np.floor(at + 0.5 * labels).astype(int)
            weight = (at - low).astype(np.float32)
            weight = weight.reshape(-1, *(1,) * (plane.ndim - 1 - axis))
            first, second = (np.clip(index, 0, plane.shape[axis] - 1) for index in (low, low + 1))
            if labels or not weight.any():
                plane = plane.take(first, axis)
            else:
                plane = plane.take(first, axis) * (1 - weight) + plane.take(second, axis) * weight
            if outside.any():
                kind = plane.dtype if plane.dtype.kind == "f" else np.result_type(plane, np.min_scalar_type(int(fill)))
                plane = plane.astype(kind, copy=False)
                plane[(slice(None),) * axis + (outside,)] = fill
        return plane

    def boxes(self, boxes: list[list[float]]) -> list[list[float]]:
        """Boxes of the source in voxels of the grid: the smallest that hold each slice's part.

        Args:
            boxes: [x0, y0, z0, x1, y1, z1], upper end exclusive; z as `counted`, x and y in pixels of a slice.
        """
        if self.regular:
            return boxes
        middle = (self.places[1:] + self.places[:-1]) / 2
        ends = self.places[[0, -1]] + np.diff(self.places)[[0, -1]] * (-0.5, 0.5)
        faces = np.concatenate([ends[:1], middle, ends[1:]]) + 0.5
        halves = (self.counted[1:] + self.counted[:-1]) / 2
        numbers = np.concatenate([self.counted[:1] - 0.5, halves, self.counted[-1:] + 0.5]) + 0.5
        found = []
        for x0, y0, z0, x1, y1, z1 in boxes:
            inside = np.unique(np.clip([np.floor(z0), *np.arange(np.ceil(z0), z1), np.ceil(z1) - 1], *self._limits))
            y, x = (np.interp(inside, self.counted, self.shifts[:, axis]) for axis in (0, 1))
            low, high = np.interp([z0, z1], numbers, faces)
            found.append([x0 + x.min(), y0 + y.min(), low, x1 + x.max(), y1 + y.max(), high])
        return found

    @property
    def _limits(self) -> tuple[float, float]:
        return self.counted[0], self.counted[-1]


class _Stack:
    """A volume that is filled plane by plane, in the smallest type that holds the slices seen so far."""

    def __init__(self, shape: tuple[int, int, int], fill: float | None):
        self._shape = shape
        self._kinds = set() if fill is None else {np.min_scalar_type(int(fill))}
        self._kind: np.dtype | None = None
        self.array = np.empty(0)

    def known(self, plane: np.ndarray) -> np.ndarray:
        """The plane itself; its type is one that the volume must hold."""
        if self._kind is None or plane.dtype not in self._kinds:
            self._kinds.add(plane.dtype)
            self._kind = np.result_type(*self._kinds)
        return plane

    def add(self, z: int, plane: np.ndarray) -> None:
        if self.array.ndim == 1:
            self.array = np.empty((*self._shape, plane.shape[-1]), self._kind)
        elif self.array.dtype != self._kind:
            self.array = self.array.astype(self._kind)
        self.array[z] = np.rint(plane) if self._kind.kind in "iu" and plane.dtype.kind == "f" else plane
