"""The parents of synthetic examples."""

from dataclasses import dataclass

import numpy as np

from asclepius.balance.rows import Rows, parts


@dataclass(frozen=True)
class Pairs:
    """Synthetic example i is a + step (b - a), a and b being the training examples base[i] and neighbour[i].

    Args:
        base, neighbour: (examples,) rows of the fold, of one class.
        step: (examples,) in [0, 1) between the two, negative beyond the first.
        voters: (examples, k) rows: all neighbours of the first among which the second was drawn.
    """

    base: np.ndarray
    neighbour: np.ndarray
    step: np.ndarray
    voters: np.ndarray

    def __len__(self) -> int:
        return len(self.base)

    def take(self, which: np.ndarray | slice) -> "Pairs":
        """Some of them."""
        return Pairs(self.base[which], self.neighbour[which], self.step[which], self.voters[which])

    def of_rows(self, rows: np.ndarray) -> "Pairs":
        """The same, where parents were counted within `rows` of the fold."""
        return Pairs(rows[self.base], rows[self.neighbour], self.step, rows[self.voters])

    @classmethod
    def together(cls, pairs: list["Pairs"]) -> "Pairs":
        """One list after the other."""
        parts = ([getattr(each, name) for each in pairs] for name in ("base", "neighbour", "step", "voters"))
        return cls(*map(np.concatenate, parts))


class Interpolated(Rows):
    """Synthetic examples as rows, made when asked for."""

    def __init__(self, rows: Rows | np.ndarray, pairs: Pairs):
        """Args:
        rows: the fold's training examples.
        """
        self.rows, self.pairs, self.shape = rows, pairs, (len(pairs), rows.shape[1])

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        pairs = self.pairs.take(which)
        found = np.empty((len(pairs), self.shape[1]), np.float32)
        for part in parts(*found.shape):  # in 64 bits in between, as imbalanced-learn
            first, second = self.rows[pairs.base[part]], self.rows[pairs.neighbour[part]]
            second -= first
            between = pairs.step[part, None] * second
            between += first
            found[part] = between
        return found
