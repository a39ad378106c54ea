"""Where the body or the head is in an image: the box that cropping keeps."""

import numpy as np
from scipy.ndimage import find_objects, label

from asclepius.resample.geometry import Grid

TISSUE = -500.0  # HU, half way between air and water
FINEST = 96  # samples along an axis that are looked at
BINS = 256


def foreground(pixels: np.ndarray, modality: str | None) -> tuple[slice, slice, slice] | None:
    """The box around the largest connected part brighter than its surroundings; None if there is none.

    Brighter than air in CT; else brighter than Otsu's threshold (IEEE Transactions on Systems, Man, and
    Cybernetics 9, 1979), which expects a dark background. Every n-th voxel is looked at, and n voxels are left
    as a margin, so that the box holds the part whole.

    Args:
        pixels: (z, y, x, channel); the mean of the channels counts.
    """
    steps = [-(-side // FINEST) for side in pixels.shape[:3]]
    coarse = pixels[tuple(slice(step // 2, None, step) for step in steps)].mean(axis=-1, dtype=np.float32)
    threshold = TISSUE if modality == "CT" else otsu(coarse)
    parts, count = label(coarse > threshold)
    if not count:
        return None
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    box = find_objects(parts, largest)[largest - 1]
    return tuple(
        slice(max(0, (span.start - 1) * step + step // 2), min(side, span.stop * step + step // 2 + 1))
        for span, step, side in zip(box, steps, pixels.shape[:3], strict=True)
    )


def otsu(values: np.ndarray) -> float:
    """The threshold that parts values into the two classes of least variance; the highest value if all are one."""
    counts, edges = np.histogram(values, bins=BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    total = np.cumsum(counts * centres)
    means = total[:-1] / np.maximum(below, 1), (total[-1] - total[:-1]) / np.maximum(above, 1)
    between = below * above * (means[0] - means[1]) ** 2
    return float(edges[1 + between.argmax()]) if between.any() and values.min() < values.max() else float(values.max())


def crop(pixels: np.ndarray, grid: Grid, box: tuple[slice, slice, slice]) -> tuple[np.ndarray, Grid]:
    """The part of an image in a box of its voxels; the part keeps its place in the patient."""
    pixels = pixels[box]
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [span.start for span in box[::-1]]
    return pixels, Grid(pixels.shape[:3], affine, grid.scaled, grid.located, grid.flat)
