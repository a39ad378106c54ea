"""Differences of arms to a reference arm, on the same patients and in the same draws."""

from collections.abc import Mapping, Sequence

import numpy as np

from asclepius.errors import StudyError
from asclepius.evaluate import delong
from asclepius.evaluate.bootstrap import interval
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.estimates import METRICS, Estimate
from asclepius.task import Task

DELONG = "p: clustered DeLong, not corrected for the number of arms"


def reference_arm(arms: Sequence[str], wanted: str | None) -> str:
    """The arm the others are compared with.

    Raises:
        StudyError: the settings name an arm that does not exist.
    """
    if wanted is not None and wanted not in arms:
        raise StudyError(f"config: evaluate.reference: no arm {wanted!r}; the study has {', '.join(arms)}")
    return wanted or ("none" if "none" in arms else arms[0])


def difference_rows(
    estimates: Mapping[str, Estimate],
    cases: Mapping[str, Sequence[Cases]],
    reference: str,
    role: str,
    task: Task,
    confidence: float,
) -> list[dict]:
    """Arm minus reference for every metric of all classes together.

    Args:
        estimates: arm to its figures, all measured with one set of draws.
        cases: arm to the replicates those figures are means of.
    """
    out = []
    for arm, measured in estimates.items():
        if arm == reference:
            continue
        p = _p(cases[arm], cases[reference]) if task.kind == "binary" else np.nan
        for metric in METRICS:
            bounds = interval(measured.overall(metric) - estimates[reference].overall(metric), confidence)
            tested = metric == "auc" and not np.isnan(p)
            out.append(
                {
                    "arm": arm,
                    "reference": reference,
                    "role": role,
                    "metric": metric,
                    "value": bounds.value,
                    "low": bounds.low,
                    "high": bounds.high,
                    "n": measured.n,
                    "p": p if tested else np.nan,
                    "note": "; ".join(text for text in (bounds.note, DELONG if tested else "") if text),
                }
            )
    return out


def _p(arm: Sequence[Cases], reference: Sequence[Cases]) -> float:
    """Of the difference of mean AUCs over replicates, all of the same images."""
    every = [*arm, *reference]
    if any(not np.array_equal(part.image, every[0].image) for part in every):
        return float("nan")
    scores = np.stack([part.probability[:, 0] for part in every], axis=1)
    auc, variance = delong.covariance(every[0].target[:, 0], scores, every[0].patient)
    contrast = np.r_[np.full(len(arm), 1 / len(arm)), np.full(len(reference), -1 / len(reference))]
    return delong.p_value(auc, variance, contrast)
