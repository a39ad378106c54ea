"""Interpolation along one axis as a sparse matrix: old samples to new ones, smoothing included."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import solve_banded
from scipy.sparse import csr_array

COARSER = 1.5  # from this factor on, detail finer than the new grid would alias
FWHM = 2 * np.sqrt(2 * np.log(2))
EDGE = 1e-6  # samples by which a position may miss the border or a boundary between samples and still count
NEGLIGIBLE = 1e-6  # weights of a B-spline fall by 0.27 from sample to sample; smaller ones are left out


@dataclass(frozen=True, eq=False)
class Axis:
    """Args:
    weights: CSR (new samples inside, old samples), float32, each row of sum 1; None leaves all samples as they are.
    inside: the new samples within the old ones: from half a sample before the first to less than half after the last.
    new: number of new samples.
    """

    weights: csr_array | None
    inside: slice
    new: int


@lru_cache(maxsize=128)
def axis(old: int, new: int, start: float, step: float, method: str) -> Axis:
    """New samples at the old positions start, start + step, ...

    An axis that shrinks more than 1.5 times is smoothed first by a Gaussian whose width makes up for the coarser
    samples: a sample's point spread has its size as full width at half maximum, and variances add (Cardoso et al.,
    "Scale factor point spread function matching", MICCAI 2015). Nearest neighbour is not smoothed.

    Args:
        method: "linear", "nearest" or "bspline" (cubic; Unser, IEEE Signal Processing Magazine 16, 1999).
    """
    positions = start + step * np.arange(new)
    if old == new and np.abs(positions - np.arange(old)).max() < EDGE:
        return Axis(None, slice(0, new), new)
    there = np.flatnonzero((positions >= -0.5 - EDGE) & (positions < old - 0.5 - EDGE))
    inside = slice(int(there[0]), int(there[-1]) + 1) if len(there) else slice(0, 0)
    weights = _METHODS[method](np.clip(positions[inside], 0, old - 1), old)
    if method != "nearest" and abs(step) > COARSER and old > 1:
        weights = _smoothed(weights, np.sqrt(step**2 - 1) / FWHM)
    return Axis(weights.astype(np.float32), inside, new)


def part(whole: Axis, span: slice) -> Axis:
    """The same for old samples outside of which all are zero; `inside` are the new ones that they reach."""
    if whole.weights is None:
        return Axis(None, span, whole.new)
    weights = whole.weights[:, span]
    rows = np.flatnonzero(np.diff(weights.indptr))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    start = whole.inside.start
    return Axis(weights[first:last], slice(start + first, start + last), whole.new)


def _nearest(positions: np.ndarray, old: int) -> csr_array:
    """Of two equally near the higher, as boxes count."""
    places = np.clip(np.floor(positions + 0.5 + EDGE).astype(np.intp), 0, old - 1)
    return _matrix(places[:, None], np.ones((len(places), 1)), old)


def _linear(positions: np.ndarray, old: int) -> csr_array:
    first = np.clip(np.floor(positions).astype(np.intp), 0, max(old - 2, 0))
    part = positions - first
    second = np.minimum(first + 1, old - 1)
    return _matrix(np.stack([first, second], axis=1), np.stack([1 - part, part], axis=1), old)


def _bspline(positions: np.ndarray, old: int) -> csr_array:
    """Cubic B-spline through the samples, mirrored at the border: basis times the inverse of its values at them."""
    if old == 1:
        return _nearest(positions, old)
    first = np.floor(positions).astype(np.intp)
    distance = np.abs(positions[:, None] - (first[:, None] + np.arange(-1, 3)))
    basis = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, np.maximum(2 - distance, 0) ** 3 / 6)
    places = np.abs(first[:, None] + np.arange(-1, 3))
    places = np.where(places > old - 1, 2 * (old - 1) - places, places)
    knots = np.full((3, old), 1 / 6)  # transposed: its bands above, on and below the diagonal
    knots[1] = 2 / 3
    knots[2, 0] = knots[0, -1] = 1 / 3
    dense = solve_banded((1, 1), knots, _matrix(np.abs(places), basis, old).toarray().T).T
    dense[np.abs(dense) < NEGLIGIBLE] = 0
    return csr_array(dense / dense.sum(axis=1, keepdims=True))


def _smoothed(weights: csr_array, sigma: float) -> csr_array:
    """Weights of the smoothed samples as weights of the samples; the outermost goes on beyond the border."""
    old = weights.shape[1]
    reach = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    used = np.unique(weights.indices)
    places = np.clip(used[:, None] + np.arange(-reach, reach + 1), 0, old - 1)
    return weights[:, used] @ _matrix(places, np.broadcast_to(kernel, places.shape), old)


def _matrix(places: np.ndarray, weights: np.ndarray, old: int) -> csr_array:
    """CSR (rows, old) of a few weights per row; those of one place add up."""
    rows = np.repeat(np.arange(len(places)), places.shape[1])
    return csr_array((np.ravel(weights), (rows, places.ravel())), shape=(len(places), old))


_METHODS = {"nearest": _nearest, "linear": _linear, "bspline": _bspline}
