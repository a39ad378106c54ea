"""The task: which classes the included images hold, and whether they make a study."""

import difflib

import pandas as pd

from asclepius.cohort.settings import LabelSettings
from asclepius.errors import StudyError
from asclepius.task import Task


def task(counts: dict[str, int], labels: LabelSettings, aside: pd.DataFrame) -> Task:
    """The task of the study.

    Args:
        counts: included images by class.
        labels: declared classes and their order, the positive one, whether several may hold at once.
        aside: the quarantine of all stages, to explain what is missing.

    Raises:
        StudyError: fewer than two classes, a declared class without image, an undeclared one, an unknown positive one.
    """
    present = ", ".join(f"{name} ({n})" for name, n in counts.items()) or "none"
    lost = f" {len(aside)} images were set aside, see quality/quarantine.csv." if len(aside) else ""
    if not counts:
        raise StudyError(
            f"no labelled image is left.{lost} Check cohort.labels (path, key, column) and what the quarantine says"
        )
    classes = labels.classes if labels.classes is not None else sorted(counts)
    empty = [name for name in classes if name not in counts]
    if empty:
        raise StudyError(
            f"config: cohort.labels.classes: no image of class {empty[0]!r} is left; classes present: {present}.{lost} "
            "Correct its spelling, or take it from the list"
        )
    unknown = [name for name in counts if name not in classes]
    if unknown:
        raise StudyError(
            f"config: cohort.labels.classes: images of class {unknown[0]!r} are not in the list; classes present: "
            f"{present}. Add it, merge it (cohort.labels.merge), or exclude it (quality.exclude.label)"
        )
    if len(classes) < 2 and not labels.multilabel:
        raise StudyError(
            f"one class only: {present}; a classifier needs at least two.{lost} "
            "Check cohort.labels.column, cohort.labels.merge, cohort.where and quality.exclude"
        )
    kind = "multilabel" if labels.multilabel else "binary" if len(classes) == 2 else "multiclass"
    return Task(kind, tuple(classes), _positive(classes, labels.positive) if kind == "binary" else None)


def _positive(classes: list[str], wanted: str | None) -> str:
    if wanted is None:
        return classes[-1]
    if wanted not in classes:
        near = difflib.get_close_matches(wanted, classes, n=1)
        more = f"; did you mean {near[0]!r}?" if near else ""
        raise StudyError(f"config: cohort.labels.positive: {wanted!r} is none of {', '.join(classes)}{more}")
    return wanted
