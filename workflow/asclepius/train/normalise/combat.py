"""Location and scale of each batch, shrunk by empirical Bayes (ComBat: Johnson, Li and Rabinovic 2007)."""

from dataclasses import dataclass

import numpy as np

TINY = 1e-12
CONVERGED = 1e-4
ITERATIONS = 1000


@dataclass(frozen=True)
class Combat:
    """Args:
    centre: (feature,), mean over batches, weighted by their size.
    spread: (feature,), standard deviation within batches.
    shift: (batch, feature), of each batch, in units of `spread`.
    stretch: (batch, feature), standard deviation of each batch, in units of `spread`.
    """

    centre: np.ndarray
    spread: np.ndarray
    shift: np.ndarray
    stretch: np.ndarray


def estimate(features: np.ndarray, batch: np.ndarray, covariates: np.ndarray) -> Combat:
    """Estimate what batches differ by once covariates are accounted for.

    Args:
        features: (n, feature).
        batch: (n,), number of each row's batch: 0, 1, ...; every batch has at least two rows.
        covariates: (n, covariate), what the features may differ by as well, e.g. classes; kept in the data.

    Raises:
        ValueError: batches and covariates cannot be told apart.
    """
    sizes = np.bincount(batch)
    covariates = covariates - covariates.mean(axis=0)
    design = np.hstack([np.eye(len(sizes))[batch], covariates])
    if np.linalg.matrix_rank(design) < len(sizes) + np.linalg.matrix_rank(covariates):
        raise ValueError("batches and covariates cannot be told apart")
    weights = np.linalg.lstsq(design, features, rcond=None)[0]
    centre = sizes / len(batch) @ weights[: len(sizes)]
    residual = features - design @ weights
    spread = np.sqrt((residual**2).mean(axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    z = (features - centre - covariates @ weights[len(sizes) :]) / spread
    both = [_shrunk(z[batch == number]) for number in range(len(sizes))]
    shift, variance = (np.stack(part) for part in zip(*both, strict=True))
    return Combat(centre, spread, shift, np.sqrt(variance))


def _shrunk(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior shift and variance of one batch: priors are normal and inverse gamma over its features."""
    n = len(z)
    shift, variance = z.mean(axis=0), np.maximum(z.var(axis=0, ddof=1), TINY)
    if z.shape[1] == 1:
        return shift, variance
    prior, prior_variance = shift.mean(), max(shift.var(ddof=1), TINY)
    mean, width = variance.mean(), max(variance.var(ddof=1), TINY * variance.mean() ** 2)
    shape = 2 + mean**2 / width
    rate = mean + mean**3 / width
    old_shift, old_variance = shift, variance
    for _ in range(ITERATIONS):
        new_shift = (n * prior_variance * shift + old_variance * prior) / (n * prior_variance + old_variance)
        squares = ((z - new_shift) ** 2).sum(axis=0)
        new_variance = (squares / 2 + rate) / (n / 2 + shape - 1)
        moved = max(
            (np.abs(new_shift - old_shift) / np.maximum(np.abs(old_shift), TINY)).max(),
            (np.abs(new_variance - old_variance) / old_variance).max(),
        )
        old_shift, old_variance = new_shift, new_variance
        if moved < CONVERGED:
            break
    return old_shift, old_variance
