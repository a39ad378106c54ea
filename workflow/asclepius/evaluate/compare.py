"""Differences of arms to a reference arm, on the same patients and in the same draws."""

from collections.abc import Mapping, Sequence

import numpy as np

from asclepius.errors import StudyError
from asclepius.evaluate import delong
from asclepius.evaluate.bootstrap import interval
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.catalogue import DISTANCES, METRICS
from asclepius.evaluate.estimates import ALL, groups, reported
from asclepius.evaluate.table import Estimates
from asclepius.task import Task

DELONG = "p: clustered DeLong, Holm over arms"


def reference_arm(arms: Sequence[str], wanted: str | None) -> str:
    """The arm the others are compared with.

    Raises:
        StudyError: the settings name an arm that does not exist.
    """
    if wanted is not None and wanted not in arms:
        raise StudyError(f"config: evaluate.reference: no arm {wanted!r}; the study has {', '.join(arms)}")
    return wanted or ("none" if "none" in arms else arms[0])


def difference_rows(
    measured: Mapping[str, Estimates],
    cases: Mapping[str, Sequence[Cases]],
    reference: str,
    role: str,
    task: Task,
    confidence: float,
) -> list[dict]:
    """Arm minus reference for every metric, of all classes together and of each.

    Args:
        measured: arm to its figures, all measured with one set of draws.
        cases: arm to the replicates those figures are means of.
    """
    out = []
    others = [arm for arm in measured if arm != reference]
    for g, name in enumerate(groups(task)):
        p = np.full(len(others), np.nan)
        if name != ALL or task.kind == "binary":
            column = max(g - 1, 0)
            p = np.array([_p(cases[arm], cases[reference], column) for arm in others])
        holm = delong.holm(p)
        for number, arm in enumerate(others):
            for metric in reported(name, task):
                tested = metric == "auc" and not np.isnan(p[number])
                row = _difference(measured[arm], measured[reference], g, metric, confidence)
                out.append(
                    {"arm": arm, "reference": reference, "role": role, "class": name, "metric": metric}
                    | row
                    | {"p": p[number] if tested else np.nan, "p_holm": holm[number] if tested else np.nan}
                    | {"note": "; ".join(text for text in (row["note"], DELONG if tested else "") if text)}
                )
    return out


def _difference(arm: Estimates, reference: Estimates, group: int, metric: str, confidence: float) -> dict:
    place = group, METRICS.index(metric)
    bounds = interval(
        arm.overall.values[place] - reference.overall.values[place], confidence, centred=metric in DISTANCES
    )
    seeds = [seed for fold, seed in arm.found if fold == ALL and seed != ALL]
    single = [arm.found[ALL, s].values[place][0] - reference.found[ALL, s].values[place][0] for s in seeds]
    agree = int(sum(np.sign(single) == np.sign(bounds.value)))
    return {"value": bounds.value, "low": bounds.low, "high": bounds.high, "n": arm.overall.n, "note": bounds.note} | {
        "seeds": len(seeds),
        "agree": agree,
    }


def _p(arm: Sequence[Cases], reference: Sequence[Cases], column: int) -> float:
    """Of the difference of mean AUCs over replicates, all of the same images."""
    every = [*arm, *reference]
    if any(not np.array_equal(part.image, every[0].image) for part in every):
        return float("nan")
    scores = np.stack([part.probability[:, column] for part in every], axis=1)
    auc, variance = delong.covariance(every[0].target[:, column], scores, every[0].patient)
    contrast = np.r_[np.full(len(arm), 1 / len(arm)), np.full(len(reference), -1 / len(reference))]
    return delong.p_value(auc, variance, contrast)
