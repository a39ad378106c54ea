"""The parents of synthetic images."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Synthetic image i is a + step (b - a), a and b being the images base[i] and neighbour[i] of one class.

    Args:
        base, neighbour: (images,) rows, counting within the class.
        step: (images,) in [0, 1).
    """

    base: np.ndarray
    neighbour: np.ndarray
    step: np.ndarray
