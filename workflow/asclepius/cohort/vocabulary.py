"""From what a table or a folder says to the classes of the study."""

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from asclepius.cohort.settings import LabelSettings
from asclepius.errors import StudyError
from asclepius.task import SEPARATOR

# A value on one row alone may be free text about one person; class names repeat.
SAFE_COUNT, SAFE_LENGTH = 2, 64
MOST_CLASSES = 100


@dataclass(frozen=True)
class Vocabulary:
    """Args:
    classes: in order; None takes whatever occurs.
    merged: label as written → class.
    separator: between several labels of a cell; None where an image has one.
    """

    classes: tuple[str, ...] | None
    merged: dict[str, str]
    separator: str | None

    @classmethod
    def of(cls, settings: LabelSettings, key: str) -> "Vocabulary":
        """The vocabulary of a `labels` section.

        Raises:
            StudyError: a label is merged into two classes, or into one that labels.classes does not list.
        """
        merged: dict[str, str] = {}
        for name, labels in settings.merge.items():
            if settings.classes is not None and name not in settings.classes:
                raise StudyError(
                    f"config: {key}.labels.merge: {name!r} is not in labels.classes"
                    f"{nearest(name, settings.classes)}; add it there or correct the name"
                )
            for label in labels:
                if label in merged and merged[label] != name:
                    raise StudyError(
                        f"config: {key}.labels.merge: {label!r} goes to both {merged[label]!r} and {name!r}; keep one"
                    )
                merged[label] = name
        classes = None if settings.classes is None else tuple(settings.classes)
        return cls(classes, merged, settings.separator if settings.multilabel else None)

    def label(self, cell: str) -> str | None:
        """The class of a cell; several joined by "|" in class order; None for one that is not of the study.

        With several labels per image, those that are not of the study are dropped and the others stay; none left
        gives "" (no finding of the study).
        """
        if self.separator is None:
            return self._one(cell.strip())
        found = {self._one(part.strip()) for part in cell.split(self.separator) if part.strip()}
        return self.join(name for name in found if name is not None)

    def _one(self, text: str) -> str | None:
        name = self.merged.get(text, text)
        return name if self.classes is None or name in self.classes else None

    def join(self, names: Iterable[str]) -> str:
        """Labels of one image as one cell, each once, in class order (by name where there is none)."""
        order = {name: i for i, name in enumerate(self.classes or ())}
        return SEPARATOR.join(sorted(set(names), key=lambda name: (order.get(name, 0), name)))


def outside_sentence(cell: str, count: int) -> str:
    """Why a label is left out; its text only where it cannot be about one person."""
    if count >= SAFE_COUNT and len(cell) <= SAFE_LENGTH:
        return f"the label {cell!r} is not in labels.classes"
    return "a label outside labels.classes"


def nearest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" with the nearest known word, or nothing."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1) or [
        n for n in names if n.strip().lower() == word.strip().lower()
    ]
    return f"; did you mean {near[0]!r}?" if near else ""


def counts(labels: pd.Series, settings: LabelSettings) -> Counter:
    """Images per class; an image of several labels counts in each."""
    found: Counter = Counter()
    for cell, count in labels.value_counts().items():
        for name in cell.split(SEPARATOR) if settings.multilabel else [cell]:
            found[name] += int(count)
    return found


def check_classes(labels: pd.Series, settings: LabelSettings, key: str) -> list[str]:
    """The study's classes in order, after all images are labelled.

    Raises:
        StudyError: fewer than two classes occur, so many that they cannot be classes, a listed one does not occur,
            or `positive` is none of them.
    """
    found = counts(labels, settings)
    found.pop("", None)
    classes = settings.classes or sorted(found)
    absent = [name for name in classes if name not in found]
    if len(found) < 2 and not (settings.multilabel and found):
        held = f"all {len(labels)} images have the same one" if found else "none of the images has one"
        raise StudyError(
            f"{key}: a study needs two classes, but {held}; check labels.column, labels.classes, labels.merge and where"
        )
    if settings.classes is None and (len(found) > min(MOST_CLASSES, max(10, len(labels) / 2))):
        # A column or a level of folders that names patients must not become the classes of a report.
        raise StudyError(
            f"{key}: {len(found)} different labels on {len(labels)} images look like names, not classes; correct "
            "labels.column or the path, or list the classes in labels.classes"
        )
    if absent:
        raise StudyError(
            f"{key}.labels.classes: no image is labelled {absent[0]!r}; "
            "correct the name, remove it, or merge labels of the table into it with labels.merge"
        )
    if settings.positive is not None and settings.positive not in classes:
        raise StudyError(
            f"{key}.labels.positive: {settings.positive!r} is no class of this study"
            f"{nearest(settings.positive, classes)}; the classes are {', '.join(classes)}"
        )
    return list(classes)
