"""Metrics and curves of drawn scores, for the fabricated study."""

from itertools import pairwise

import numpy as np


def metrics(target: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    positive, negative = probability[target], probability[~target]
    sensitivity, specificity = float((positive > 0.4).mean()), float((negative <= 0.4).mean())
    found = max(int((probability > 0.4).sum()), 1)
    precision = float((positive > 0.4).sum() / found)
    return {
        "auc": float((positive[:, None] > negative[None]).mean()),
        "average_precision": min(1.0, precision + 0.05),
        "sensitivity_at_specificity": float((positive > np.quantile(negative, 0.9)).mean()),
        "accuracy": float(((probability > 0.4) == target).mean()),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": precision,
        "f1": 2 * precision * sensitivity / max(precision + sensitivity, 1e-9),
        **calibration(target, probability, ""),
        **calibration(target, 0.5 * probability + 0.5 * target.mean(), "_recalibrated"),
    }


def calibration(target: np.ndarray, probability: np.ndarray, after: str) -> dict[str, float]:
    """Rough figures: only their names and sizes matter."""
    off = float(target.mean() - probability.mean())
    intercept, slope = 8 * off, 1 - 2 * abs(off)
    return {
        f"brier{after}": float(((probability - target) ** 2).mean()),
        f"ece{after}": abs(off),
        f"calibration_intercept{after}": intercept,
        f"calibration_slope{after}": slope,
        f"intercept_error{after}": abs(intercept),
        f"slope_error{after}": abs(slope - 1),
    }


def curves(arm: str, role: str, name: str, target: np.ndarray, probability: np.ndarray) -> list[dict]:
    order = np.argsort(-probability)
    hits, misses = np.cumsum(target[order]), np.cumsum(~target[order])
    recall, fallout = hits / hits[-1], misses / misses[-1]
    precision = hits / np.arange(1, len(hits) + 1)
    base = {"arm": arm, "role": role, "class": name}
    n = len(target)

    def row(curve, x, y, width, count):
        low, high = max(0.0, y - width), min(1.0, y + width)
        return {**base, "curve": curve, "x": float(x), "y": float(y), "low": low, "high": high, "n": int(count)}

    rows = [row("roc", 0, 0, 0, n)]
    rows += [row("roc", x, y, 0.07, n) for x, y in zip(fallout, recall, strict=True)]
    rows += [row("precision-recall", x, y, 0.09, n) for x, y in zip(recall, precision, strict=True)]
    edges = np.quantile(probability, np.linspace(0, 1, 9))
    for low, high in pairwise(edges):
        inside = (probability >= low) & (probability <= high)
        rows.append(row("calibration", probability[inside].mean(), target[inside].mean(), 0.1, inside.sum()))
    return rows
