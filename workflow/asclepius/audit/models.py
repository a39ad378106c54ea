"""Checks of what was kept: each model's preprocessing carries the digest of its fold, and each fit left a record."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from asclepius.audit.assignment import Assignment
from asclepius.audit.fits import Fit
from asclepius.errors import StudyError
from asclepius.train.preprocess import Preprocess


def problems(runs: pd.DataFrame, fits: list[Fit], results: Path, assignment: Assignment) -> Iterator[tuple[str, str]]:
    """What is wrong with the runs of one arm, with the subject it concerns.

    Args:
        runs: train/runs of the arm.
        fits: its records.
        results: results/{study}, which paths in `runs` are relative to.

    Raises:
        StudyError: a preprocess.json is missing or is none.
    """
    for run in runs.itertuples(index=False):
        subject, name = f"arm {run.arm} fold {run.fold}", f"seed {run.seed}"
        preprocess = _read(Path(results) / run.preprocess)
        expected, n = assignment.expected_digest(run.fold, ("train",))
        if preprocess.fitted and preprocess.images != expected:
            yield subject, f"the preprocessing kept with {name} was not fitted to the {n} train images of this fold"
        recorded = {fit.what for fit in fits if fit.fold == run.fold and fit.seed in (run.seed, None)}
        for what in [*preprocess.fitted, *_owed(run)]:
            if what not in recorded:
                yield subject, f"{what} of {name} has no record of the images it was fitted to"


def _owed(run) -> Iterator[str]:
    if run.model.endswith(".skops"):
        yield "feature standardisation"
    elif run.best_epoch != run.epochs:  # not the last, so something chose it
        yield "best epoch"


def _read(path: Path) -> Preprocess:
    try:
        return Preprocess.read(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"audit: {path} is not a model's preprocessing ({error!r}); delete train/ and run again"
        ) from None
