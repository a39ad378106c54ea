"""Values of one grid at the voxels of another, smoothed first where the grid gets coarser."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import find_objects
from scipy.sparse import csr_array

from asclepius.resample.axes import EDGE, Axis, axis, part
from asclepius.resample.geometry import Grid, between

THICK = 3.0  # ratio to the finest spacing from which on slices count as thick: nnU-Net, Nature Methods 18, 203 (2021)
PART = 1 << 20  # values worked on at a time: they stay in the cache
PARALLEL = 1e-3  # voxels by which axes may part company along the whole of a grid and still run alike
METHODS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}


def resample(
    pixels: np.ndarray, source: Grid, destination: Grid, method: str, fill: float, thick: str = "same"
) -> np.ndarray:
    """An image on another grid.

    Args:
        pixels: (z, y, x, channel).
        destination: a grid along the axes of `source`; along others only "linear" and "nearest" are known.
        method: "linear", "bspline" (cubic) or "nearest".
        fill: value outside the image.
        thick: method across slices more than 3 times as thick as the finest axis; "same" is `method`.

    Returns:
        float32 of the destination's shape; `pixels` itself, values and type untouched, if the grids are one.
    """
    if destination is source:
        return pixels
    axes = _axes(source, destination, method, method if thick == "same" else thick)
    out = np.full((*destination.shape, pixels.shape[-1]), fill, dtype=np.float32)
    for channel in range(pixels.shape[-1]):
        if axes is None:
            out[..., channel] = _warp(pixels[..., channel], source, destination, method, fill)
        else:
            separable(pixels[..., channel], [one.weights for one in axes], out[..., channel][_inside(axes)])
    return out


def resample_mask(labels: np.ndarray, source: Grid, destination: Grid, method: str) -> np.ndarray:
    """A mask on another grid; no class appears that was not there.

    Args:
        labels: (z, y, x), uint8.
        method: "nearest", or "linear": every class is interpolated for itself as a map of 0 and 1, and each
            voxel takes the class that is highest there, which keeps borders smooth on a finer grid.

    Returns:
        uint8 of the destination's shape; 0 outside the mask.
    """
    axes = _axes(source, destination, method, method)
    if method == "linear":
        return _vote(labels, source, destination, axes)
    if axes is None:
        return _warp(labels, source, destination, method, 0).astype(np.uint8)
    z, y, x = (
        np.arange(old) if one.weights is None else one.weights.indices
        for one, old in zip(axes, labels.shape, strict=True)
    )
    out = np.zeros(destination.shape, dtype=np.uint8)
    places = y[:, None] * labels.shape[2] + x  # within a plane
    for plane, number in zip(out[_inside(axes)], z, strict=True):
        plane[...] = np.ravel(labels[number]).take(places)
    return out


def _vote(labels: np.ndarray, source: Grid, destination: Grid, axes: tuple[Axis, ...] | None) -> np.ndarray:
    # Memory: two float32 maps, whatever the number of classes; a class is interpolated only where it is.
    best = np.zeros(destination.shape, dtype=np.float32)
    total = np.zeros(destination.shape, dtype=np.float32)
    winner = np.zeros(destination.shape, dtype=np.uint8)
    for number, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        if axes is None:
            here = (slice(None),) * 3
            share = _warp((labels == number).astype(np.uint8), source, destination, "linear", 0)
        else:
            parts = [part(one, span) for one, span in zip(axes, box, strict=True)]
            here = _inside(parts)
            share = np.empty(best[here].shape, dtype=np.float32)
            separable(labels[box] == number, [one.weights for one in parts], share)
        total[here] += share
        higher = share > best[here]
        best[here][higher] = share[higher]
        winner[here][higher] = number
    winner[best < 1 - total - EDGE] = 0
    return winner


def _inside(axes: Sequence[Axis]) -> tuple[slice, ...]:
    return tuple(one.inside for one in axes)


def separable(values: np.ndarray, weights: Sequence[csr_array | None], out: np.ndarray) -> None:
    """Interpolate along z, y and x, a few planes at a time: no copy larger than `out` is made.

    Args:
        values: (z, y, x), any type.
        weights: per axis, (new, old); None leaves the axis as it is.
        out: float32 (z, y, x) of the new shape, filled here.
    """
    if not out.size:
        return
    first, second, third = weights
    if first is not None and first.shape[0] > first.shape[1] and (second is not None or third is not None):
        # Thick slices: their planes are resampled before there are more of them.
        planes = np.empty((len(values), *out.shape[1:]), dtype=np.float32)
        separable(values, (None, second, third), planes)
        separable(planes, (first, None, None), out)
        return
    _, height, width = values.shape
    step = max(1, PART // (4 * height * width))
    for start in range(0, len(out), step):
        stop = min(start + step, len(out))
        if first is None:
            block = np.ascontiguousarray(values[start:stop], dtype=np.float32)
        else:
            rows = first[start:stop]
            low, high = rows.indices.min(), rows.indices.max() + 1
            planes = np.ascontiguousarray(values[low:high], dtype=np.float32)
            block = (rows[:, low:high] @ planes.reshape(high - low, -1)).reshape(-1, height, width)
        if second is not None:
            block = second @ block.transpose(1, 0, 2).reshape(height, -1)
            block = block.reshape(len(block), -1, width).transpose(1, 0, 2)
        if third is not None:
            block = third @ block.transpose(2, 1, 0).reshape(width, -1)
            block = block.reshape(len(block), -1, stop - start).transpose(2, 1, 0)
        out[start:stop] = block


def _axes(source: Grid, destination: Grid, method: str, across: str) -> tuple[Axis, ...] | None:
    """Interpolation per axis (z, y, x); None if the axes of the grids do not run alike."""
    mapping = between(destination, source)
    steps = np.diag(mapping)[:3]
    turned = np.abs(mapping[:3, :3] - np.diag(steps)) * destination.shape[::-1]
    if turned.max() > PARALLEL:
        return None
    thick = np.array(source.spacing) > THICK * min(source.spacing)
    methods = [across if slices and not source.flat else method for slices in thick]
    # Rounded, so that images of one kind share their matrices whatever the noise of the last digits.
    starts, steps = np.round(mapping[2::-1, 3], 9).tolist(), np.round(steps[::-1], 12).tolist()
    return tuple(map(axis, source.shape, destination.shape, starts, steps, methods))


def _warp(values: np.ndarray, source: Grid, destination: Grid, method: str, fill: float) -> np.ndarray:
    # All geometry is in the mapping (voxel to voxel), so SimpleITK sees unit grids at the origin and any affine serves.
    mapping = between(destination, source)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(mapping[:3, :3].ravel().tolist())
    transform.SetTranslation(mapping[:3, 3].tolist())
    warped = sitk.Resample(
        sitk.GetImageFromArray(np.ascontiguousarray(values)),
        [int(n) for n in destination.shape[::-1]],
        transform,
        METHODS[method],
        [0.0] * 3,
        [1.0] * 3,
        np.eye(3).ravel().tolist(),
        float(fill),
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(warped)
