"""All metrics of a set of cases, in every bootstrap draw at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from asclepius.evaluate import metrics
from asclepius.evaluate.bootstrap import Draws, interval
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.settings import Metric
from asclepius.task import Task

METRICS: tuple[str, ...] = get_args(Metric)
RANKED = ("auc", "average_precision", "brier")  # need no decision
ALL = "all"
DECIDED = {
    "accuracy": metrics.accuracy,
    "balanced_accuracy": metrics.balanced_accuracy,
    "sensitivity": metrics.sensitivity,
    "specificity": metrics.specificity,
    "precision": metrics.precision,
    "f1": metrics.f1,
}


@dataclass(frozen=True)
class Estimate:
    """Args:
    values: shape (groups, metrics, draws + 1): groups are "all", then each class when there are more than two;
        metrics in the order of METRICS; the first draw is the sample itself.
    patients: codes of the patients seen.
    """

    values: np.ndarray
    patients: np.ndarray

    @property
    def n(self) -> int:
        return len(self.patients)

    def overall(self, metric: str) -> np.ndarray:
        """Draws of a metric over all classes, shape (draws + 1,)."""
        return self.values[0, METRICS.index(metric)]


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over seeds or folds, draw by draw."""
    if len(estimates) == 1:
        return estimates[0]
    patients = np.unique(np.concatenate([e.patients for e in estimates]))
    return Estimate(np.mean([e.values for e in estimates], axis=0), patients)


def groups(task: Task) -> list[str]:
    """Names of an estimate's groups."""
    return [ALL] if task.kind == "binary" else [ALL, *task.classes]


def estimate(cases: Cases, task: Task, draws: Draws) -> Estimate:
    """Every metric of METRICS for all classes together and, beyond two, for each against the rest."""
    number = cases.target.shape[1]
    rankings = [metrics.Ranking(cases.target[:, c], cases.probability[:, c]) for c in range(number)]
    right = np.all(cases.target == cases.decision, axis=1).astype(np.float64)
    values = np.empty((len(groups(task)), len(METRICS), draws.number + 1))
    for part, weights in draws.chunks(cases.patient):
        single = np.stack([_one(cases, c, rankings[c], weights) for c in range(number)])
        values[-number:, :, part] = single
        if task.kind != "binary":
            values[0, :, part] = _together(task, single, right, weights)
    return Estimate(values, np.unique(cases.patient))


def _one(cases: Cases, column: int, ranking: metrics.Ranking, weights: np.ndarray) -> np.ndarray:
    target = cases.target[:, column]
    counts = metrics.count(target, cases.decision[:, column], weights)
    found = {name: function(counts) for name, function in DECIDED.items()}
    found["auc"] = ranking.auc(weights)
    found["average_precision"] = ranking.average_precision(weights)
    found["brier"] = metrics.brier(target, cases.probability[:, column], weights)
    return np.stack([found[name] for name in METRICS])


def _together(task: Task, single: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Macro averages; with exclusive classes accuracy, balanced accuracy and Brier score have their own definitions."""
    macro = single.mean(axis=0)
    if task.kind == "multiclass":
        macro[METRICS.index("accuracy")] = metrics.weighted_mean(right, weights)
        macro[METRICS.index("balanced_accuracy")] = macro[METRICS.index("sensitivity")]
        macro[METRICS.index("brier")] = single[:, METRICS.index("brier")].sum(axis=0)
    return macro


def rows(found: Estimate, names: Sequence[str], confidence: float, note: str = "", decided: str = "") -> list[dict]:
    """Rows of evaluate/metrics without the columns that say whose they are.

    Args:
        names: of the groups wanted, a leading part of `groups`.
        note: for every row.
        decided: a further note for metrics that rest on a decision.
    """
    out = []
    for g, name in enumerate(names):
        for m, metric in enumerate(METRICS):
            bounds = interval(found.values[g, m], confidence)
            notes = [bounds.note, note, "" if metric in RANKED else decided]
            out.append(
                {"class": name, "metric": metric, "value": bounds.value, "low": bounds.low, "high": bounds.high}
                | {"n": found.n, "note": "; ".join(text for text in notes if text)}
            )
    return out
