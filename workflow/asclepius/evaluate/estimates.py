"""All metrics of a set of cases, in every bootstrap draw at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from asclepius.evaluate import metrics
from asclepius.evaluate.bootstrap import Draws, interval
from asclepius.evaluate.calibration import Calibration
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.catalogue import AFTER, DECIDED, DISTANCES, METRICS, SIGNED
from asclepius.task import Task

ALL = "all"


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


def estimate(cases: Cases, task: Task, draws: Draws, specificity: float) -> Estimate:
    """Every metric of METRICS for all classes together and, beyond two, for each against the rest.

    Args:
        specificity: at which sensitivity is taken.
    """
    number = cases.target.shape[1]
    measures = [_Measures(cases, column, specificity) for column in range(number)]
    right = np.all(cases.target == cases.decision, axis=1).astype(np.float64)
    values = np.empty((len(groups(task)), len(METRICS), draws.number + 1))
    for part, weights in draws.chunks(cases.patient):
        single = np.stack([of_class(weights) for of_class in measures])
        values[-number:, :, part] = single
        if task.kind != "binary":
            values[0, :, part] = _together(task, single, right, weights)
    return Estimate(values, np.unique(cases.patient))


class _Measures:
    """All metrics of one class against the rest."""

    def __init__(self, cases: Cases, column: int, specificity: float):
        self._target, self._decision = cases.target[:, column], cases.decision[:, column]
        self._ranking = metrics.Ranking(self._target, cases.probability[:, column])
        self._before = Calibration(self._target, cases.probability[:, column])
        self._after = Calibration(self._target, cases.recalibrated[:, column])
        self._specificity = specificity

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Shape (metrics, draws)."""
        counts = metrics.count(self._target, self._decision, weights)
        found = {name: getattr(metrics, name)(counts) for name in DECIDED}
        found["auc"] = self._ranking.auc(weights)
        found["average_precision"] = self._ranking.average_precision(weights)
        found["sensitivity_at_specificity"] = self._ranking.sensitivity_at(self._specificity, weights)
        for of, after in ((self._before, ""), (self._after, AFTER)):
            intercept, slope = of.intercept(weights), of.slope(weights)
            found |= {f"brier{after}": of.brier(weights), f"ece{after}": of.ece(weights)}
            found |= {f"calibration_intercept{after}": intercept, f"intercept_error{after}": np.abs(intercept)}
            found |= {f"calibration_slope{after}": slope, f"slope_error{after}": np.abs(slope - 1)}
        return np.stack([found[name] for name in METRICS])


def _together(task: Task, single: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Macro averages; with exclusive classes accuracy, balanced accuracy and Brier score have their own definitions."""
    macro = single.mean(axis=0)
    if task.kind == "multiclass":
        macro[METRICS.index("accuracy")] = metrics.weighted_mean(right, weights)
        macro[METRICS.index("balanced_accuracy")] = macro[METRICS.index("sensitivity")]
        for name in ("brier", f"brier{AFTER}"):
            macro[METRICS.index(name)] = single[:, METRICS.index(name)].sum(axis=0)
    return macro


def reported(name: str, task: Task) -> list[str]:
    """The metrics that a group has: with several classes signed ones of all together say nothing."""
    return [metric for metric in METRICS if not (name == ALL and task.kind != "binary" and metric in SIGNED)]


def rows(
    found: Estimate,
    names: Sequence[str],
    task: Task,
    confidence: float,
    note: str = "",
    flattered: Mapping[str, str] = MappingProxyType({}),
) -> list[dict]:
    """Rows of evaluate/metrics without the columns that say whose they are.

    Args:
        names: of the groups wanted, a leading part of `groups`.
        note: for every row.
        flattered: a further note for some metrics.
    """
    out = []
    for g, name in enumerate(names):
        for metric in reported(name, task):
            distance = metric in DISTANCES
            bounds = interval(found.values[g, METRICS.index(metric)], confidence, centred=distance)
            low = max(bounds.low, 0.0) if distance else bounds.low
            notes = [bounds.note, note, flattered.get(metric, "")]
            out.append(
                {"class": name, "metric": metric, "value": bounds.value, "low": low, "high": bounds.high}
                | {"n": found.n, "note": "; ".join(text for text in notes if text)}
            )
    return out
