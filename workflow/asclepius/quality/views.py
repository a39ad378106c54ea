"""An image seen small: what pages show, and what images are compared by."""

import numpy as np
from PIL import Image

SIDE = 32  # pixels: of a miniature
PICTURE = 96  # pixels: longer side of what pages show
SECTION = 64  # pixels: side of each of the three sections of a volume
_SLAB = 8  # an eighth of a volume: a slab survives noise and a shift by a slice


def grey(array: np.ndarray) -> np.ndarray:
    """One value per pixel: (y, x) or (z, y, x), float32, of a stored array with channels."""
    return array[..., 0].astype(np.float32) if array.shape[-1] == 1 else array.mean(axis=-1, dtype=np.float32)


def miniature(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The planes an image is compared by: itself, or slabs through the centre of a volume.

    Args:
        values: (y, x) or (z, y, x), see `grey`.
        low, high: what becomes 0 and 255, e.g. the 1st and 99th percentile.

    Returns:
        uint8 (plane, SIDE, SIDE); those of a volume lie across z, y and x, their axes in the order z, y, x.
    """
    planes = [values] if values.ndim == 2 else [_slab(values, axis) for axis in range(3)]
    return np.stack([_shrunk(plane, (SIDE, SIDE), low, high) for plane in planes])


def picture(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The image for a page: uint8 (y, x); of a volume the middle sections across z, y and x side by side, head up."""
    if values.ndim == 2:
        return _shrunk(values, picture_shape(values.shape), low, high)
    z, y, x = (side // 2 for side in values.shape)
    planes = (values[z], values[::-1, y], values[::-1, :, x])
    return np.concatenate([_shrunk(plane, (SECTION, SECTION), low, high) for plane in planes], axis=1)


def picture_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Shape of `picture` for images of a shape; small images are not enlarged."""
    if len(shape) == 3:
        return SECTION, 3 * SECTION
    scale = min(1.0, PICTURE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _slab(values: np.ndarray, axis: int) -> np.ndarray:
    middle, half = values.shape[axis] // 2, values.shape[axis] // (2 * _SLAB)
    chosen = [slice(None)] * 3
    chosen[axis] = slice(middle - half, middle + half + 1)
    return values[tuple(chosen)].mean(axis=axis)


def _shrunk(plane: np.ndarray, shape: tuple[int, int], low: float, high: float) -> np.ndarray:
    scaled = np.clip((plane - low) * (255 / max(high - low, 1e-12)), 0, 255).astype(np.float32)
    if scaled.shape != shape:  # Pillow's linear filter widens when shrinking: no aliasing
        image = Image.fromarray(scaled).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        scaled = np.asarray(image)
    return scaled.round().astype(np.uint8)
