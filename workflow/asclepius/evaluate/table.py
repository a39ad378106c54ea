"""Rows of the metrics table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asclepius.evaluate.bootstrap import Draws
from asclepius.evaluate.cases import Cases, pooled
from asclepius.evaluate.catalogue import DECIDED, RECALIBRATED
from asclepius.evaluate.estimates import ALL, Estimate, estimate, groups, mean, reported, rows
from asclepius.evaluate.settings import EvaluateSettings
from asclepius.evaluate.subgroups import FEWEST
from asclepius.task import Task

SINGLE = "each image counted as its own patient"
CHOSEN = "thresholds were chosen on these images"
FITTED = "recalibration was fitted to these images"
POOLED = "folds pooled"


@dataclass(frozen=True)
class Estimates:
    """One arm and role: `fold` and `seed` as in the table, numbers or "all", to what was measured."""

    found: Mapping[tuple[str, str], Estimate]

    @property
    def overall(self) -> Estimate:
        return self.found[ALL, ALL]


def estimates(
    runs: Mapping[tuple[int, int], Cases], role: str, task: Task, draws: Draws, specificity: float
) -> Estimates:
    """Every fold and seed of an arm, then folds together, then seeds together.

    Args:
        runs: (fold, seed) to cases of one arm and role.
    """
    folds, seeds = sorted({fold for fold, _ in runs}), sorted({seed for _, seed in runs})
    single = {
        (str(fold), str(seed)): estimate(runs[fold, seed], task, draws, specificity) for fold in folds for seed in seeds
    }
    found = {}
    for seed in seeds:
        if role == "test" and len(folds) > 1:
            found[ALL, str(seed)] = estimate(pooled(dict(runs), seed), task, draws, specificity)
        else:
            found[ALL, str(seed)] = mean([single[str(fold), str(seed)] for fold in folds])
    found[ALL, ALL] = mean([found[ALL, str(seed)] for seed in seeds])
    for fold in folds:
        found[str(fold), ALL] = mean([single[str(fold), str(seed)] for seed in seeds])
    order = [ALL, *map(str, folds)], [ALL, *map(str, seeds)]
    found |= single
    return Estimates({(fold, seed): found[fold, seed] for fold in order[0] for seed in order[1]})


def metric_rows(
    found: Estimates, arm: str, role: str, task: Task, settings: EvaluateSettings, single_images: bool
) -> list[dict]:
    """Rows of all images, for every fold and seed."""
    out = []
    note = SINGLE if single_images else ""
    flattered = dict.fromkeys(RECALIBRATED, FITTED) if role == "validation" else {}
    if role == "validation" and task.kind != "multiclass" and settings.threshold != "half":
        flattered |= dict.fromkeys(DECIDED, CHOSEN)
    folds = len({fold for fold, _ in found.found}) - 1
    for (fold, seed), measured in found.found.items():
        notes = [POOLED if role == "test" and fold == ALL and folds > 1 else "", note]
        joined = "; ".join(text for text in notes if text)
        for row in rows(measured, groups(task), task, settings.confidence, joined, flattered):
            out.append({"arm": arm, "fold": fold, "seed": seed, "role": role, "subgroup": ALL} | row)
    return out


def subgroup_rows(
    cases: list[Cases],
    arm: str,
    role: str,
    task: Task,
    draws: Draws,
    settings: EvaluateSettings,
    members: Mapping[str, np.ndarray],
) -> list[dict]:
    """Rows of each subgroup, folds and seeds together, all classes together.

    Args:
        cases: the arm's replicates.
        members: group name to which images belong.
    """
    out = []
    for name, belongs in members.items():
        parts = [part.take(belongs[part.image]) for part in cases]
        n = len(np.unique(np.concatenate([part.patient for part in parts])))
        if n == 0:
            continue
        head = {"arm": arm, "fold": ALL, "seed": ALL, "role": role, "subgroup": name}
        if n < FEWEST or any(len(part.image) == 0 for part in parts):
            empty = {"class": ALL, "value": np.nan, "low": np.nan, "high": np.nan, "n": n}
            note = f"fewer than {FEWEST} patients" if n < FEWEST else "absent from a fold"
            out += [head | empty | {"metric": metric, "note": note} for metric in reported(ALL, task)]
            continue
        measured = mean([estimate(part, task, draws, settings.specificity) for part in parts])
        out += [head | row for row in rows(measured, [ALL], task, settings.confidence)]
    return out
