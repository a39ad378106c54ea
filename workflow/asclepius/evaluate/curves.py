"""ROC, precision-recall and calibration curves with pointwise bands from the bootstrap of patients."""

from collections.abc import Sequence

import numpy as np

from asclepius.evaluate.bootstrap import Draws
from asclepius.evaluate.calibration import tenths
from asclepius.evaluate.cases import Cases

GRID = np.linspace(0, 1, 101)
LEVELS = 100  # thresholds among the positive, and as many among the negative


def curve_rows(cases: Sequence[Cases], names: Sequence[str], draws: Draws, confidence: float) -> list[dict]:
    """Rows of evaluate/curves without arm and role: for each class all three curves, averaged over replicates.

    Args:
        cases: replicates (seeds) of one arm and role.
        names: of the classes, in the order of the cases' columns.
    """
    out = []
    for column, name in enumerate(names):
        tallies = [_tally(part, column, draws) for part in cases]
        n = len(np.unique(np.concatenate([part.patient for part in cases])))
        sensitivity = np.mean([_sensitivity(*tally) for tally in tallies], axis=0)
        precision = np.mean([_precision(*tally) for tally in tallies], axis=0)
        out += _rows(name, "roc", GRID, sensitivity, n, confidence)
        out += _rows(name, "precision-recall", GRID, precision, n, confidence)
        mean, observed, patients = _calibration(cases, column, draws)
        out += _rows(name, "calibration", mean, observed, patients, confidence)
    return out


def _tally(cases: Cases, column: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives at or above each of at most 200 thresholds, highest first, (draws + 1, thresholds)."""
    target, score = cases.target[:, column], cases.probability[:, column]
    edges = np.unique(np.concatenate([_levels(score[target]), _levels(score[~target])]))
    place = np.searchsorted(edges, score, "right") - 1
    return (
        _above(place[target], cases.patient[target], len(edges), draws),
        _above(place[~target], cases.patient[~target], len(edges), draws),
    )


def _levels(scores: np.ndarray) -> np.ndarray:
    """At most LEVELS of the scores themselves, evenly spaced in rank, the lowest and highest among them."""
    distinct = np.unique(scores)
    return distinct[np.unique(np.linspace(0, len(distinct) - 1, min(LEVELS, len(distinct))).astype(int))]


def _above(place: np.ndarray, patient: np.ndarray, number: int, draws: Draws) -> np.ndarray:
    return np.cumsum(_binned(place, patient, number, draws)[:, ::-1], axis=1)


def _binned(place: np.ndarray, patient: np.ndarray, number: int, draws: Draws) -> np.ndarray:
    """Weight of the images in each bin, shape (draws + 1, number)."""
    out = np.zeros((draws.number + 1, number))
    if len(place):
        order = np.argsort(place, kind="stable")
        bins, starts = np.unique(place[order], return_index=True)
        for part, weights in draws.chunks(patient[order]):
            out[part, bins] = np.add.reduceat(weights, starts, axis=1)
    return out


def _sensitivity(hits: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Sensitivity at each false-positive rate of GRID, lines between thresholds, shape (draws + 1, grid)."""
    out = np.full((len(hits), len(GRID)), np.nan)
    for draw in np.flatnonzero((hits[:, -1] > 0) & (alarms[:, -1] > 0)):
        out[draw] = np.interp(GRID, np.r_[0, alarms[draw] / alarms[draw, -1]], np.r_[0, hits[draw] / hits[draw, -1]])
    return out


def _precision(hits: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Precision at the highest threshold that reaches each recall of GRID, shape (draws + 1, grid)."""
    out = np.full((len(hits), len(GRID)), np.nan)
    called = hits + alarms
    precision = np.divide(hits, called, out=np.full_like(hits, np.nan), where=called > 0)
    for draw in np.flatnonzero(hits[:, -1] > 0):
        # In whole positives: 0.3 x 10 must not ask for the fourth.
        wanted = np.ceil(GRID * hits[draw, -1] - 1e-9)
        index = np.searchsorted(hits[draw], wanted, "left")
        out[draw] = precision[draw, np.maximum(index, np.argmax(called[draw] > 0))]
    return out


def _calibration(cases: Sequence[Cases], column: int, draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability (bins,), observed frequency (draws + 1, bins) and patients (bins,) of tenths of the images."""
    score = np.concatenate([part.probability[:, column] for part in cases])
    target = np.concatenate([part.target[:, column] for part in cases])
    patient = np.concatenate([part.patient for part in cases])
    place = tenths(score)
    number = place.max() + 1
    ill = _binned(place[target], patient[target], number, draws)
    every = _binned(place, patient, number, draws)
    observed = np.divide(ill, every, out=np.full_like(ill, np.nan), where=every > 0)
    mean = np.bincount(place, score) / np.bincount(place)
    return mean, observed, np.array([len(np.unique(patient[place == b])) for b in range(number)])


def _rows(name: str, curve: str, x: np.ndarray, y: np.ndarray, n: int | np.ndarray, confidence: float) -> list[dict]:
    defined = ~np.isnan(y[1:])
    low, high = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for point in np.flatnonzero(defined.mean(axis=0) >= 0.5):
        values = y[1:, point][defined[:, point]]
        low[point], high[point] = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    counts = np.broadcast_to(n, len(x))
    return [
        {"class": name, "curve": curve, "x": x[i], "y": y[0, i], "low": low[i], "high": high[i], "n": int(counts[i])}
        for i in range(len(x))
        if not np.isnan(y[0, i])
    ]
