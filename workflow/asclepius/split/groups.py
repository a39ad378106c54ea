"""Patients who share an image, or one that looks the same, are one group; and what else splitting needs to know."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from asclepius.task import Task


def group_numbers(patients: pd.Series, *shared: pd.Series) -> np.ndarray:
    """Connect patients whose images share something, however long the chain; number the groups as they first appear.

    Args:
        patients: pseudonym of each image's patient.
        shared: what joins, e.g. the digest of each image's pixels, or its group of near-duplicates; null joins nothing.

    Returns:
        Integers (images,); 0 is the group of the first image. Names play no part: other pseudonyms give the same.
    """
    patient, names = pd.factorize(patients)
    size, ends = len(names), []
    for column in shared:
        thing, things = pd.factorize(column)  # -1 for null
        ends.append((patient[thing >= 0], size + thing[thing >= 0]))
        size += len(things)
    one, other = (np.concatenate(side) for side in zip(*ends, strict=True))
    links = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component[patient])[0]


@dataclass(frozen=True)
class Cohort:
    """The images of a study in order of position.

    Args:
        images: quality/images, rows in order of position.
        task: what is asked of them.
        group: (images,) number of the group of patients.
        content: (images,) number of the pixel content; equal for copies.
        look: (images,) number of the group of near-duplicates, -1 outside any.
        targets: (images, classes) whether the image has the class; all False without a label.
        labelled, external: (images,) whether it has a label; whether it comes from the second source.
    """

    images: pd.DataFrame
    task: Task
    group: np.ndarray
    content: np.ndarray
    look: np.ndarray
    targets: np.ndarray
    labelled: np.ndarray
    external: np.ndarray

    @classmethod
    def of(cls, images: pd.DataFrame, task: Task) -> "Cohort":
        images = images.sort_values("position", kind="stable", ignore_index=True)
        labelled = images["label"].notna().to_numpy()
        return cls(
            images=images,
            task=task,
            group=group_numbers(images["patient"], images["content"], images["duplicates"]),
            content=pd.factorize(images["content"])[0],
            look=pd.factorize(images["duplicates"])[0],
            targets=task.targets(images["label"].where(labelled, "")) > 0,
            labelled=labelled,
            external=(images["official"] == "external").to_numpy(dtype=bool),
        )

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0

    @property
    def usable(self) -> np.ndarray:
        """(images,) labelled images of the study's own source: those a fold may train on and test."""
        return self.labelled & ~self.external

    def group_names(self) -> np.ndarray:
        """(groups,) the pseudonym of each group's first patient."""
        first = np.unique(self.group, return_index=True)[1]
        return self.images["patient"].to_numpy()[first]

    def touched(self, some: np.ndarray) -> np.ndarray:
        """(images,) whether the image's group has any of some images (a mask)."""
        return np.isin(self.group, self.group[some])

    def counts(self, some: np.ndarray) -> np.ndarray:
        """(groups, classes) how many of some images (a mask) of each group have each class."""
        found = np.zeros((self.groups, len(self.task.classes)), dtype=np.int64)
        for column in range(found.shape[1]):
            rows = some & self.targets[:, column]
            found[:, column] = np.bincount(self.group[rows], minlength=self.groups)
        return found
