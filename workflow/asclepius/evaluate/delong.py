"""Covariance of AUCs measured on the same images, with images clustered in patients.

DeLong, DeLong & Clarke-Pearson, Biometrics 1988; for clustered data Obuchowski, Biometrics 1997. With one image per
patient the second is the first.
"""

import numpy as np
from scipy.stats import norm


def covariance(target: np.ndarray, scores: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUCs and their covariance matrix.

    Args:
        target: bool, shape (images,).
        scores: shape (images, scores): several readers, models or seeds on the same images.
        patient: integer code of each image's patient, shape (images,).

    Returns:
        AUCs, shape (scores,), and their covariance, shape (scores, scores); NaN with fewer than two patients of a
        class.
    """
    _, patient = np.unique(patient, return_inverse=True)
    positive, negative = np.flatnonzero(target), np.flatnonzero(~target)
    number = scores.shape[1]
    if min(len(np.unique(patient[positive])), len(np.unique(patient[negative]))) < 2:
        return np.full(number, np.nan), np.full((number, number), np.nan)
    above = np.empty((len(positive), number))  # share of the negatives each positive beats
    below = np.empty((len(negative), number))  # share of the positives that beat each negative
    for column in range(number):
        high, low = scores[positive, column], scores[negative, column]
        above[:, column] = _beaten(high, np.sort(low))
        below[:, column] = 1 - _beaten(low, np.sort(high))
    auc = above.mean(axis=0)
    clusters = patient.max() + 1
    first, second = np.zeros((clusters, number)), np.zeros((clusters, number))
    np.add.at(first, patient[positive], above - auc)
    np.add.at(second, patient[negative], below - auc)
    m, n = len(positive), len(negative)
    ill, well = len(np.unique(patient[positive])), len(np.unique(patient[negative]))
    s10 = ill / ((ill - 1) * m) * first.T @ first
    s01 = well / ((well - 1) * n) * second.T @ second
    s11 = clusters / (clusters - 1) * first.T @ second
    return auc, s10 / m + s01 / n + (s11 + s11.T) / (m * n)


def _beaten(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / (2 * len(others))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p values of one family (Scandinavian Journal of Statistics 1979); NaN are no members."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return out


def p_value(auc: np.ndarray, variance: np.ndarray, contrast: np.ndarray) -> float:
    """Two-sided p of a linear contrast of AUCs being zero; 1.0 where nothing varies, NaN where undefined.

    Args:
        auc: shape (scores,).
        variance: their covariance, shape (scores, scores).
        contrast: shape (scores,), e.g. (1, -1).
    """
    difference = float(contrast @ auc)
    spread = float(contrast @ variance @ contrast)
    if np.isnan(spread):
        return float("nan")
    if spread <= 1e-15:  # two scores that rank alike leave rounding errors
        return 1.0 if abs(difference) < 1e-9 else 0.0
    return float(2 * norm.sf(abs(difference) / np.sqrt(spread)))
