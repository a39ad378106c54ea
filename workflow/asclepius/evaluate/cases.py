"""Predictions as arrays: one set of images, their targets and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.task import Task

CLEAN = "clean"


class Run(NamedTuple):
    arm: str
    fold: int
    seed: int


@dataclass(frozen=True)
class Scores:
    """What a run gave on the images of one role, in the order of the images table.

    Args:
        image: rows of the images table, shape (images,).
        patient: integer code of each image's patient, shape (images,).
        target, probability: shape (images, classes), bool and float64; one column, the positive class, when binary.
    """

    image: np.ndarray
    patient: np.ndarray
    target: np.ndarray
    probability: np.ndarray

    def decide(self, thresholds: Sequence[float] | None, recalibrated: np.ndarray) -> "Cases":
        """Decisions by a threshold for each class, or by the most probable class.

        Args:
            recalibrated: the probabilities after recalibration, shape (images, classes).
        """
        if thresholds is None:
            decision = self.probability.argmax(axis=1)[:, None] == np.arange(self.probability.shape[1])
        else:
            decision = self.probability >= np.asarray(thresholds)
        return Cases(self.image, self.patient, self.target, self.probability, decision, recalibrated)


@dataclass(frozen=True)
class Cases(Scores):
    """Args:
    decision: bool, shape (images, classes); multi-class: exactly one per row.
    recalibrated: probabilities after recalibration, shape (images, classes).
    """

    decision: np.ndarray
    recalibrated: np.ndarray

    def take(self, rows: np.ndarray) -> "Cases":
        """Only some of the images; `rows` is a mask or indices into these cases."""
        return Cases(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def pool(parts: Sequence[Cases]) -> Cases:
    """Out-of-fold predictions of several folds as one set, each decided by its own fold's threshold."""
    joined = Cases(*(np.concatenate([getattr(p, name) for p in parts]) for name in Cases.__dataclass_fields__))
    if len(np.unique(joined.image)) != len(joined.image):
        raise StudyError("split/folds: an image is tested in two folds, so out-of-fold predictions cannot be pooled")
    return joined.take(np.argsort(joined.image, kind="stable"))


def columns(task: Task) -> list[str]:
    """The classes that are evaluated one against the rest: the positive one alone when binary."""
    return [task.positive] if task.kind == "binary" else list(task.classes)


def read_runs(predictions: pd.DataFrame, images: pd.DataFrame, task: Task) -> dict[Run, dict[str, Scores]]:
    """Undisturbed predictions by run and role.

    Args:
        predictions: table train/predictions of all arms.
        images: table quality/images.

    Raises:
        StudyError: an image is unknown, a class is missing, a probability is no number, arms differ in runs or images.
    """
    names = columns(task)
    frame = predictions[(predictions["condition"] == CLEAN) & predictions["class"].isin(names)]
    row = pd.Index(images["image"]).get_indexer(frame["image"])
    if (row < 0).any():
        unknown = frame["image"].iloc[int(np.argmax(row < 0))]
        raise StudyError(f"train/predictions: image {unknown} is not in quality/images; run the train stage again")
    patient = pd.factorize(images["patient"])[0]
    column = pd.Index(names).get_indexer(frame["class"])
    target, probability = frame["target"].to_numpy() == 1, frame["probability"].to_numpy(np.float64)
    found: dict[Run, dict[str, Scores]] = {}
    keys = ["arm", "fold", "seed", "role"]
    for (arm, fold, seed, role), indices in frame.groupby(keys, sort=False, observed=True).indices.items():
        where = f"arm {arm}, fold {fold}, seed {seed}, role {role}"
        order = indices[np.lexsort([column[indices], row[indices]])]
        if len(order) % len(names) or not np.array_equal(
            column[order], np.tile(np.arange(len(names)), len(order) // len(names))
        ):
            raise StudyError(f"train/predictions: {where}: not every image has each of the classes {names} once")
        shape = (-1, len(names))
        scores = Scores(
            row[order][:: len(names)],
            patient[row[order]][:: len(names)],
            target[order].reshape(shape),
            probability[order].reshape(shape),
        )
        if not np.isfinite(scores.probability).all():
            raise StudyError(
                f"train/predictions: {where}: probabilities are not numbers, so the training diverged; "
                "lower train.learning_rate of this arm"
            )
        found.setdefault(Run(arm, int(fold), int(seed)), {})[role] = scores
    _check_alike(found)
    return found


def _check_alike(found: dict[Run, dict[str, Scores]]) -> None:
    if not found:
        raise StudyError("train/predictions: no predictions on undisturbed images; run the train stage again")
    arms: dict[str, dict[tuple[int, int], dict[str, Scores]]] = {}
    for run, roles in found.items():
        if "validation" not in roles:
            raise StudyError(
                f"train/predictions: arm {run.arm}, fold {run.fold}, seed {run.seed}: no validation images, so no "
                "threshold and no choice of an arm; give split.validation a larger share"
            )
        arms.setdefault(run.arm, {})[run.fold, run.seed] = roles
    first, expected = next(iter(arms.items()))
    for arm, runs in arms.items():
        if runs.keys() != expected.keys():
            raise StudyError(f"train/predictions: arms {first} and {arm} differ in folds or seeds; train them all")
        for key, roles in runs.items():
            for role in roles.keys() | expected[key].keys():
                if (
                    role not in roles
                    or role not in expected[key]
                    or not np.array_equal(roles[role].image, expected[key][role].image)
                ):
                    raise StudyError(
                        f"train/predictions: arms {first} and {arm} predict different {role} images in fold {key[0]}, "
                        f"seed {key[1]}; arms are compared on the same images, so train both again"
                    )


def replicates(runs: dict[tuple[int, int], Cases], role: str) -> list[Cases]:
    """The sets of cases over which an arm's figures for a role are averaged.

    Args:
        runs: (fold, seed) to cases of one arm and role.

    Returns:
        For the test role one set per seed, folds pooled: every image is tested once. For others one per fold and
        seed: an external image is met in each fold, and folds may share validation images.
    """
    if role != "test":
        return list(runs.values())
    return [pooled(runs, seed) for seed in sorted({seed for _, seed in runs})]


def pooled(runs: dict[tuple[int, int], Cases], seed: int) -> Cases:
    """Cases of all folds of one seed."""
    return pool([runs[key] for key in sorted(runs) if key[1] == seed])
