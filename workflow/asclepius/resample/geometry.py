"""Where a grid of voxels lies in the patient, and how points, boxes and axes move between grids."""

from dataclasses import dataclass, replace

import numpy as np
from nibabel import orientations

from asclepius.errors import Rejected

# Patient axes: x to the left, y to the back, z to the head (DICOM PS3.3 C.7.6.2.1.1, "LPS").
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_PLACE = 0.5  # voxels by which two grids of one size may differ and still be one
ORTHOGONAL = 1e-3  # largest cosine between two axes that count as perpendicular


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels; a flat image is a grid of one slice.

    Args:
        shape: voxels (z, y, x).
        affine: (4, 4), voxel index (x, y, z, 1) to LPS position in mm; index 0 is a voxel's centre.
        scaled: whether the spacing is known in mm.
        located: whether position and direction in the patient are known.
        flat: a two-dimensional image, never turned: its rows are shown as they were taken.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    scaled: bool = True
    located: bool = True
    flat: bool = False

    @classmethod
    def of_pixels(
        cls, shape: tuple[int, int, int], *, flat: bool, spacing: tuple[float, float] | None = None
    ) -> "Grid":
        """A grid that knows nothing of the patient; `spacing` of a flat image is (y, x) in mm."""
        y, x = spacing or (1.0, 1.0)
        return cls(shape, np.diag([x, y, 1.0, 1.0]), scaled=spacing is not None, located=False, flat=flat)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels, (z, y, x), in mm; in pixels when not `scaled`."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def centre(self) -> np.ndarray:
        """LPS position of the middle of the volume, mm."""
        middle = (np.array(self.shape[::-1]) - 1) / 2
        return self.affine[:3, :3] @ middle + self.affine[:3, 3]

    @property
    def corners(self) -> np.ndarray:
        """(4, 3): LPS positions, mm, of the first voxel and of the last along each of the axes x, y, z."""
        ends = np.vstack([np.zeros(3), np.diag(np.array(self.shape[::-1]) - 1)])
        return ends @ self.affine[:3, :3].T + self.affine[:3, 3]

    def check(self) -> None:
        """Refuse a grid that no scanner makes.

        Raises:
            Rejected: reason "geometry".
        """
        columns = self.affine[:3, :3]
        norms = np.linalg.norm(columns, axis=0)
        if not np.isfinite(self.affine).all() or norms.min() <= 0:
            raise Rejected("geometry", "the header's spacing or orientation is not a number or zero; export it again")
        cosines = np.abs((columns / norms).T @ (columns / norms) - np.eye(3))
        if cosines.max() > ORTHOGONAL:
            angle = np.degrees(np.arcsin(min(cosines.max(), 1.0)))
            raise Rejected(
                "geometry", f"the voxel axes are {angle:.1f} degrees off a right angle (sheared); resample it first"
            )


def same_place(first: Grid, second: Grid) -> bool:
    """Whether two grids of one shape are one, written with numbers that differ a little."""
    return bool(np.abs(first.corners - second.corners).max() <= SAME_PLACE * min(first.spacing))


def canonical(pixels: np.ndarray, grid: Grid) -> tuple[np.ndarray, Grid]:
    """Turn a volume so that x runs to the left, y to the back and z to the head, as nearly as its axes allow.

    No interpolation: axes are exchanged and flipped, so DICOM and NIfTI copies of one scan give one array.

    Args:
        pixels: (z, y, x, channel).
    """
    if grid.flat or not grid.located:
        return pixels, grid
    present = orientations.io_orientation(LPS_TO_RAS @ grid.affine)
    turn = orientations.ornt_transform(present, orientations.axcodes2ornt(("L", "P", "S")))
    shape = grid.shape[::-1]
    turned = orientations.apply_orientation(np.moveaxis(pixels, (2, 1, 0), (0, 1, 2)), turn)
    affine = grid.affine @ orientations.inv_ornt_aff(turn, shape)
    pixels = np.moveaxis(turned, (0, 1, 2), (2, 1, 0))
    return pixels, replace(grid, shape=pixels.shape[:3], affine=affine)


def target(grid: Grid, size: list[int], spacing: list[float] | None, fit: str) -> Grid:
    """The stored grid of an image: along the image's own axes, around the middle of its volume.

    Args:
        size: [y, x] or [z, y, x].
        spacing: mm in the same order, or None: the size covers the image ("stretch"), or covers it
            with one factor for all axes ("pad").

    Raises:
        Rejected: "geometry" if a spacing is asked of an image that does not tell its own.
    """
    if spacing is not None and not grid.scaled:
        raise Rejected("geometry", "the image does not tell its spacing; set resample.spacing: null to stretch it")
    free = slice(1, None) if grid.flat else slice(None)
    shape = np.array(grid.shape)
    shape[free] = size
    steps = np.array(grid.spacing)
    if spacing is not None:
        steps[free] = spacing
    else:
        covering = steps * grid.shape / shape
        steps[free] = covering[free] if fit == "stretch" else covering[free].max()
    if np.array_equal(shape, grid.shape) and np.allclose(steps, grid.spacing, rtol=1e-6, atol=0):
        return grid
    axes = grid.affine[:3, :3] / np.array(grid.spacing)[::-1]
    affine = np.eye(4)
    affine[:3, :3] = axes * steps[::-1]
    affine[:3, 3] = grid.centre - affine[:3, :3] @ ((shape[::-1] - 1) / 2)
    return replace(grid, shape=tuple(int(n) for n in shape), affine=affine)


def between(destination: Grid, source: Grid) -> np.ndarray:
    """(4, 4): voxel index (x, y, z) of the destination to voxel index of the source."""
    return np.linalg.inv(source.affine) @ destination.affine


def move_boxes(boxes: list[list[float]], source: Grid, destination: Grid) -> list[list[int]]:
    """Boxes of one grid in voxels of another.

    Args:
        boxes: [x0, y0, z0, x1, y1, z1], upper end exclusive, so a box's faces lie half a voxel off its centres.

    Returns:
        Boxes of the same kind, at least one voxel wide; they hold the voxels whose centres lie inside, as a
        mask resampled by nearest neighbour does. A box is cut off at the grid's border, and dropped if wholly outside.
    """
    mapping = between(source, destination)
    limit = np.array(destination.shape[::-1])
    moved = []
    for box in boxes:
        faces = np.array(box, dtype=float).reshape(2, 3)
        corners = np.array([[faces[i, 0], faces[j, 1], faces[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        corners = (corners - 0.5) @ mapping[:3, :3].T + mapping[:3, 3] + 0.5
        low, high = corners.min(axis=0), corners.max(axis=0)
        if (high <= 0).any() or (low >= limit).any():
            continue
        first = np.ceil(low - 0.5 - 1e-6)
        last = np.ceil(high - 0.5 - 1e-6)
        thin = last <= first
        first[thin] = np.floor(((low + high) / 2)[thin])
        last[thin] = first[thin] + 1
        first, last = np.clip(first, 0, limit - 1), np.clip(last, 1, limit)
        moved.append([int(value) for value in (*first, *last)])
    return moved
