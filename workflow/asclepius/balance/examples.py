"""The training table: real examples, and those a method adds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from asclepius.balance.schema import TABLE
from asclepius.balance.training import Training

ADDED = ["label", "parents", "values"]


@dataclass(frozen=True)
class Synthetic:
    """What a method adds to a fold.

    Args:
        images: one by one, of the store's shape and type.
        table: a row per image in that order: label, parents, values as in balance/table.
        notes: what recipe.json says of it.
    """

    images: Iterable[np.ndarray] = ()
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ADDED, dtype=object))
    notes: dict[str, Any] = field(default_factory=dict)


def example_table(
    training: Training, rows: np.ndarray, weight: np.ndarray | float, synthetic: pd.DataFrame
) -> pd.DataFrame:
    """balance/table: real examples, then synthetic ones in the order of their store.

    Args:
        rows: of the training images, in the order of the table.
        weight: of each real example; synthetic ones weigh 1.
        synthetic: see `Synthetic.table`.
    """
    real = training.images.loc[rows, ["image", "label"]]
    real = real.assign(source="real", row=-1, weight=weight, parents=None, values=None)
    made = synthetic[ADDED].assign(source="synthetic", image=None, row=np.arange(len(synthetic)), weight=1.0)
    found = pd.concat([real, made], ignore_index=True) if len(made) else real.reset_index(drop=True)
    return found.assign(example=np.arange(len(found)))[list(TABLE.columns)]
