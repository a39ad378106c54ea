"""Thresholds of decision, from a run's own validation images and nothing else.

A case is positive if its probability is at or above the threshold.
"""

import numpy as np

from asclepius.evaluate.cases import Scores

HALF = 0.5


def choose(scores: Scores, rule: str) -> list[tuple[float, str]]:
    """A threshold and a note for each class (column) of a run's validation images.

    Args:
        scores: of the role validation.
        rule: "youden" (sensitivity + specificity), "accuracy", "f1" or "half" (0.5).
    """
    return [
        threshold(scores.target[:, column], scores.probability[:, column], rule)
        for column in range(scores.target.shape[1])
    ]


def threshold(target: np.ndarray, probability: np.ndarray, rule: str) -> tuple[float, str]:
    """The threshold that maximises `rule`, and a note.

    Candidates lie halfway between neighbouring probabilities, with 0 and 1 as outermost neighbours. Of equally good
    ones the nearest to 0.5 is taken, then the lower.

    Args:
        target: bool, shape (images,).
        probability: shape (images,), 0..1.
    """
    if rule == "half":
        return HALF, ""
    if target.all() or not target.any():
        return HALF, "validation holds one class only: 0.5 was taken"
    levels = np.concatenate([[0.0], np.unique(probability), [1.0]])
    candidates = np.unique((levels[:-1] + levels[1:]) / 2)
    high, low = np.sort(probability[target]), np.sort(probability[~target])
    hits = len(high) - np.searchsorted(high, candidates, "left")
    alarms = len(low) - np.searchsorted(low, candidates, "left")
    gain = _gain(rule, hits, alarms, len(high), len(low))
    best = candidates[gain >= gain.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - HALF))]), ""


def _gain(rule: str, hits: np.ndarray, alarms: np.ndarray, positives: int, negatives: int) -> np.ndarray:
    if rule == "youden":
        return hits / positives - alarms / negatives
    if rule == "accuracy":
        return (hits + negatives - alarms) / (positives + negatives)
    return 2 * hits / (hits + alarms + positives)
