"""Synthetic images between stored ones, with the table values of their parents. Imports scikit-learn."""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd

from asclepius.balance.examples import Synthetic
from asclepius.balance.pairs import Interpolated
from asclepius.balance.rows import Stored, blocks
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.synthesis import Made, make
from asclepius.balance.training import Training
from asclepius.balance.values import Values


def interpolated(
    settings: BalanceSettings, training: Training, stored: Stored, columns: list[str], pixels: bool
) -> tuple[np.ndarray, Synthetic]:
    """Rows of the training images that stay, and what is added.

    Args:
        stored: the training images, in their order.
        columns, pixels: what the model takes as input, and so what distances are measured in.

    Raises:
        StudyError: see `synthesis.make`.
    """
    made = make(
        settings,
        stored if pixels else np.empty((len(training.images), 0), np.float32),
        training.targets.argmax(axis=1),
        training.task.classes,
        [settings.seed, training.fold],
        f"balance {settings.method}, fold {training.fold}",
        Values.of(columns, training.images) if columns else None,
    )
    return np.flatnonzero(made.real), Synthetic(_images(made, stored), table(made, training), _notes(made, training))


def table(made: Made, training: Training) -> pd.DataFrame:
    """Label, parents and values of each synthetic example, class by class."""
    tokens, parts = training.images["image"].to_numpy(), []
    for column, pairs in made.pairs.items():
        both = zip(tokens[pairs.base], tokens[pairs.neighbour], strict=True)
        values = made.values[column].as_json() if column in made.values else None
        label = training.task.classes[column]
        parts.append(pd.DataFrame({"parents": [json.dumps(each) for each in both], "values": values, "label": label}))
    return pd.concat(parts, ignore_index=True) if parts else Synthetic().table


def _images(made: Made, stored: Stored) -> Iterator[np.ndarray]:
    for pairs in made.pairs.values():
        for _, block in blocks(Interpolated(stored, pairs)):
            if np.issubdtype(stored.dtype, np.integer):
                limits = np.iinfo(stored.dtype)  # beyond a parent there may be values the type does not have
                block = np.rint(block).clip(limits.min, limits.max)
            yield from block.astype(stored.dtype).reshape(-1, *stored.image_shape)


def _notes(made: Made, training: Training) -> dict:
    names = training.task.classes
    found = {"random_state": {names[column]: state for column, state in made.states.items()}}
    if made.dropped:
        gone = np.bincount(training.targets.argmax(axis=1)[~made.real], minlength=len(names))
        found["removed"] = {
            "real": dict(zip(names, gone.tolist(), strict=True)),
            "synthetic": {names[column]: count for column, count in made.dropped.items()},
        }
    return found
