"""Maps of intensities, one per image and channel, written once for NumPy and for `keras.ops`.

Arrays are (n, ..., channel). `xp` is the namespace that computes: numpy, or keras.ops under XLA.
"""

from typing import Any

import numpy as np


def affine(images: Any, measured: Any, clip: bool, xp: Any = np) -> Any:
    """(value - offset) x factor, cut to 0..1 if `clip`.

    Args:
        images: float32.
        measured: (n, 2, channel): offset and factor.
    """
    out = (images - spread(measured[:, 0], images, xp)) * spread(measured[:, 1], images, xp)
    return xp.clip(out, 0.0, 1.0) if clip else out


def knots(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What `piecewise` takes: start, value there and slope of each segment.

    Args:
        x: (n, knots, channel), rising or level. Values that coincide share the mean of their targets: the map
            cannot jump, and an image of few grey values has many that do.
        y: (n, knots, channel), their targets.

    Returns:
        (n, 3, knots - 1, channel), float32.
    """
    same = (x[:, :, None] == x[:, None, :]).astype(float)
    y = np.einsum("njkc,nkc->njc", same, y) / same.sum(axis=2)
    width = np.diff(x, axis=1)
    slope = np.divide(np.diff(y, axis=1), width, out=np.zeros_like(width), where=width > 0)
    return np.stack([x[:, :-1], y[:, :-1], slope], axis=1).astype(np.float32)


def piecewise(images: Any, measured: Any, xp: Any = np) -> Any:
    """A piecewise linear map; the outer segments go on beyond their knots.

    Args:
        images: float32.
        measured: from `knots`.
    """
    out = None
    for segment in range(measured.shape[2]):
        start, value, slope = (spread(measured[:, part, segment], images, xp) for part in range(3))
        line = value + slope * (images - start)
        out = line if out is None else xp.where(images >= start, line, out)
    return out


def spread(values: Any, images: Any, xp: Any) -> Any:
    """(n, channel) as (n, 1, ..., 1, channel), to stand beside images."""
    return xp.reshape(values, (values.shape[0], *(1,) * (len(images.shape) - 2), values.shape[-1]))
