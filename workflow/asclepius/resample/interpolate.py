"""Values of one grid at the voxels of another (SimpleITK), smoothed first where the grid gets coarser."""

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter1d

from asclepius.resample.geometry import Grid, between

METHODS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline, "nearest": sitk.sitkNearestNeighbor}
COARSER = 1.5  # from this factor on, detail finer than the new grid would alias
FWHM = 2 * np.sqrt(2 * np.log(2))


def resample(pixels: np.ndarray, source: Grid, destination: Grid, method: str, fill: float) -> np.ndarray:
    """An image on another grid.

    Args:
        pixels: (z, y, x, channel).
        method: "linear", "bspline" (cubic) or "nearest".
        fill: value outside the image.

    Returns:
        float32 of the destination's shape; `pixels` itself, values and type untouched, if the grids are one.
    """
    if destination is source:
        return pixels
    mapping = between(destination, source)
    channels = []
    for channel in range(pixels.shape[-1]):
        plane = np.ascontiguousarray(pixels[..., channel])
        if method != "nearest":
            plane = smooth(plane.astype(np.float32, copy=False), np.linalg.norm(mapping[:3, :3], axis=0)[::-1])
        channels.append(_warp(plane, mapping, destination, method, fill))
    return np.stack(channels, axis=-1)


def resample_mask(labels: np.ndarray, source: Grid, destination: Grid) -> np.ndarray:
    """A mask on another grid by nearest neighbour: no class appears that was not there.

    Args:
        labels: (z, y, x), whole numbers.

    Returns:
        Array of the destination's shape and the type of `labels`; 0 outside the mask.
    """
    warped = _warp(labels, between(destination, source), destination, "nearest", 0)
    return warped.astype(labels.dtype)


def smooth(values: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Gaussian whose width makes up for coarser voxels, along the axes that shrink more than 1.5 times.

    Cardoso et al., "Scale factor point spread function matching", MICCAI 2015: a voxel's point spread has the
    voxel's size as full width at half maximum; variances add.

    Args:
        values: float32 (z, y, x).
        factors: new spacing / old spacing per axis.
    """
    for axis, factor in enumerate(factors):
        if factor > COARSER and values.shape[axis] > 1:
            values = gaussian_filter1d(values, np.sqrt(factor**2 - 1) / FWHM, axis=axis, mode="nearest")
    return values


def _warp(values: np.ndarray, mapping: np.ndarray, destination: Grid, method: str, fill: float) -> np.ndarray:
    # All geometry is in `mapping` (voxel to voxel), so SimpleITK sees unit grids at the origin and any affine serves.
    flat = values.shape[0] == 1 and destination.shape[0] == 1 and destination.flat
    dimensions = 2 if flat else 3
    transform = sitk.AffineTransform(dimensions)
    transform.SetMatrix(mapping[:dimensions, :dimensions].ravel().tolist())
    transform.SetTranslation(mapping[:dimensions, 3].tolist())
    image = sitk.GetImageFromArray(values[0] if flat else values)
    warped = sitk.Resample(
        image,
        [int(n) for n in destination.shape[::-1][:dimensions]],
        transform,
        METHODS[method],
        [0.0] * dimensions,
        [1.0] * dimensions,
        np.eye(dimensions).ravel().tolist(),
        float(fill),
        sitk.sitkFloat32,
    )
    array = sitk.GetArrayFromImage(warped)
    return array[None] if flat else array
