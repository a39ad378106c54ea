"""Where the voxels of a scan lie in the patient."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A regular grid of axial slices, bottom slice first.

    Patient axes as in DICOM (PS3.3 C.7.6.2.1.1): x to the left, y to the back, z to the head.

    Args:
        origin: centre of voxel (0, 0, 0), (x, y, z) in mm.
        spacing: of columns, rows and slices, (x, y, z) in mm.
        shape: voxels (z, y, x).
        facing: 1 if rows and columns run along +x and +y (supine), -1 if against them (prone).
    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    facing: int = 1

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions of columns, rows and slices, mm, float32."""
        lengths = self.shape[::-1]
        steps = (self.facing * self.spacing[0], self.facing * self.spacing[1], self.spacing[2])
        return tuple(
            (start + step * np.arange(n)).astype(np.float32)
            for start, step, n in zip(self.origin, steps, lengths, strict=True)
        )

    def affine(self) -> np.ndarray:
        """(4, 4): voxel index (x, y, z, 1) to RAS position in mm, as NIfTI wants it."""
        steps = (-self.facing * self.spacing[0], -self.facing * self.spacing[1], self.spacing[2])
        affine = np.diag([*steps, 1.0])
        affine[:3, 3] = (-self.origin[0], -self.origin[1], self.origin[2])
        return affine


@dataclass(frozen=True)
class Pose:
    """How the patient lies in the scanner: anatomy is turned about z, then moved.

    Args:
        shift: (x, y, z) in mm.
        roll: radians.
    """

    shift: tuple[float, float, float]
    roll: float

    def to_scanner(self, points: np.ndarray) -> np.ndarray:
        """Anatomical positions (..., 3) where they lie in the scanner, mm."""
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        turned = points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        return turned + np.asarray(self.shift)

    def to_anatomy(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Axes of a grid as anatomical positions that broadcast to (z, y, x): (1, y, x), (1, y, x), (z, 1, 1)."""
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        x, y = (x - np.float32(self.shift[0]))[None, None, :], (y - np.float32(self.shift[1]))[None, :, None]
        return cos * x + sin * y, -sin * x + cos * y, (z - np.float32(self.shift[2]))[:, None, None]
