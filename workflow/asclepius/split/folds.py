"""Roles of the images in each fold: what is tested, by six methods, and who may then learn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.split.draw import draw
from asclepius.split.groups import Cohort
from asclepius.split.schema import ROLES
from asclepius.split.settings import SplitSettings

TRAIN, VALIDATION, TEST, EXTERNAL, UNLABELLED = range(len(ROLES))
LEFT_OUT = -1
TEST_DRAW, VALIDATION_DRAW = 0, 1  # separate random streams

# Why an image has no role in a fold: reason and sentence of split/dropped.
REASONS = (
    ("copy", "the same pixels as a test image; the test set is never touched"),
    ("near-copy", "looks the same as a test image; the test set is never touched"),
    ("patient", "its patient, or one who shares an image with them, is tested"),
    ("copy", "the same pixels as a validation image"),
    ("near-copy", "looks the same as a validation image"),
    ("patient", "its patient, or one who shares an image with them, is used for validation"),
    ("unlabelled", "meant for validation or test by its source, but without a label"),
)
TESTED, VALIDATED, NO_LABEL = 0, 3, 6


@dataclass(frozen=True)
class Fold:
    """Args:
    role: (images,) index into ROLES, or LEFT_OUT.
    reason: (images,) index into REASONS where the image is left out, else -1.
    """

    role: np.ndarray
    reason: np.ndarray


def make_folds(cohort: Cohort, settings: SplitSettings) -> list[Fold]:
    """The folds of a study; there are `settings.count`.

    Raises:
        StudyError: the data do not allow the method, with what to write instead.
    """
    if settings.method == "naive":
        cohort = _torn(cohort)
    if not cohort.usable.any():
        raise StudyError("split: no labelled image to split; see quality/quarantine.csv for what was set aside")
    validation = None
    meant = cohort.external & ~cohort.labelled
    match settings.method:
        case "official":
            official = cohort.images["official"]
            tested = [_official_test(cohort)]
            meant = ~cohort.labelled & official.isin(["validation", "test", "external"]).to_numpy()
            given = cohort.usable & (official == "validation").to_numpy(dtype=bool)
            validation = given if given.any() else None
        case "holdout":
            _require(cohort, 3, "one to train, one to validate, one to test")
            part = _draw_groups(cohort, cohort.usable, [1 - settings.test, settings.test], [settings.seed, TEST_DRAW])
            tested = [cohort.usable & (part[cohort.group] == 1)]
        case "kfold" | "naive":
            _require_folds(cohort, settings.folds)
            shares = [1 / settings.folds] * settings.folds
            part = _draw_groups(cohort, cohort.usable, shares, [settings.seed, TEST_DRAW])
            tested = [cohort.usable & (part[cohort.group] == fold) for fold in range(settings.folds)]
        case "leave_one_site_out":
            tested = list(_sites(cohort, settings.folds))
        case "temporal":
            tested = [_latest(cohort, settings)]
    made = []
    for number, test in enumerate(tested):
        fold = _assign(cohort, test, validation, meant, settings.validation, [settings.seed, VALIDATION_DRAW, number])
        _check_classes(cohort, fold, number, settings)
        made.append(fold)
    return made


def _torn(cohort: Cohort) -> Cohort:
    """The cohort as the commonest mistake sees it: every image a patient of its own, no two alike."""
    each = np.arange(len(cohort.images))
    return replace(cohort, group=each, content=each, look=np.full(len(each), -1))


def _draw_groups(cohort: Cohort, some: np.ndarray, shares: list[float], seed: list[int]) -> np.ndarray:
    """Part of each group that has any of some images, -1 for the others: integers (groups,)."""
    part = np.full(cohort.groups, -1)
    here = np.unique(cohort.group[some])
    part[here] = draw(cohort.counts(some)[here], shares, np.random.default_rng(seed))
    return part


def _assign(
    cohort: Cohort,
    tested: np.ndarray,
    validation: np.ndarray | None,
    meant: np.ndarray,
    share: float,
    seed: list[int],
) -> Fold:
    """Roles of one fold, given what is tested: test goes before validation, and validation before training.

    Args:
        tested: (images,) mask.
        validation: (images,) mask of the source's own; None carves `share` of the groups that are left.
        meant: (images,) mask of unlabelled images that were meant to be tested: they must not teach either.
    """
    role = np.where(cohort.labelled, TRAIN, UNLABELLED)
    reason = np.full(len(role), -1)
    role[tested], role[cohort.external] = TEST, EXTERNAL
    role[meant], reason[meant] = LEFT_OUT, NO_LABEL

    def give_way(kept: np.ndarray, to: np.ndarray, first: int) -> None:
        # Whole groups give way: the rest of a patient's images tells as much as a copy does.
        out = np.isin(role, to) & cohort.touched(kept) & ~kept
        copies = np.isin(cohort.content, cohort.content[kept])
        near = np.isin(cohort.look, cohort.look[kept & (cohort.look >= 0)])
        role[out] = LEFT_OUT
        reason[out] = first + np.select([copies[out], near[out]], [0, 1], 2)

    held = np.isin(role, [TEST, EXTERNAL])
    give_way(held, np.array([TRAIN, UNLABELLED]), TESTED)
    if validation is None:
        left = role == TRAIN
        part = _draw_groups(cohort, left, [1 - share, share], seed)
        role[left & (part[cohort.group] == 1)] = VALIDATION
    else:
        role[validation & (role == TRAIN)] = VALIDATION
    give_way(role == VALIDATION, np.array([TRAIN, UNLABELLED]), VALIDATED)
    return Fold(role, reason)


# --- what is tested -------------------------------------------------------------------------------------------------


def _official_test(cohort: Cohort) -> np.ndarray:
    official = cohort.images["official"]
    own = cohort.usable
    if official[own].isna().all():
        raise StudyError(
            "split.method official: the source has no split of its own; name its column in cohort.official, "
            "or write split.method: holdout or kfold"
        )
    unnamed = int(official[own].isna().sum())
    if unnamed:
        raise StudyError(
            f"split.method official: {unnamed} of {own.sum()} labelled images have no role in the source's split; "
            "fill the column cohort.official names, or write split.method: holdout"
        )
    unknown = sorted(set(official[own]) - {"train", "validation", "test"})
    if unknown:
        raise StudyError(f"split.method official: role {unknown[0]!r} is none of train, validation, test")
    for name in ("train", "test"):
        if not (official[own] == name).any():
            raise StudyError(
                f"split.method official: the source's split has no {name} images; write split.method: holdout or kfold"
            )
    return own & (official == "test").to_numpy(dtype=bool)


def _sites(cohort: Cohort, folds: int) -> Iterator[np.ndarray]:
    site = cohort.images["site"]
    missing = int(site[cohort.usable].isna().sum())
    if missing:
        raise StudyError(
            f"split.method leave_one_site_out: {missing} of {cohort.usable.sum()} labelled images have no site; "
            "name the column in cohort.site and fill it, or write split.method: kfold"
        )
    names = site[cohort.usable].unique()  # in order of position, whatever the codes
    if len(names) < 2:
        raise StudyError("split.method leave_one_site_out: all images come from one site; write split.method: kfold")
    if len(names) != folds:
        raise StudyError(
            f"split.method leave_one_site_out: the cohort has {len(names)} sites, split.folds is {folds}; "
            f"write split.folds: {len(names)}"
        )
    for name in names:
        yield cohort.usable & (site == name).to_numpy(dtype=bool)


def _latest(cohort: Cohort, settings: SplitSettings) -> np.ndarray:
    """The groups seen last, cut between two different times so that all training is earlier than the cut."""
    when = _times(cohort, settings.order)
    latest = pd.Series(when[cohort.usable]).groupby(cohort.group[cohort.usable]).max()
    values, count = np.unique(latest, return_counts=True)
    if len(values) < 2:
        raise StudyError(
            f"split.order {settings.order}: all patients have the same value; write split.method: holdout or kfold"
        )
    share = count[::-1].cumsum()[::-1][1:] / len(latest)  # of groups from each value on
    cut = values[1:][np.argmin(np.abs(share - settings.test))]
    late = latest.index[latest >= cut]
    tested = cohort.usable & np.isin(cohort.group, late)
    if cohort.task.kind != "multilabel" and cohort.targets[tested].any(axis=0).sum() < 2:
        raise StudyError(
            f"split.method temporal: the {len(late)} patients seen last are all of one class; "
            "write a larger split.test, or split.method: kfold"
        )
    return tested


def _times(cohort: Cohort, column: str) -> np.ndarray:
    """When each image was made, as numbers (images,); NaN where it does not matter."""
    extra = [name for name in cohort.images.columns if name.startswith("x_")]
    if column not in extra:
        raise StudyError(
            f"split.order: no column {column!r}; "
            + (f"there are {', '.join(extra)}" if extra else "list the column in cohort.columns and write x_<name>")
        )
    given = cohort.images[column][cohort.usable]
    missing = int(given.isna().sum())
    if missing:
        raise StudyError(
            f"split.order {column}: {missing} of {len(given)} labelled images have no value; "
            "fill the column or set those images aside with quality.exclude"
        )
    when = np.full(len(cohort.images), np.nan)
    numbers = pd.to_numeric(given, errors="coerce")
    if numbers.isna().any():
        dates = pd.to_datetime(given.astype(str), format="ISO8601", errors="coerce", utc=True)
        if dates.isna().any():
            wrong = given[dates.isna()].iloc[0]
            raise StudyError(
                f"split.order {column}: {wrong!r} is neither a number nor an ISO date such as 2019-04-30, "
                f"nor are {int(dates.isna().sum()) - 1} others; mend the column"
            )
        numbers = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    when[cohort.usable] = numbers.to_numpy(dtype=float)
    return when


# --- refusals -------------------------------------------------------------------------------------------------------

MERGED = "patients who share an image count as one"
REMEDY = "merge it with another class (cohort.labels.merge) or leave it out of cohort.labels.classes"


def _patients(cohort: Cohort) -> np.ndarray:
    return (cohort.counts(cohort.usable) > 0).sum(axis=0)


def _require(cohort: Cohort, needed: int, why: str) -> None:
    for name, found in zip(cohort.task.classes, _patients(cohort), strict=True):
        if found < needed:
            raise StudyError(
                f"split: class {name!r} has {found} patients ({MERGED}), {needed} are needed: {why}; {REMEDY}"
            )


def _require_folds(cohort: Cohort, folds: int) -> None:
    for name, found in zip(cohort.task.classes, _patients(cohort), strict=True):
        if _enough(found, folds):
            continue
        fewer = max((k for k in range(2, folds) if _enough(found, k)), default=0)
        advice = [f"write split.folds: {fewer}"] * bool(fewer) + ["split.method: holdout"] * bool(found >= 3)
        raise StudyError(
            f"split: class {name!r} has {found} patients ({MERGED}); {folds} folds need one in every test part and, "
            f"besides, one to train and one to validate; {', or '.join(advice) or REMEDY}"
        )


def _enough(patients: int, folds: int) -> bool:
    return patients >= folds and patients - -(-patients // folds) >= 2


def _check_classes(cohort: Cohort, fold: Fold, number: int, settings: SplitSettings) -> None:
    """Every class must be there to learn from and to validate on."""
    names = {"official": "holdout or kfold", "leave_one_site_out": "kfold", "temporal": "kfold"}
    for role in (TRAIN, VALIDATION):
        for column in np.flatnonzero(~cohort.targets[fold.role == role].any(axis=0)):
            left_out = int((fold.role == LEFT_OUT).sum())
            other = names.get(settings.method)
            raise StudyError(
                f"split.method {settings.method}, fold {number}: no {ROLES[role]} image of class "
                f"{cohort.task.classes[column]!r} is left"
                + (f" ({left_out} images gave way to test or validation)" if left_out else "")
                + f"; {f'write split.method: {other}, or ' if other else ''}{REMEDY}"
            )
