"""The training images of one fold."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from asclepius.columns import KNOWN
from asclepius.errors import StudyError
from asclepius.task import Task

NEEDED = ("image", "label", "shard", "row")  # of 50,000 images the other columns take more room than a small class


@dataclass(frozen=True)
class Training:
    """Args:
    fold: its number.
    images: rows of quality/images with role train, in order of position; what is needed of them, and table values.
    task: what is asked of them.
    targets: (images, classes) bool.
    """

    fold: int
    images: pd.DataFrame
    task: Task
    targets: np.ndarray

    @classmethod
    def of(cls, images: pd.DataFrame, folds: pd.DataFrame, task: Task, fold: int) -> "Training":
        """Select them.

        Raises:
            StudyError: the fold is not there, or a class has no training image.
        """
        here = folds.loc[(folds["fold"] == fold) & (folds["role"] == "train"), "image"]
        if here.empty:
            numbers = sorted(int(number) for number in folds["fold"].unique())
            raise StudyError(f"balance: split/folds has no training images in fold {fold}; its folds are {numbers}")
        found = images[images["image"].isin(here)].sort_values("position", kind="stable", ignore_index=True)
        if len(found) != len(here):
            raise StudyError(
                f"balance: {len(here) - len(found)} training images of fold {fold} are not in quality/images; "
                "the two tables are of different runs, delete split/ and run again"
            )
        found = found[[name for name in found if name in NEEDED or name in KNOWN or name.startswith("x_")]]
        targets = task.targets(found["label"]) > 0
        for name, count in zip(task.classes, targets.sum(axis=0), strict=True):
            if not count:
                raise StudyError(f"balance: fold {fold} has no training image of class {name!r}; write fewer folds")
        return cls(fold, found, task, targets)

    @property
    def counts(self) -> np.ndarray:
        """(classes,) images of each class."""
        return self.targets.sum(axis=0)

    @property
    def multilabel(self) -> bool:
        return self.task.kind == "multilabel"
