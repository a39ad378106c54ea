"""What a fitted run hands back, network or not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.task import Task
from asclepius.train.examples import Fold


@dataclass(frozen=True)
class Run:
    """One fit: an arm on one fold with one seed."""

    arm: str
    fold: int
    seed: int

    @classmethod
    def parse(cls, arm: str, text: str) -> "Run":
        """The run that "fold:seed" names."""
        fold, _, seed = text.partition(":")
        if not (fold.isdecimal() and seed.isdecimal()):
            raise StudyError(f"runs: {text!r} is not fold:seed, e.g. 0:1")
        return cls(arm, int(fold), int(seed))

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"fold-{self.fold}-seed-{self.seed}"

    @property
    def title(self) -> str:
        """In progress lines."""
        return f"{self.arm} fold {self.fold} seed {self.seed}"


@dataclass(frozen=True)
class Outcome:
    """Args:
    probabilities: (n, classes) of the fold's evaluated images, in their order.
    history: one dict of metrics per epoch, "epoch" among them.
    seconds: of fitting and validating.
    """

    probabilities: np.ndarray
    history: list[dict[str, float]]
    parameters: int
    epochs: int
    best_epoch: int
    seconds: float
    device: str


def predictions_table(run: Run, fold: Fold, task: Task, probabilities: np.ndarray) -> pd.DataFrame:
    """One row per evaluated image and class (train.schema.PREDICTIONS)."""
    n, classes = probabilities.shape
    frame = fold.evaluated.loc[np.repeat(np.arange(n), classes)].reset_index(drop=True)
    return frame.assign(
        arm=run.arm,
        fold=run.fold,
        seed=run.seed,
        condition="clean",
        target=fold.evaluation.targets.astype(int).ravel(),
        **{"class": list(task.classes) * n},
        probability=probabilities.astype(np.float64).ravel(),
    )


def history_table(run: Run, outcome: Outcome) -> pd.DataFrame:
    """One row per epoch and metric (train.schema.HISTORY)."""
    frame = pd.DataFrame(outcome.history).melt("epoch", var_name="metric", value_name="value")
    frame = frame.sort_values(["epoch", "metric"], ignore_index=True)
    return frame.assign(arm=run.arm, fold=run.fold, seed=run.seed)
