"""What this stage fits to data, on record, and checked like everything that was fitted before the audit."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from asclepius import tables
from asclepius.audit.assignment import Assignment
from asclepius.audit.findings import lines, refusal, table
from asclepius.audit.fits import check_later
from asclepius.audit.schema import FINDINGS
from asclepius.errors import StudyError
from asclepius.evaluate.cases import Run, Scores
from asclepius.provenance import fit_record, write_json

ROLE = "validation"


def record(path: Path, fitted: Mapping[Run, Scores], what: list[str], images: pd.DataFrame) -> None:
    """Write evaluate/fits.json.

    Args:
        fitted: each run to the scores it was fitted to.
        what: "threshold", "recalibration".
        images: quality/images.
    """
    tokens = images["image"].to_numpy()
    fits = [
        {"arm": run.arm, "fold": run.fold, "seed": run.seed} | fit_record(name, [ROLE], tokens[scores.image])
        for run, scores in fitted.items()
        for name in what
    ]
    tables.write_text(path, write_json({"fits": fits}))


def check(path: Path, images: pd.DataFrame, folds: pd.DataFrame, findings: Path) -> None:
    """Prove from the record that nothing was fitted to other than validation images, and write the findings.

    Args:
        path: evaluate/fits.json.
        images, folds: quality/images and split/folds.

    Raises:
        StudyError: something saw images it must not.
    """
    fits = json.loads(Path(path).read_text(encoding="utf-8"))["fits"]
    found = list(check_later(fits, Assignment.of(images, folds)))
    print("\n".join(lines(found)))
    tables.write(findings, table(found), FINDINGS)
    if message := refusal(found):
        raise StudyError(message)
