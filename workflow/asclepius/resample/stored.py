"""One scan as it is stored: on the study's grid, in the study's type, with its row of the index."""

import json
from dataclasses import dataclass

import numpy as np

from asclepius.resample.bias import corrected
from asclepius.resample.foreground import crop, foreground
from asclepius.resample.geometry import Grid, canonical, move_boxes, same_place, target
from asclepius.resample.interpolate import resample, resample_mask
from asclepius.resample.scan import Scan, content, finite, with_channels
from asclepius.resample.settings import ResampleSettings

FEW = 12  # classes of a mask that are looked for one by one instead of counted
COUNTED = 1 << 17  # values at a time: they stay in the cache


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
    scan: Scan, mask: Scan | None, boxes: list[list[float]], settings: ResampleSettings, modality: str | None
) -> Stored:
    """Resample an image, its mask and its boxes to the study's grid.

    Args:
        boxes: in voxels of `scan.boxes_grid`.

    Raises:
        Rejected: the image has no spacing where one is needed, or other channels than the study.
    """
    fill = fill_value(settings, modality)
    scan = finite(scan, fill)
    notes = list(scan.notes)
    record = {
        "content": content(scan),
        "original_shape": _shape(scan.grid),
        "original_spacing": _spacing(scan.grid),
    }
    pixels, whole = canonical(scan.pixels, scan.grid)
    kept, grid = pixels, whole
    box = foreground(pixels, modality) if settings.crop == "foreground" else None
    if box is not None:
        kept, grid = crop(pixels, whole, box)
    elif settings.crop == "foreground":
        notes.append("no foreground found; not cropped")
    goal = target(grid, settings.size, settings.spacing, settings.fit)
    colours = 1 if settings.channels == 1 else kept.shape[-1]
    kept = with_channels(kept, colours)
    if settings.bias_field == "n4":
        kept, note = corrected(kept, grid)
        notes += [note] if note else []
    values = resample(kept, grid, goal, settings.interpolation, fill, settings.thick_slices)
    array, clipped = as_type(with_channels(values, settings.channels), np.dtype(settings.dtype))
    if clipped:
        notes.append(f"{clipped} values clipped to {settings.dtype}")
    labels = None
    if mask is not None:
        labels, lost = _mask_on(goal, whole, scan.grid, mask, settings.mask_interpolation)
        notes += [note for note in mask.notes if note not in notes] + lost
    moved = move_boxes(boxes, scan.boxes_grid, goal)
    if len(moved) < len(boxes):
        notes.append(f"{len(boxes) - len(moved)} of {len(boxes)} boxes lie outside the stored grid")
    record |= {
        "boxes": json.dumps(moved) if boxes else None,
        "crop": None if box is None else json.dumps(_corners_of(box)),
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
    if rounded.min() >= limits.min and rounded.max() <= limits.max:
        return rounded.astype(dtype), 0
    clipped = int(((rounded < limits.min) | (rounded > limits.max)).sum())
    return np.clip(rounded, limits.min, limits.max).astype(dtype), clipped


def statistics(array: np.ndarray) -> dict[str, float]:
    """Intensity of the stored array, all channels together; `at_maximum` is the share of its highest value.

    Whole numbers are counted value by value: exact percentiles in one pass, without sorting.
    """
    low, high = array.min(), array.max()
    if array.dtype.kind == "f" or array.size < int(high) - int(low):
        p01, p99 = np.percentile(array, (1, 99))
        mean, std = array.mean(dtype=np.float64), array.std(dtype=np.float64)
        at_maximum = (array == high).mean()
    else:
        flat, counts = array.reshape(-1), np.zeros(int(high) - int(low) + 1, dtype=np.intp)
        for start in range(0, len(flat), COUNTED):
            part = np.subtract(flat[start : start + COUNTED], low, dtype=np.intp)
            counts += np.bincount(part, minlength=len(counts))
        values = np.arange(len(counts)) + float(low)
        mean = counts @ values / array.size
        std = np.sqrt(counts @ (values - mean) ** 2 / array.size)
        p01, p99 = (_percentile(counts, share) + float(low) for share in (0.01, 0.99))
        at_maximum = counts[-1] / array.size
    found = {"minimum": low, "maximum": high, "mean": mean, "std": std, "p01": p01, "p99": p99}
    return {name: float(value) for name, value in (found | {"at_maximum": at_maximum}).items()}


def _percentile(counts: np.ndarray, share: float) -> float:
    """Place between the ordered values 0, 1, ... of given counts, linear as in numpy.percentile."""
    upto = np.cumsum(counts)
    place = share * (upto[-1] - 1)
    below, above = np.searchsorted(upto, [np.floor(place), np.ceil(place)], side="right")
    return below + (above - below) * (place % 1)


def _mask_on(goal: Grid, whole: Grid, original: Grid, mask: Scan, method: str) -> tuple[np.ndarray | None, list[str]]:
    """The mask on the stored grid, (z, y, x, 1), and what was lost; None if nothing tells where it lies."""
    if mask.grid.located and original.located:
        labels, place = canonical(mask.pixels, mask.grid)
        if place.shape == whole.shape and same_place(place, whole):
            place = whole
    elif mask.grid.shape == original.shape:
        labels, place = canonical(mask.pixels, original)
    else:
        return None, ["mask left out: its size is not the image's"]
    if place is goal:
        return labels, []
    found = resample_mask(labels[..., 0], place, goal, method)[..., None]
    lost = set(_classes(labels)) - set(_classes(found))
    names = ", ".join(map(str, sorted(lost)))
    return found, [f"mask class{'es' if len(lost) > 1 else ''} {names} lost on the stored grid"] if lost else []


def _classes(labels: np.ndarray) -> list[int]:
    highest = int(labels.max())
    if highest > FEW:
        return [number for number in np.flatnonzero(np.bincount(labels.ravel())).tolist() if number]
    held = labels.tobytes()
    return [number for number in range(1, highest + 1) if bytes([number]) in held]  # stops at the first


def _corners_of(box: tuple[slice, slice, slice]) -> list[int]:
    return [*(span.start for span in box[::-1]), *(span.stop for span in box[::-1])]


def _shape(grid: Grid) -> str:
    return json.dumps(list(grid.shape[grid.flat :]))


def _spacing(grid: Grid) -> str | None:
    return json.dumps([round(step, 6) for step in grid.spacing[grid.flat :]]) if grid.scaled else None
