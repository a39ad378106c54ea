"""Synthetic examples in the embedding of a network trained on the fold. Imports scikit-learn.

The embedding belongs to a run, so the train stage calls this: the one part of the room that it knows.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from asclepius.balance.examples import example_table
from asclepius.balance.interpolation import table
from asclepius.balance.pairs import Interpolated
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.synthesis import make
from asclepius.balance.training import Training


@dataclass(frozen=True)
class Latent:
    """Args:
    vectors: (n, values) real embeddings, then synthetic ones, float32.
    targets: (n, classes), 0 or 1, float32.
    examples: as balance/table; `row` counts the synthetic ones.
    """

    vectors: np.ndarray
    targets: np.ndarray
    examples: pd.DataFrame


def latent(settings: BalanceSettings, training: Training, vectors: np.ndarray, seed: int, title: str) -> Latent:
    """Balance embeddings as settings say.

    Args:
        vectors: (n, values) of the training images, in their order.
        seed: of the run: another network has another embedding and a draw of its own.
        title: of the run, for messages.

    Raises:
        StudyError: see `synthesis.make`.
    """
    classes = training.targets.argmax(axis=1)
    seeds = [settings.seed, training.fold, seed]
    made = make(settings, vectors, classes, training.task.classes, seeds, f"{title}, {settings.method}")
    stay = np.flatnonzero(made.real)
    parts = [Interpolated(vectors, pairs)[:] for pairs in made.pairs.values()]
    numbers = [np.full(len(pairs), column) for column, pairs in made.pairs.items()]
    targets = np.eye(len(training.task.classes), dtype=np.float32)[np.concatenate([classes[stay], *numbers])]
    return Latent(
        np.concatenate([vectors[stay], *parts]), targets, example_table(training, stay, 1.0, table(made, training))
    )
