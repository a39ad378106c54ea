"""The split stage."""

from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.quality.schema import IMAGES
from asclepius.split.folds import LEFT_OUT, REASONS, TEST, Fold, make_folds
from asclepius.split.groups import Cohort
from asclepius.split.schema import DROPPED, FOLDS, ROLES
from asclepius.split.settings import SplitSettings
from asclepius.task import Task


def run(*, settings: SplitSettings, images: Path, task: Path, folds: Path, dropped: Path) -> None:
    """Give every image a role in every fold; patients, and patients who share an image, stay together.

    Args:
        images, task: of the quality stage.
        folds: one row per image and fold with its role.
        dropped: images without a role in a fold, e.g. training copies of test images, and why.

    Raises:
        StudyError: the data do not allow the method; the message says what to write instead.
    """
    cohort = Cohort.of(tables.read(images, IMAGES), Task.read(task))
    made = make_folds(cohort, settings)
    for line in summary(cohort, made):
        print(line)
    tables.write(folds, fold_table(cohort, made), FOLDS)
    tables.write(dropped, dropped_table(cohort, made), DROPPED)


def fold_table(cohort: Cohort, made: list[Fold]) -> pd.DataFrame:
    """split/folds: by fold, then in order of position."""
    image, patient = cohort.images["image"].to_numpy(), cohort.images["patient"].to_numpy()
    group, roles = cohort.group_names()[cohort.group], np.array(ROLES, dtype=object)
    kept = [np.flatnonzero(fold.role != LEFT_OUT) for fold in made]
    rows = np.concatenate(kept)
    return pd.DataFrame(
        {
            "image": image[rows],
            "patient": patient[rows],
            "group": group[rows],
            "fold": np.repeat(np.arange(len(made)), [len(rows) for rows in kept]),
            "role": np.concatenate([roles[fold.role[rows]] for fold, rows in zip(made, kept, strict=True)]),
        }
    )


def dropped_table(cohort: Cohort, made: list[Fold]) -> pd.DataFrame:
    """split/dropped: by fold, then in order of position."""
    out = [np.flatnonzero(fold.role == LEFT_OUT) for fold in made]
    reason = np.concatenate([fold.reason[rows] for fold, rows in zip(made, out, strict=True)])
    return pd.DataFrame(
        {
            "image": cohort.images["image"].to_numpy()[np.concatenate(out)],
            "fold": np.repeat(np.arange(len(made)), [len(rows) for rows in out]),
            "reason": [REASONS[number][0] for number in reason],
            "sentence": [REASONS[number][1] for number in reason],
        }
    )


def summary(cohort: Cohort, made: list[Fold]) -> list[str]:
    """What the log says: merged patients, counts per fold, role and class, images left out, classes not tested."""
    patients = cohort.images["patient"].nunique()
    lines = [f"{len(cohort.images)} images of {patients} patients in {cohort.groups} groups"]
    if patients > cohort.groups:
        lines.append(f"{patients - cohort.groups} patients share an image with another and stay with them")
    for number, fold in enumerate(made):
        for code, role in enumerate(ROLES):
            here = fold.role == code
            if here.any():
                classes = zip(cohort.task.classes, cohort.targets[here].sum(axis=0), strict=True)
                held = ", ".join(f"{name} {count}" for name, count in classes)
                groups = len(np.unique(cohort.group[here]))
                lines.append(f"fold {number} {role}: {here.sum()} images of {groups} groups ({held})")
        for code, (_, sentence) in enumerate(REASONS):
            count = int((fold.reason == code).sum())
            if count:
                lines.append(f"fold {number} left out: {count} images, {sentence}")
        for column in np.flatnonzero(~cohort.targets[fold.role == TEST].any(axis=0)):
            lines.append(f"note: fold {number} tests no image of class {cohort.task.classes[column]!r}")
    return lines
