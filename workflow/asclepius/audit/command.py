"""The audit stage."""

from pathlib import Path

from asclepius import tables as tables_
from asclepius.audit.assignment import Assignment
from asclepius.audit.examples import check_table
from asclepius.audit.findings import lines, refusal, table
from asclepius.audit.fits import Fit, check_fits, check_plan, read_fits
from asclepius.audit.latent import check_latent
from asclepius.audit.places import arm_of, recipe_of
from asclepius.audit.predictions import Predictions
from asclepius.audit.roles import check_roles
from asclepius.audit.schema import FINDINGS
from asclepius.balance.schema import TABLE
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import StudyError
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import DROPPED, FOLDS
from asclepius.train.schema import PREDICTIONS


def run(
    *,
    images: Path,
    folds: Path,
    dropped: Path,
    tables: list[Path],
    fits: list[Path],
    predictions: list[Path],
    findings: Path,
    manifest: Path | None = None,
    plan_fits: Path | None = None,
    demonstration: bool = False,
) -> None:
    """Prove that nothing leaked between training, validation and test, or stop the study.

    Args:
        images: of the quality stage; folds, dropped: of the split.
        tables: training tables, .../balance/<recipe>/fold-<k>/table.parquet.
        fits: fits.json of the balance and train stages.
        predictions: of the train stage.
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
    synthetic = set()
    for path in tables:
        recipe, fold = recipe_of(path)
        for finding in check_table(tables_.read(path, TABLE), recipe, fold, assignment):
            found.append(finding)
            if finding.check.startswith("synthetic"):
                synthetic.add(finding.subject)
    records: dict[str, list[Fit]] = {}
    for path in fits:
        for subject, each in read_fits(path).items():
            records.setdefault(subject, []).extend(each)
        found += check_latent(path, assignment)
    found += check_fits(records, synthetic, assignment)
    if plan_fits:
        found.append(check_plan(plan_fits, tables_.read(manifest, MANIFEST)))
    predicted = Predictions(assignment)
    for path in predictions:
        predicted.add(arm_of(path), tables_.read(path, PREDICTIONS))
    found += predicted.findings()
    print("\n".join(lines(found)))
    tables_.write(findings, table(found), FINDINGS)
    if (message := refusal(found)) and not demonstration:
        raise StudyError(message)
