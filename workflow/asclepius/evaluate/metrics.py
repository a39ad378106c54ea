"""Metrics of one class against the rest, for many weightings of the images at once.

Every function takes weights of shape (draws, images): how often each image counts in each bootstrap draw. An
integer weight equals repeating the row. What a draw leaves undefined (no positive image, nothing called positive)
is NaN, never zero.
"""

from typing import NamedTuple

import numpy as np


class Ranking:
    """The order of one score, sorted once and then weighted many times.

    Args:
        target: bool, shape (images,).
        score: shape (images,); higher means positive.
    """

    def __init__(self, target: np.ndarray, score: np.ndarray):
        order = np.argsort(score, kind="stable")
        self._positive = order[target[order]]
        self._negative = order[~target[order]]
        high, low = score[self._positive], score[self._negative]
        self._below = np.searchsorted(low, high, "left")  # negatives below each positive
        self._not_above = np.searchsorted(low, high, "right")  # and those that tie with it
        self._first = np.searchsorted(high, high, "left")  # the lowest positive of its tie

    def auc(self, weights: np.ndarray) -> np.ndarray:
        """Probability that a positive image scores above a negative one, ties half (Mann-Whitney), shape (draws,)."""
        positive = weights[:, self._positive]
        negative = _cumulated(weights[:, self._negative])
        # 0.5 x integers summed: exact in float64, so that no order of summation shows.
        wins = 0.5 * np.einsum("di,di->d", positive, negative[:, self._below] + negative[:, self._not_above])
        return ratio(wins, positive.sum(axis=1) * negative[:, -1])

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Sum over thresholds of precision times the gain in recall, without interpolation, shape (draws,)."""
        positive = weights[:, self._positive]
        negative = _cumulated(weights[:, self._negative])
        found = _cumulated(positive)
        hits = found[:, -1:] - found[:, self._first]
        called = hits + negative[:, -1:] - negative[:, self._below]
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        return ratio(np.einsum("di,di->d", positive, precision), found[:, -1])

    def sensitivity_at(self, specificity: float, weights: np.ndarray) -> np.ndarray:
        """The largest sensitivity among thresholds whose specificity is at least the one given, shape (draws,).

        A case is positive at or above a threshold; thresholds are the scores themselves and one above all of them.
        The threshold is sought anew in each draw, so that an interval holds its uncertainty. Nothing is interpolated:
        where scores tie, what lies between two thresholds cannot be had without tossing coins.
        """
        if not len(self._positive):
            return np.full(len(weights), np.nan)
        negative = _cumulated(weights[:, self._negative])
        found = _cumulated(weights[:, self._positive])
        # In whole negatives: 0.9 x 10 must not ask for the tenth.
        cleared = negative[:, self._below] >= specificity * negative[:, -1:] - 1e-9
        lowest = self._first[np.argmax(cleared, axis=1)]  # upwards, once enough are cleared they stay so
        hits = np.where(cleared.any(axis=1), found[:, -1] - found[np.arange(len(found)), lowest], 0.0)
        hits[negative[:, -1] == 0] = np.nan
        return ratio(hits, found[:, -1])


class Counts(NamedTuple):
    """Weighted cells of the two-by-two table, each of shape (draws,)."""

    true_positive: np.ndarray
    false_positive: np.ndarray
    true_negative: np.ndarray
    false_negative: np.ndarray


def count(target: np.ndarray, decision: np.ndarray, weights: np.ndarray) -> Counts:
    """Count decisions.

    Args:
        target, decision: bool, shape (images,).
        weights: shape (draws, images).
    """
    cells = np.stack([target & decision, ~target & decision, ~target & ~decision, target & ~decision], axis=1)
    return Counts(*(weights @ cells.astype(np.float64)).T)


def accuracy(counts: Counts) -> np.ndarray:
    """Share of right decisions."""
    return ratio(counts.true_positive + counts.true_negative, sum(counts))


def sensitivity(counts: Counts) -> np.ndarray:
    """Share of the positive that are found (recall)."""
    return ratio(counts.true_positive, counts.true_positive + counts.false_negative)


def specificity(counts: Counts) -> np.ndarray:
    """Share of the negative that are cleared."""
    return ratio(counts.true_negative, counts.true_negative + counts.false_positive)


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """Mean of sensitivity and specificity."""
    return (sensitivity(counts) + specificity(counts)) / 2


def precision(counts: Counts) -> np.ndarray:
    """Share of the called positive that are positive."""
    return ratio(counts.true_positive, counts.true_positive + counts.false_positive)


def f1(counts: Counts) -> np.ndarray:
    """Harmonic mean of precision and sensitivity."""
    twice = 2 * counts.true_positive
    return ratio(twice, twice + counts.false_positive + counts.false_negative)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of (images,) values under each of (draws, images) weights, shape (draws,)."""
    return ratio(weights @ values, weights.sum(axis=1))


def _cumulated(weights: np.ndarray) -> np.ndarray:
    out = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=out[:, 1:])
    return out


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotients; NaN where there is nothing to divide by."""
    below = np.broadcast_to(below, np.shape(above))
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
