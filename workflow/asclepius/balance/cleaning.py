"""Which examples stay when those at odds with their neighbours go, real and synthetic alike."""

import numpy as np
from imblearn.under_sampling import TomekLinks

from asclepius.balance.neighbours import others
from asclepius.balance.rows import Rows

ENN_NEIGHBOURS = 3  # imbalanced-learn's


def tomek(rows: Rows, classes: np.ndarray) -> np.ndarray:
    """(n,) False for both examples of a Tomek link: of two classes, each the other's nearest (Tomek 1976).

    Args:
        rows: all examples.
        classes: (n,) of each.
    """
    nearest = others(rows, 1)[:, 0]
    return ~TomekLinks.is_tomek(classes, nearest, np.unique(classes).tolist())


def edited(rows: Rows, classes: np.ndarray) -> np.ndarray:
    """(n,) True for examples whose three nearest are all of their own class (ENN, Wilson 1972)."""
    return (classes[others(rows, ENN_NEIGHBOURS)] == classes[:, None]).all(axis=1)
