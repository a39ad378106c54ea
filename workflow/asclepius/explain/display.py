"""Heat and image as they are shown: same size, one slice, 0..1, in one file."""

import io
import zipfile
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom

from asclepius.tables import replacing

EDGES = (0.5, 99.5)  # percentiles of an image that become black and white
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first date: a file's time must not change its bytes


def resized(heat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Heat at the resolution of the image, linear between the centres of the feature map's cells, highest value 1.

    Args:
        heat: (y, x) or (z, y, x), not negative.
        shape: of the image, same axes.
    """
    factors = [wanted / size for wanted, size in zip(shape, heat.shape, strict=True)]
    large = zoom(heat.astype(np.float64), factors, order=1, mode="nearest", grid_mode=True)
    highest = large.max()
    return (large / highest if highest > 0 else large).astype(np.float32)


def shade(image: np.ndarray) -> np.ndarray:
    """An image as grey values 0..1: mean over channels, between two percentiles.

    Args:
        image: shape (y, x, channel) or (z, y, x, channel).
    """
    grey = image.astype(np.float64).mean(axis=-1)
    low, high = np.percentile(grey, EDGES)
    if high <= low:
        low, high = grey.min(), grey.max()
    return np.clip((grey - low) / (high - low if high > low else 1.0), 0, 1).astype(np.float32)


def hottest(heat: np.ndarray) -> int:
    """The slice (first axis) of a volume with most heat; the middle one where there is none."""
    sums = heat.sum(axis=(1, 2), dtype=np.float64)
    return int(sums.argmax()) if sums.any() else len(sums) // 2


def overlap(heat: np.ndarray, mask: np.ndarray) -> float:
    """Share of the heat that lies inside the mask (energy-based pointing game, Wang et al., CVPRW 2020)."""
    total = heat.sum(dtype=np.float64)
    return float(heat[mask > 0].sum(dtype=np.float64) / total) if total > 0 and (mask > 0).any() else float("nan")


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed .npz whose bytes depend on the arrays alone."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(member, content.getvalue())
