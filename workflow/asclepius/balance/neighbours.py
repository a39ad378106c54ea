"""Nearest neighbours among rows that are read a block at a time."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from asclepius.balance.rows import Rows, blocks

SEARCHED = 32 * 2**20  # bytes of float32 that are searched at a time: smaller blocks cost time, larger ones gain none


class Blockwise(BaseEstimator):
    """Exact Euclidean neighbours by scikit-learn; memory holds one block of rows besides the samples asked about.

    Takes the place of NearestNeighbors in the samplers of imbalanced-learn.

    Args:
        n_neighbors: with the sample itself, where it is one of the rows.
    """

    def __init__(self, n_neighbors: int):
        self.n_neighbors = n_neighbors

    def fit(self, rows: Rows | np.ndarray, y: None = None) -> Self:
        self.rows_ = rows
        return self

    def kneighbors(self, samples: np.ndarray, return_distance: bool = False) -> np.ndarray:
        """(samples, n_neighbors) rows, nearest first.

        Args:
            samples: (samples, features).
        """
        if return_distance:
            raise NotImplementedError("no sampler asks for distances")
        distances, indices = np.empty((len(samples), 0)), np.empty((len(samples), 0), dtype=int)
        for start, block in blocks(self.rows_, SEARCHED):
            search = NearestNeighbors(n_neighbors=min(self.n_neighbors, len(block)), algorithm="brute").fit(block)
            distance, index = search.kneighbors(samples)
            distances, indices = np.hstack([distances, distance]), np.hstack([indices, index + start])
            order = np.argsort(distances, axis=1, kind="stable")[:, : self.n_neighbors]
            distances, indices = (np.take_along_axis(each, order, axis=1) for each in (distances, indices))
        return indices


def others(rows: Rows | np.ndarray, k: int) -> np.ndarray:
    """(n, k) nearest other rows of each row, nearest first."""
    search = Blockwise(k + 1).fit(rows)
    found = np.empty((rows.shape[0], k), dtype=int)
    for start, block in blocks(rows, SEARCHED):
        near = search.kneighbors(block)
        own = near == np.arange(start, start + len(block))[:, None]
        own[~own.any(axis=1), -1] = True  # among many equal images a row may not find itself
        found[start : start + len(block)] = near[~own].reshape(-1, k)
    return found
