"""Checks of what was fitted to data: the right roles, and exactly their images."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from asclepius.audit.assignment import CODE, Assignment
from asclepius.audit.findings import Finding, number
from asclepius.audit.places import arm_of, recipe_of
from asclepius.errors import StudyError
from asclepius.provenance import digest
from asclepius.resample.schema import FIXED_TEST

# What may look at validation patients; everything else is fitted to training images alone, and nothing to test.
ON_VALIDATION = frozenset({"best epoch", "threshold", "temperature", "recalibration"})


@dataclass(frozen=True)
class Fit:
    """One record of a fits.json; see `provenance.fit_record`."""

    subject: str
    what: str
    fold: int
    roles: tuple[str, ...]
    images: str
    n: int


def read_fits(path: Path) -> dict[str, list[Fit]]:
    """Records by subject ("balance smote fold 0", "arm convnet fold 0").

    Raises:
        StudyError: the file is not a fits.json, or its fold is not that of its path.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, list[Fit]] = defaultdict(list)
        if "fold" in document:
            recipe, fold = recipe_of(path)
            if document["fold"] != fold:
                raise StudyError(f"audit: {path} says that it is of fold {document['fold']}; delete it and run again")
            subject = f"balance {recipe} fold {fold}"
            found[subject] = [_fit(subject, record, fold) for record in document["fits"]]
            return found
        arm = arm_of(path)
        for record in document["fits"]:
            subject = f"arm {arm} fold {record['fold']}"
            found[subject].append(_fit(subject, record, record["fold"]))
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(f"audit: {path} is not a record of fits ({error!r}); delete it and run again") from None


def _fit(subject: str, record: dict, fold: int) -> Fit:
    return Fit(subject, record["what"], int(fold), tuple(record["roles"]), record["images"], int(record["n"]))


def check_fits(fits: dict[str, list[Fit]], synthetic: set[str], assignment: Assignment) -> Iterator[Finding]:
    """One finding per subject.

    Args:
        fits: records by subject.
        synthetic: subjects whose training table has synthetic images: they must record what made them.
    """
    check = "fitted to the images it may see"
    for subject in sorted(fits.keys() | synthetic):
        records = fits.get(subject, [])
        problems = [problem for record in records if (problem := _problem(record, assignment))]
        if subject in synthetic and not records:
            problems.append("there are synthetic images but no record of what they were made from")
        if problems:
            sentence = f"Something saw images it must not: {'; '.join(dict.fromkeys(problems))}."
        elif records:
            names = ", ".join(f"{fit.what} ({' and '.join(fit.roles)})" for fit in dict.fromkeys(map(_kind, records)))
            sentence = f"Everything fitted to data saw exactly the images it may see: {names}."
        else:
            sentence = "Nothing was fitted to data."
        yield Finding(check, subject, not problems, len(records), sentence)


def check_later(records: list[dict], assignment: Assignment) -> Iterator[Finding]:
    """What a stage behind the audit fitted, e.g. thresholds and recalibration: one finding per arm and fold.

    Args:
        records: of `provenance.fit_record`, with arm and fold (and seed).
    """
    found: dict[str, list[Fit]] = defaultdict(list)
    for record in records:
        subject = f"arm {record['arm']} fold {record['fold']}"
        found[subject].append(_fit(subject, record, record["fold"]))
    for finding in check_fits(found, set(), assignment):
        yield replace(finding, check=f"decisions {finding.check}")


def check_plan(path: Path, released: pd.DataFrame) -> Finding:
    """Whether the grid was planned from headers of images outside the fixed test set alone.

    Args:
        path: fits.json of the resample stage.
        released: deidentify/manifest.

    Raises:
        StudyError: the file is not a record of fits.
    """
    try:
        record = _fit("plan", json.loads(Path(path).read_text(encoding="utf-8"))["fits"][0], -1)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise StudyError(f"audit: {path} is not a record of fits ({error!r}); delete it and run again") from None
    allowed = released.loc[~released["official"].isin(FIXED_TEST), "image"]
    passed = record.images == digest(allowed)
    sentence = (
        f"The {record.what} was planned from the headers (size and spacing; no label, no intensity) of exactly the "
        f"{number(len(allowed), 'image')} outside a fixed test set and a second source."
        if passed
        else f"The {record.what} was planned from {number(record.n, 'image')} that are not the {len(allowed)} outside "
        "a fixed test set and a second source."
    )
    return Finding("planned from geometry alone", "grid", passed, record.n, sentence)


def _kind(fit: Fit) -> Fit:
    return Fit(fit.subject, fit.what, fit.fold, fit.roles, "", 0)


def _problem(fit: Fit, assignment: Assignment) -> str | None:
    allowed = {"train", "validation"} if fit.what in ON_VALIDATION else {"train"}
    if fit.fold not in assignment.folds:
        return f"{fit.what} names fold {fit.fold}, which does not exist"
    if not fit.roles or not set(fit.roles) <= CODE.keys():
        return f"{fit.what} does not say what images it was fitted to"
    if not set(fit.roles) <= allowed:
        return f"{fit.what} was fitted to {' and '.join(fit.roles)} images; it may see {' and '.join(sorted(allowed))}"
    images, n = assignment.expected_digest(fit.fold, fit.roles)
    if images != fit.images:
        return (
            f"{fit.what} was fitted to {number(fit.n, 'image')} that are not the {n} {' and '.join(fit.roles)} "
            "images of this fold"
        )
    return None
