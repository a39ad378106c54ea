"""Whether an AUC is more, or less, than chance gives: inference by permutation of patients within a fold.

Labels that were shuffled between patients are exchangeable between the patients of a test part, whatever was trained
on the others: permuting them there, the scores held fixed, gives the exact distribution of that fold's AUC under
chance. DeLong's variance, estimated from the few patients of a rare class, does not hold up at 99.9 %.

Folds of one shuffle are not independent: the labels tested in one train the others, and what a test and a training
patient add to the AUC together, they add to both folds. Out-of-fold scores are not pooled (each fold has its own
scale), and the mean of the folds gets the mean of their standard deviations, the largest value that any dependence
allows. Shuffles are independent by construction, so that their variances add.

Every patient counts alike, whatever the number of images: an AUC over images is biased under chance when patients of
unequal size differ in score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from asclepius.canary.shuffle import moved
from asclepius.evaluate import delong
from asclepius.evaluate.metrics import Ranking

CHANCE = 0.5
DRAWS = 1000
CELLS = 1 << 20


@dataclass(frozen=True)
class Auc:
    """Args:
    value: NaN where no class was both there and absent.
    deviation: standard deviation under chance.
    """

    value: float
    deviation: float


def permuted(codes: np.ndarray, group: np.ndarray, number: int, seed: Sequence[int]) -> np.ndarray:
    """Labels of a test part after permutations of its patients: codes (number + 1, images); the first is unmoved."""
    random = np.random.default_rng(seed)
    group = np.unique(group, return_inverse=True)[1]
    draws = [moved(codes, group, random.permutation(group.max() + 1), random) for _ in range(number)]
    return np.stack([codes, *draws])


def of_fold(scores: np.ndarray, codes: np.ndarray, classes: np.ndarray, group: np.ndarray) -> Auc:
    """AUC of one fold's test part, mean over classes, and its deviation under chance.

    Args:
        scores: (images, classes).
        codes: (draws + 1, images), from `permuted`.
        classes: (codes, classes) bool, which classes a label holds.
        group: (images,) of patients.
    """
    _, group = np.unique(group, return_inverse=True)
    weight = 1 / np.bincount(group)[group]
    n, step = len(group), max(1, CELLS // (2 * len(group)))
    found = np.empty((len(codes), scores.shape[1]))
    for column in range(scores.shape[1]):
        # Every image stands once for having the class and once for not; a draw's labels say which of the two counts.
        ranking = Ranking(np.arange(2 * n) < n, np.tile(scores[:, column], 2))
        for start in range(0, len(codes), step):
            holds = classes[codes[start : start + step], column]
            found[start : start + step, column] = ranking.auc(np.hstack([holds * weight, ~holds * weight]))
    defined = ~np.isnan(found[0])
    if not defined.any():
        return Auc(np.nan, np.nan)
    means = found[:, defined].mean(axis=1)
    return Auc(float(means[0]), float(np.sqrt(np.nanmean((means[1:] - np.nanmean(means[1:])) ** 2))))


def combined(shuffles: Sequence[Sequence[Auc]]) -> Auc:
    """Mean over the folds of each shuffle, then over shuffles; NaN if no fold had any class to tell."""
    values, deviations = [], []
    for folds in shuffles:
        known = [fold for fold in folds if np.isfinite(fold.value)]
        if known:
            values.append(np.mean([fold.value for fold in known]))
            deviations.append(np.mean([fold.deviation for fold in known]))
    if not values:
        return Auc(np.nan, np.nan)
    return Auc(float(np.mean(values)), float(np.sqrt(np.sum(np.square(deviations))) / len(values)))


def p_value(auc: Auc) -> float:
    """Two-sided, of chance; the distribution is near normal, with lighter tails."""
    distance = abs(auc.value - CHANCE)
    if auc.deviation == 0:  # every score alike
        return 1.0 if distance < 1e-9 else 0.0
    return float(2 * norm.sf(distance / auc.deviation))


@dataclass(frozen=True)
class Verdict:
    """Args:
    low, high: interval at the level Holm's procedure tests it at, within 0 and 1.
    failed: whether chance lies outside.
    """

    auc: float
    low: float
    high: float
    p: float
    failed: bool


def holm(found: dict[str, Auc], confidence: float) -> dict[str, Verdict]:
    """The verdict on each method, all right together with this confidence if none leaks (Holm, Scand J Stat 1979).

    The interval of the method with the smallest p is at 1 - alpha / methods, of the next at 1 - alpha / (methods - 1),
    and so on while they fail; those that hold share the level of the first that does.
    """
    alpha, p = 1 - confidence, np.array([p_value(auc) for auc in found.values()])
    failed = delong.holm(p) <= alpha
    rank = np.argsort(np.argsort(p, kind="stable"))
    left = len(p) - np.minimum(rank, failed.sum())
    reaches = norm.isf(alpha / left / 2) * [auc.deviation for auc in found.values()]
    return {
        name: Verdict(auc.value, max(0.0, auc.value - reach), min(1.0, auc.value + reach), float(own), bool(fails))
        for (name, auc), reach, own, fails in zip(found.items(), reaches, p, failed, strict=True)
    }
