"""What the stored values of one image say about it; whether that is unusual is judged later, among its peers."""

from dataclasses import dataclass

import numpy as np

from asclepius.deidentify.pixels.strokes import find_text

_SLICES = 9  # of a volume: noise and sharpness are medians over so many
_OUTER = 0.1  # share of a volume's slices at either end that is not looked at: often empty
_NORMAL = 0.6745  # median of |x| of a standard normal distribution
_LEAST_NOISE = 0.002  # of the contrast: what rounding to 8 bits makes
TEXT_SIDE = 192  # pixels: in smaller images letters are too coarse, and anatomy looks like them
TEXT_HIGHEST = 1024  # pixels: larger ones are searched at half their size, and so on
NOT_SOUGHT = -1


@dataclass(frozen=True)
class Measures:
    """Args:
    at_minimum: share of pixels at the lowest value, outside padding.
    noise: standard deviation of the noise, share of the contrast (99th less 1st percentile).
    sharpness: mean frequency of the edges, radians per pixel: blur lowers it, whatever the contrast.
    text: lines of burned-in text found; NOT_SOUGHT in volumes and in images too small for letters.
    """

    at_minimum: float
    noise: float
    sharpness: float
    text: int


def measure(values: np.ndarray, low: float, high: float, *, text: bool) -> Measures:
    """Measures of one stored image.

    Args:
        values: (y, x) or (z, y, x), float32.
        low, high: 1st and 99th percentile of the image.
        text: whether to search for burned-in text.
    """
    inner = without_padding(values)
    planes = [inner] if inner.ndim == 2 else _slices(inner)
    usable = [plane for plane in planes if min(plane.shape) >= 3 and plane.min() < plane.max()]
    contrast = high - low
    if not usable or contrast <= 0:
        return Measures(float((inner == inner.min()).mean()), np.nan, np.nan, NOT_SOUGHT)
    sought = text and values.ndim == 2 and min(values.shape) >= TEXT_SIDE
    return Measures(
        at_minimum=float((inner == inner.min()).mean()),
        noise=max(float(np.median([noise(plane) for plane in usable])) / contrast, _LEAST_NOISE),
        sharpness=float(np.median([sharpness(plane) for plane in usable])),
        text=lines_of_text(values) if sought else NOT_SOUGHT,
    )


def without_padding(values: np.ndarray) -> np.ndarray:
    """The image without the outer rows, columns and slices that hold nothing but its lowest value."""
    filled = values > values.min()
    if not filled.any():
        return values
    box = []
    for axis in range(values.ndim):
        used = np.flatnonzero(filled.any(axis=tuple(a for a in range(values.ndim) if a != axis)))
        box.append(slice(used[0], used[-1] + 1))
    return values[tuple(box)]


def noise(plane: np.ndarray) -> float:
    """Standard deviation of the noise in a plane (Immerkær 1996), the median in place of the mean: edges hardly count.

    Pixels at either end of the range are left out: where values were cut off there is no noise.
    """
    c = plane[1:-1, 1:-1]
    corners = plane[:-2, :-2] + plane[:-2, 2:] + plane[2:, :-2] + plane[2:, 2:]
    sides = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]
    residual = np.abs(corners - 2 * sides + 4 * c)
    inside = (c > plane.min()) & (c < plane.max())
    return float(np.median(residual[inside] if inside.any() else residual)) / (6 * _NORMAL)


def sharpness(plane: np.ndarray) -> float:
    """Root of the variance of the Laplacian over the mean squared gradient: a mean frequency (Hjorth 1970).

    Both grow with contrast and with the number of edges; their ratio does not, so that images of one kind
    differ little, and a blur too slight for the variance of the Laplacian alone stands out.
    """
    c = plane[1:-1, 1:-1]
    laplacian = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:] - 4 * c
    gradient = np.mean(np.diff(plane, axis=0) ** 2) + np.mean(np.diff(plane, axis=1) ** 2)
    return float(np.sqrt(laplacian.var() / max(gradient, 1e-12)))


def lines_of_text(values: np.ndarray) -> int:
    """Lines of burned-in text by the detector of de-identification, on the whole range of the image."""
    while max(values.shape) > TEXT_HIGHEST:
        values = values[: values.shape[0] // 2 * 2, : values.shape[1] // 2 * 2]
        values = values.reshape(values.shape[0] // 2, 2, values.shape[1] // 2, 2).mean(axis=(1, 3))
    low, high = values.min(), values.max()
    return len(find_text(((values - low) * (255 / (high - low))).round().astype(np.uint8)))


def _slices(volume: np.ndarray) -> list[np.ndarray]:
    depth = len(volume)
    first, last = round(_OUTER * (depth - 1)), round((1 - _OUTER) * (depth - 1))
    return [volume[z] for z in np.unique(np.linspace(first, last, _SLICES).round().astype(int))]
