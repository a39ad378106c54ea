"""Lung vessels: trees of thin tubes that look like nodules where they cross a slice."""

import numpy as np

from asclepius.phantom.anatomy import BLOOD, Chest
from asclepius.phantom.grid import Grid, Pose

GENERATIONS = 6
ROOT_RADIUS, ROOT_LENGTH = 2.7, 24.0  # mm
SUBSLICES = 3  # positions per slice over which a tube is averaged


def tree(rng: np.random.Generator, chest: Chest) -> np.ndarray:
    """Segments of both lungs' vessels, (n, 7): start (x, y, z), end (x, y, z), radius, in mm.

    Radii shrink by 2^(-1/3) at each fork (Murray 1926); a branch that would leave the lung ends.
    """
    segments = []
    for side in (-1, 1):
        start = np.array([side * 27.0, 2.0, 0.0]) + rng.normal(0, 3, (4, 3))
        away = np.array([[side, -0.5, 0.7], [side, 0.6, 0.6], [side, -0.5, -0.6], [side, 0.5, -0.8]])
        heading = _unit(away + rng.normal(0, 0.2, (4, 3)))
        radius, length = ROOT_RADIUS, ROOT_LENGTH
        for generation in range(GENERATIONS):
            stretch = length * rng.uniform(0.75, 1.25, (len(start), 1))
            end = start + heading * stretch
            inside = chest.lung_distance(*end.T) < -2
            if generation < 2:
                inside |= np.abs(end[:, 0]) < 70
            start, end, heading = start[inside], end[inside], heading[inside]
            segments.append(np.column_stack([start, end, np.full(len(end), radius)]))
            aside = _unit(np.cross(heading, rng.normal(size=heading.shape)))
            spread = rng.uniform(0.35, 0.8, (len(end), 1))
            heading = _unit(np.concatenate([heading + spread * aside, heading - spread * aside]))
            start = np.concatenate([end, end])
            radius *= 2 ** (-1 / 3)
            length *= 0.84
    return np.concatenate(segments)


def cover(segments: np.ndarray, grid: Grid, pose: Pose) -> np.ndarray:
    """How much of each voxel vessels fill, (z, y, x) float32, 0 to 1."""
    filled = np.zeros(grid.shape, dtype=np.float32)
    axes = grid.axes()
    ends = np.stack([pose.to_scanner(segments[:, :3]), pose.to_scanner(segments[:, 3:6])], axis=1).astype(np.float32)
    edge = grid.spacing[0]
    offsets = ((np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5) * grid.spacing[2]
    margins = segments[:, 6, None] + np.array([edge, edge, grid.spacing[2] / 2])
    lows, highs = ends.min(axis=1) - margins, ends.max(axis=1) + margins
    windows = [_windows(axis, lows[:, i], highs[:, i]) for i, axis in enumerate(axes)]
    for number, (radius, start, way) in enumerate(
        zip(segments[:, 6].astype(np.float32), ends[:, 0], ends[:, 1] - ends[:, 0], strict=True)
    ):
        (x0, x1), (y0, y1), (z0, z1) = (window[number] for window in windows)
        if x0 >= x1 or y0 >= y1 or z0 >= z1:
            continue
        x = (axes[0][x0:x1] - start[0])[None, None, None, :]
        y = (axes[1][y0:y1] - start[1])[None, None, :, None]
        z = (axes[2][z0:z1, None] + offsets.astype(np.float32) - start[2])[:, :, None, None]
        along = np.clip((x * way[0] + y * way[1] + z * way[2]) / (way @ way), 0, 1)
        square = (x - along * way[0]) ** 2 + (y - along * way[1]) ** 2 + (z - along * way[2]) ** 2
        # A tube thinner than a pixel fills it in part even at its axis.
        part = np.clip(0.5 + (radius - np.sqrt(square)) / edge, 0, min(1.0, 2 * radius / edge)).mean(axis=1)
        here = filled[z0:z1, y0:y1, x0:x1]
        np.maximum(here, part, out=here)
    return filled


def paint(hu: np.ndarray, lung: np.ndarray, filled: np.ndarray) -> None:
    """Put vessels into the lungs, in place."""
    hu += (np.float32(BLOOD) - hu) * filled * lung


def _windows(axis: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """First and one past the last index of an axis (rising or falling) between bounds, (n, 2)."""
    step, last = axis[1] - axis[0], len(axis)
    ends = np.sort(np.stack([(low - axis[0]) / step, (high - axis[0]) / step], axis=1), axis=1)
    return np.clip(np.stack([np.ceil(ends[:, 0]), np.floor(ends[:, 1]) + 1], axis=1), 0, last).astype(int)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
