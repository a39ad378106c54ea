"""Labels that mean nothing: every patient gets those of a patient drawn at random."""

import numpy as np
import pandas as pd

from asclepius.canary.settings import CanarySettings
from asclepius.errors import StudyError
from asclepius.split.draw import draw
from asclepius.split.groups import Cohort, group_numbers
from asclepius.task import Task

CHOICE, SHUFFLE = 0, 1  # separate random streams


def chosen(images: pd.DataFrame, task: Task, settings: CanarySettings) -> pd.DataFrame:
    """The labelled images of the study's own source, few patients and few images of each.

    Equal numbers of images matter: the split deals out patients by class and size, so that a size an image tells
    would go with the label in training and test alike, without any leak.

    Args:
        images: quality/images.

    Returns:
        Rows of it in order of position; of a patient, neighbours from the middle, which are the most alike.

    Raises:
        StudyError: no image has a label.
    """
    cohort = Cohort.of(images, task)
    if not cohort.usable.any():
        raise StudyError("canary: no labelled image; see quality/quarantine.csv for what was set aside")
    kept = cohort.usable
    groups = np.unique(cohort.group[kept])
    if len(groups) > settings.patients:
        share = settings.patients / len(groups)
        part = draw(cohort.counts(kept)[groups], [share, 1 - share], np.random.default_rng([settings.seed, CHOICE]))
        kept &= np.isin(cohort.group, groups[part == 0])
    table = cohort.images.assign(group=cohort.group)[kept]
    order = table.groupby("group").cumcount().to_numpy()
    size = table.groupby("group")["group"].transform("size").to_numpy()
    first = np.maximum(0, size - settings.images) // 2
    middle = (order >= first) & (order < first + settings.images)
    return table[middle].drop(columns="group").reset_index(drop=True)


def shuffled(images: pd.DataFrame, settings: CanarySettings, number: int) -> pd.DataFrame:
    """The images with their labels moved between patients; patients who share an image count as one.

    Args:
        images: as `chosen` gives them.
        number: of the shuffle: each is another, independent of all others.
    """
    codes, labels = pd.factorize(images["label"])
    group = groups_of(images)
    random = np.random.default_rng([settings.seed, SHUFFLE, number])
    donor = random.permutation(group.max() + 1)
    return images.assign(label=np.asarray(labels, dtype=object)[moved(codes, group, donor, random)])


def groups_of(images: pd.DataFrame) -> np.ndarray:
    """Number of each image's group of patients, as the split counts them: integers (images,)."""
    return group_numbers(images["patient"], images["content"], images["duplicates"])


def moved(codes: np.ndarray, group: np.ndarray, donor: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Labels after each group got those of its donor.

    A patient with one label throughout hands on that label. The labels of one with several are dealt
    to the images of the other in random order, as often as they come and as evenly as the numbers allow: were the order
    kept, the slice that shows a finding would still tell by its place in the body.

    Args:
        codes: of each image's label (several labels of one image are one code), integers (images,).
        group: 0, 1, ... of each image, integers (images,).
        donor: of each group, a permutation.
        random: of the order.
    """
    rows = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    first = codes[[here[0] for here in rows]]
    if (codes == first[group]).all():
        return first[donor][group]
    out = np.empty_like(codes)
    for here, giver in zip(rows, donor, strict=True):
        given = codes[rows[giver]]
        whole, rest = divmod(len(here), len(given))
        dealt = np.concatenate([np.tile(given, whole), random.choice(given, rest, replace=False)])
        out[here] = random.permutation(dealt)
    return out
