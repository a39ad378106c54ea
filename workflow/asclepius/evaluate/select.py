"""The choice of an arm, and of the run to keep, from validation figures alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asclepius.errors import StudyError
from asclepius.evaluate.cases import Run
from asclepius.evaluate.catalogue import LOWER_IS_BETTER, TITLES


@dataclass(frozen=True)
class Choice:
    """Args:
    run: the arm, and its run with the best validation value.
    validation: arm to its mean validation value.
    """

    run: Run
    metric: str
    validation: dict[str, float]
    sentence: str


def choose(values: Mapping[Run, float], metric: str) -> Choice:
    """The arm with the best mean over folds and seeds; ties by name, then by fold and seed.

    Args:
        values: each run's value of the metric on its own validation images; NaN never wins.

    Raises:
        StudyError: the metric is undefined in every arm.
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    arms: dict[str, list[float]] = {}
    for run, value in values.items():
        arms.setdefault(run.arm, []).append(value)
    means = {arm: float(np.mean(found)) for arm, found in arms.items()}
    ranked = sorted(
        (arm for arm in means if not np.isnan(means[arm])), key=lambda arm: (-sign * round(means[arm], 12), arm)
    )
    if not ranked:
        raise StudyError(
            f"evaluate.primary: {metric} is undefined on the validation images of every arm: a fold lacks a class or "
            "nothing is ever called positive; use fewer folds, a larger split.validation, or primary: auc"
        )
    best = ranked[0]
    run = min((run for run in values if run.arm == best), key=lambda run: (-sign * values[run], run.fold, run.seed))
    return Choice(run, metric, means, _sentence(ranked, means, metric, run, len(arms[best])))


def _sentence(ranked: list[str], means: dict[str, float], metric: str, run: Run, runs: int) -> str:
    name, word = TITLES[metric], "lowest" if metric in LOWER_IS_BETTER else "highest"
    name = name if metric in ("auc", "f1", "brier") else name.lower()
    over = f", mean of {runs} runs" if runs > 1 else ""
    if len(means) == 1:
        text = f"The only arm is {ranked[0]}: validation {name} {means[ranked[0]]:.3f}{over}."
    else:
        text = f"Arm {ranked[0]} has the {word} validation {name}, {means[ranked[0]]:.3f}{over}"
        text += f"; next is {ranked[1]} with {means[ranked[1]]:.3f}." if len(ranked) > 1 else "."
    return f"{text} The model kept is its run of fold {run.fold}, seed {run.seed}. No test image had a part in this."
