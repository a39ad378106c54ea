"""Bias field of MR coils taken out of one image (N4: Tustison et al., IEEE Transactions on Medical Imaging 2010)."""

import numpy as np
import SimpleITK as sitk

from asclepius.resample.geometry import Grid

SHRINK = 4  # the field is smooth: it is estimated on every fourth voxel, where an axis has voxels enough
FEWEST = 16  # voxels an axis keeps
ITERATIONS = [50, 50, 50, 50]  # of each level of the B-spline grid; the tool's own default


def corrected(pixels: np.ndarray, grid: Grid) -> tuple[np.ndarray, str | None]:
    """The image over its bias field, whose mean over the foreground (Otsu 1979) is 1.

    Each channel by itself, at the image's own resolution.

    Args:
        pixels: (z, y, x, channel).
        grid: of the pixels.

    Returns:
        float32 of that shape, and a note if a channel was left as it is for want of a foreground.
    """
    found = [_channel(pixels[..., channel].astype(np.float32), grid) for channel in range(pixels.shape[-1])]
    note = "bias field left in: no foreground to estimate it on" if any(each is None for each in found) else None
    kept = [pixels[..., i].astype(np.float32) if each is None else each for i, each in enumerate(found)]
    return np.stack(kept, axis=-1), note


def _channel(values: np.ndarray, grid: Grid) -> np.ndarray | None:
    flat = values.shape[0] == 1
    image = sitk.GetImageFromArray(values[0] if flat else values)
    image.SetSpacing([float(step) for step in grid.spacing[::-1][: image.GetDimension()]])
    mask = sitk.And(sitk.OtsuThreshold(image, 0, 1, 200), sitk.Greater(image, 0.0))
    if values.min() == values.max() or not sitk.GetArrayViewFromImage(mask).any():
        return None
    factors = [max(1, min(SHRINK, side // FEWEST)) for side in image.GetSize()]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(ITERATIONS)
    n4.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    field = np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)))
    field /= field[sitk.GetArrayViewFromImage(mask) > 0].mean()
    return (values[0] / field)[None] if flat else values / field
