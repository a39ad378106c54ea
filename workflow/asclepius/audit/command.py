"""The audit stage."""

from collections import defaultdict
from pathlib import Path

from asclepius import tables as tables_
from asclepius.audit.assignment import Assignment
from asclepius.audit.examples import check_table, sources
from asclepius.audit.findings import lines, refusal, table
from asclepius.audit.fits import Fit, check_fits, check_plan, read_fits
from asclepius.audit.latent import check_latent
from asclepius.audit.models import problems
from asclepius.audit.places import arm_of, recipe_of
from asclepius.audit.predictions import Predictions
from asclepius.audit.roles import check_roles
from asclepius.audit.schema import FINDINGS
from asclepius.balance.schema import TABLE
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import StudyError
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import DROPPED, FOLDS
from asclepius.task import Task
from asclepius.train.schema import PREDICTIONS, RUNS


def run(
    *,
    images: Path,
    task: Path,
    folds: Path,
    dropped: Path,
    tables: list[Path],
    fits: list[Path],
    runs: list[Path],
    predictions: list[Path],
    results: Path,
    findings: Path,
    manifest: Path | None = None,
    plan_fits: Path | None = None,
    demonstration: bool = False,
) -> None:
    """Prove that nothing leaked between training, validation and test, or stop the study.

    Args:
        images, task: of the quality stage; folds, dropped: of the split.
        tables: training tables, .../balance/<recipe>/fold-<k>/table.parquet.
        fits: fits.json of the balance and train stages.
        runs, predictions: of the train stage.
        results: results/{study}, which paths in `runs` are relative to: the models' preprocessing is read.
        findings: one row per check and subject.
        manifest: of the de-identified images, where the grid was planned.
        plan_fits: fits.json of the plan; None if the grid is the config's.
        demonstration: record what leaked and go on.

    Raises:
        StudyError: listing what leaked.
    """
    assigned = tables_.read(folds, FOLDS)
    assignment = Assignment.of(tables_.read(images, IMAGES), assigned)
    found = list(check_roles(assignment, assigned, tables_.read(dropped, DROPPED)))
    del assigned
    owed: dict[str, set[str]] = {}
    for path in tables:
        recipe, fold = recipe_of(path)
        examples = tables_.read(path, TABLE)
        found += check_table(examples, recipe, fold, assignment)
        owed[f"balance {recipe} fold {fold}"] = sources(examples)
    records: dict[str, list[Fit]] = {}
    for path in fits:
        for subject, each in read_fits(path).items():
            records.setdefault(subject, []).extend(each)
        found += check_latent(path, assignment)
    predicted, kept = Predictions(assignment, Task.read(task)), defaultdict(list)
    for path in runs:
        fitted = tables_.read(path, RUNS)
        predicted.expect(fitted)
        of_arm = [
            fit for subject, each in records.items() if subject.startswith(f"arm {arm_of(path)} ") for fit in each
        ]
        for subject, problem in problems(fitted, of_arm, results, assignment):
            kept[subject].append(problem)
        owed |= {f"arm {arm} fold {fold}": set() for arm, fold in zip(fitted["arm"], fitted["fold"], strict=True)}
    found += check_fits(records, owed, kept, assignment)
    if plan_fits:
        found.append(check_plan(plan_fits, tables_.read(manifest, MANIFEST)))
    for path in predictions:
        predicted.add(arm_of(path), tables_.read(path, PREDICTIONS))
    found += predicted.findings()
    print("\n".join(lines(found)))
    tables_.write(findings, table(found), FINDINGS)
    if (message := refusal(found)) and not demonstration:
        raise StudyError(message)
