"""How alike two sets of images are, from their features: KID, FID, precision and recall, density and coverage."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import sqrtm

BLOCKS = 10
SMALLEST_BLOCK = 10
NEAREST = {"precision": 3, "coverage": 5}  # neighbours, as in the papers


@dataclass(frozen=True)
class Kid:
    """Args:
    value: mean over blocks.
    error: standard error of that mean.
    """

    value: float
    error: float


def kid(one: np.ndarray, other: np.ndarray, random: np.random.Generator) -> Kid:
    """Kernel inception distance (Bińkowski et al. 2018): 0 on average for sets of one kind, at any size.

    The unbiased squared maximum mean discrepancy with kernel (x y / d + 1)^3, over disjoint blocks.

    Args:
        one, other: (n, d) and (m, d) features.
    """
    blocks = max(1, min(BLOCKS, min(len(one), len(other)) // SMALLEST_BLOCK))
    parts = [np.array_split(random.permutation(len(each)), blocks) for each in (one, other)]
    found = [_discrepancy(one[a], other[b]) for a, b in zip(*parts, strict=True)]
    error = np.std(found, ddof=1) / np.sqrt(blocks) if blocks > 1 else np.nan
    return Kid(float(np.mean(found)), float(error))


def _discrepancy(one: np.ndarray, other: np.ndarray) -> float:
    if min(len(one), len(other)) < 2:
        return np.nan

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a):
        whole = kernel(a, a)
        return (whole.sum() - np.trace(whole)) / (len(a) * (len(a) - 1))

    return within(one) + within(other) - 2 * kernel(one, other).mean()


def fid(one: np.ndarray, other: np.ndarray) -> float:
    """Fréchet inception distance (Heusel et al. 2017): between normal distributions of either mean and covariance.

    Covariances are shrunk (Ledoit and Wolf 2004), without which fewer images than features have none to speak of.
    Small sets give larger values: compare only figures of equally many images.
    """
    from sklearn.covariance import ledoit_wolf

    first, second = ledoit_wolf(one)[0], ledoit_wolf(other)[0]
    root = sqrtm(first @ second)
    difference = one.mean(axis=0) - other.mean(axis=0)
    return float(difference @ difference + np.trace(first + second) - 2 * np.trace(root.real))


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean distances (n, m)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(np.maximum(squared, 0))


def neighbourhoods(real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Shares of images that lie among those of the other set.

    Returns:
        precision: made images within a real one's third neighbour; recall: real images within a made one's third
        neighbour (Kynkäänniemi et al. 2019). density: in how many real neighbourhoods a made image lies, 1 being
        what real images reach; coverage: real images with a made one within their fifth neighbour (Naeem et al. 2020).
    """
    across = distances(real, made)
    of_real = {k: _radius(real, k) for k in NEAREST.values()}
    narrow, wide = NEAREST["precision"], NEAREST["coverage"]
    return {
        "precision": float((across <= of_real[narrow][:, None]).any(axis=0).mean()),
        "recall": float((across <= _radius(made, narrow)).any(axis=1).mean()),
        "density": float((across <= of_real[wide][:, None]).sum(axis=0).mean() / wide),
        "coverage": float((across.min(axis=1) <= of_real[wide]).mean()),
    }


def _radius(points: np.ndarray, neighbour: int) -> np.ndarray:
    """Distance of each point to its k-th neighbour within its set, itself not counted."""
    within = distances(points, points)
    np.fill_diagonal(within, 0)
    return np.partition(within, min(neighbour, len(points) - 1), axis=1)[:, min(neighbour, len(points) - 1)]
