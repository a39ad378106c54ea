"""One scan as it is stored: on the study's grid, in the study's type, with its row of the index."""

import json
from dataclasses import dataclass

import numpy as np

from asclepius.resample.geometry import Grid, canonical, move_boxes, target
from asclepius.resample.interpolate import resample, resample_mask
from asclepius.resample.scan import Scan, content, finite, with_channels
from asclepius.resample.settings import ResampleSettings

# Masks lie on their image's grid if both are pictures of one size, or if both know their place in the patient.
SAME_PLACE = 0.5  # voxels by which two grids of one size may differ and still be one


@dataclass(eq=False)
class Stored:
    """Args:
    array: (y, x, channel) or (z, y, x, channel) of the study's type.
    mask: uint8 of the same shape with one channel, or None.
    record: the row of resample/index, but for image, shard and rows.
    """

    array: np.ndarray
    mask: np.ndarray | None
    record: dict


def fill_value(settings: ResampleSettings, modality: str | None) -> float:
    """What stands outside an image: air in CT."""
    if settings.fill is not None:
        return settings.fill
    return -1000.0 if modality == "CT" else 0.0


def to_stored(
    scan: Scan, mask: Scan | None, boxes: list[list[float]], settings: ResampleSettings, fill: float
) -> Stored:
    """Resample an image, its mask and its boxes to the study's grid.

    Args:
        boxes: in voxels of `scan.boxes_grid`.

    Raises:
        Rejected: the image has no spacing where one is needed.
    """
    scan = finite(scan, fill)
    notes = list(scan.notes)
    record = {
        "content": content(scan),
        "original_shape": _shape(scan.grid),
        "original_spacing": _spacing(scan.grid),
    }
    pixels, grid = canonical(scan.pixels, scan.grid)
    goal = target(grid, settings.size, settings.spacing, settings.fit)
    pixels = with_channels(pixels, 1 if settings.channels == 1 else pixels.shape[-1])
    values = resample(pixels, grid, goal, settings.interpolation, fill)
    array, clipped = as_type(with_channels(values, settings.channels), np.dtype(settings.dtype))
    if clipped:
        notes.append(f"{clipped} values clipped to {settings.dtype}")
    labels = None
    if mask is not None:
        labels = _mask_on(goal, grid, scan.grid, mask)
        if labels is None:
            notes.append("mask left out: its size is not the image's")
    moved = move_boxes(boxes, scan.boxes_grid, goal)
    record |= {
        "boxes": json.dumps(moved) if boxes else None,
        "shape": _shape(goal),
        "spacing": _spacing(goal),
        **statistics(array),
        "note": "; ".join(notes) or None,
    }
    if goal.flat:
        array = array[0]
        labels = None if labels is None else labels[0]
    return Stored(array, labels, record)


def as_type(values: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """Values rounded and clipped to a type, and how many had to be clipped."""
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype, copy=False), 0
    limits = np.iinfo(dtype)
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    clipped = int(((rounded < limits.min) | (rounded > limits.max)).sum())
    return np.clip(rounded, limits.min, limits.max).astype(dtype), clipped


def statistics(array: np.ndarray) -> dict[str, float]:
    """Intensity of the stored array, all channels together; `at_maximum` is the share of its highest value."""
    low, high = np.percentile(array, (1, 99))
    maximum = array.max()
    return {
        "minimum": float(array.min()),
        "maximum": float(maximum),
        "mean": float(array.mean(dtype=np.float64)),
        "std": float(array.std(dtype=np.float64)),
        "p01": float(low),
        "p99": float(high),
        "at_maximum": float((array == maximum).mean()),
    }


def _mask_on(goal: Grid, grid: Grid, original: Grid, mask: Scan) -> np.ndarray | None:
    """The mask on the stored grid, (z, y, x, 1); None if nothing tells where it lies."""
    if mask.grid.located and original.located:
        labels, place = canonical(mask.pixels, mask.grid)
        if place.shape == grid.shape and np.allclose(
            _corners(place), _corners(grid), atol=SAME_PLACE * min(grid.spacing)
        ):
            place = grid  # one grid, written with rounded numbers
    elif mask.grid.shape == original.shape:
        labels, place = mask.pixels, original
        labels, place = canonical(labels, place)
    else:
        return None
    if place is goal:
        return labels
    return resample_mask(labels[..., 0], place, goal)[..., None]


def _corners(grid: Grid) -> np.ndarray:
    last = np.array(grid.shape[::-1]) - 1
    ends = np.array([[0, 0, 0], last, [last[0], 0, 0], [0, last[1], 0]])
    return ends @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def _shape(grid: Grid) -> str:
    return json.dumps(list(grid.shape[grid.flat :]))


def _spacing(grid: Grid) -> str | None:
    return json.dumps([round(step, 6) for step in grid.spacing[grid.flat :]]) if grid.scaled else None
