"""One image as it was read: pixels, where they lie, what was repaired."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from asclepius.errors import Rejected
from asclepius.resample.geometry import Grid
from asclepius.resample.planes import Planes

# ITU-R BT.601, as in the L mode of common image software.
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(eq=False)
class Scan:
    """Args:
    pixels: (z, y, x, channel) with 1 or 3 channels: HU for CT, rescaled or raw values otherwise.
    grid: of `pixels`.
    boxes_grid: the grid in which the manifest's boxes count voxels; `grid` unless axes were turned.
    notes: what was repaired, one sentence each.
    planes: the slices before they were put on the grid, where there were slices.
    """

    pixels: np.ndarray
    grid: Grid
    boxes_grid: Grid
    notes: list[str] = field(default_factory=list)
    planes: Planes | None = None


def content(scan: Scan) -> str:
    """SHA-256 of shape and values: equal for copies of one image, whatever integer type held them."""
    kind = np.dtype("<f4")
    if scan.pixels.dtype.kind in "iu":
        low, high = int(scan.pixels.min()), int(scan.pixels.max())
        kind = np.dtype(next(t for t in ("<i2", "<i4", "<i8") if np.iinfo(t).min <= low and high <= np.iinfo(t).max))
    state = hashlib.sha256(json.dumps([kind.str, *scan.pixels.shape]).encode())
    for plane in scan.pixels:
        state.update(np.ascontiguousarray(plane, dtype=kind))
    return state.hexdigest()


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey as colour or colour as luminance, if need be; whole numbers stay whole.

    Args:
        pixels: (z, y, x, channel).
        channels: wanted.

    Raises:
        Rejected: "wrong-shape" if the image has neither this many channels nor grey for colour or the reverse.
    """
    if pixels.shape[-1] == channels:
        return pixels
    if pixels.shape[-1] == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    if {pixels.shape[-1], channels} != {1, 3}:
        raise Rejected(
            "wrong-shape",
            f"{pixels.shape[-1]} channels where resample.channels is {channels}; set it to what the files hold",
        )
    grey = (pixels.astype(np.float32) @ LUMINANCE)[..., None]
    return np.rint(grey).astype(pixels.dtype) if pixels.dtype.kind in "iu" else grey


def class_numbers(scan: Scan) -> Scan:
    """A mask with one channel of uint8; the highest class of colours or channels that overlap."""
    found = scan.pixels
    if found.shape[-1] > 1:
        found = found.max(axis=-1, keepdims=True)
    if found.dtype != np.uint8:
        high = np.nanmax(found)
        if high > 255:
            scan.notes.append(f"mask classes above 255 (up to {high:g}) counted as 255")
        # A label file of floats may hold 0.9999 for 1.
        found = np.nan_to_num(np.rint(found)) if found.dtype.kind == "f" else found
        found = (found if found.min() >= 0 and high <= 255 else np.clip(found, 0, 255)).astype(np.uint8)
    scan.pixels = found
    return scan


def finite(scan: Scan, fill: float) -> Scan:
    """Put `fill` where a value is not a number.

    Raises:
        Rejected: "undecodable" if no pixel holds a number.
    """
    if scan.pixels.dtype.kind != "f":
        return scan
    wrong = ~np.isfinite(scan.pixels)
    count = int(wrong.sum())
    if count == scan.pixels.size:
        raise Rejected("undecodable", "no pixel holds a number")
    if count:
        scan.pixels = np.where(wrong, np.asarray(fill, scan.pixels.dtype), scan.pixels)
        scan.notes.append(f"{count} values that are no numbers set to {fill:g}")
    return scan
