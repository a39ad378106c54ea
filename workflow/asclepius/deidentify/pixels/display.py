"""Stored values as a person would see them: 8 bits, extremes kept, because text is often the extreme."""

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space

from asclepius.deidentify.pixels.raster import Raster

_NARROW = 0.6  # share of the full range: what anatomy fills where a few extremes stretch it
_NOISE = 12  # shades of 255: noise is not stretched beyond; text of 15 % contrast stands out of it
_TAIL = 0.5  # percent of pixels at either end


def views(frame: np.ndarray, raster: Raster, dataset: Dataset) -> list[np.ndarray]:
    """One or two renderings of a frame, uint8, (y, x) or (y, x, 3).

    The second is there where more than 8 bits are stored and a few extremes squeeze most of the image into few shades.

    Args:
        frame: stored values, (y, x, sample).
        raster: what it is from.
        dataset: where a palette is found.
    """
    name = raster.photometric
    if name == "PALETTE COLOR":
        return [_palette(frame[..., 0], dataset)]
    if frame.shape[-1] >= 3:
        eight = _eight_bits(frame[..., :3], raster)
        return [convert_color_space(eight, "YBR_FULL", "RGB") if name.startswith("YBR") else eight]
    values = frame[..., 0]
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, np.nanmin(values, initial=0, where=np.isfinite(values)))
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return [np.zeros(values.shape, np.uint8)]
    base = 255 / (high - low)
    if values.dtype == np.uint8:
        return [values if base < 2 else _window(values, low, min(base, max(_most(values), 1.0)))]
    out = [_window(values, low, base)]
    inner = np.percentile(values[:: max(len(values) // 512, 1)], [_TAIL, 100 - _TAIL])
    gain = min(255 / max(float(inner[1] - inner[0]), 1e-9), _most(values))
    if inner[1] > inner[0] and gain * _NARROW > base:
        out.append(_window(values, float(inner[0]), gain))
    return out


def _most(values: np.ndarray) -> float:
    """Gain from which noise would look like strokes."""
    noise = float(np.median(np.abs(np.diff(values[::4].astype(np.float32), axis=1)))) if values.shape[1] > 1 else 0.0
    return _NOISE / noise if noise > 0 else np.inf


def _window(values: np.ndarray, low: float, gain: float) -> np.ndarray:
    return ((values.astype(np.float32) - low) * gain).clip(0, 255).round().astype(np.uint8)


def _eight_bits(values: np.ndarray, raster: Raster) -> np.ndarray:
    surplus = raster.layout.stored - 8
    return (values >> surplus if surplus > 0 else values).astype(np.uint8)


def _palette(indices: np.ndarray, dataset: Dataset) -> np.ndarray:
    try:
        colours = apply_color_lut(indices, dataset)[..., :3]
    except Exception:  # pydicom raises anything for a damaged palette; neighbouring indices are mostly alike
        return indices.astype(np.uint8)
    return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours.astype(np.uint8)
