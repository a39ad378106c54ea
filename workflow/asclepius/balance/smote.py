"""SMOTE on pixels, with the two parents of every synthetic image.

imbalanced-learn finds the neighbours and makes the draws; it is imported with this module, which takes a second,
so that only a recipe that asks for SMOTE should import it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from imblearn.over_sampling import SMOTE

from asclepius.balance.pairs import Pairs
from asclepius.balance.training import Training
from asclepius.errors import StudyError
from asclepius.store import Store

CHUNK = 4 * 2**20  # bytes of float64 that are worked on at a time


class TracedSMOTE(SMOTE):
    """SMOTE (Chawla et al. 2002) that tells what it draws instead of making all samples at once.

    The samples are those `fit_resample` would make of this class; imbalanced-learn itself returns no parents
    and copies the whole training set several times.
    """

    def draw(self, samples: np.ndarray, total: int) -> Pairs:
        """Args:
        samples: (n, features) of one class.
        total: how many synthetic ones.
        """
        self._validate_estimator()
        self.nn_k_.fit(samples)
        neighbours = self.nn_k_.kneighbors(samples, return_distance=False)[:, 1:]
        self._make_samples(samples, np.dtype(int), 0, samples, neighbours, total)
        return self.pairs_

    def _generate_samples(self, X, nn_data, nn_num, rows, cols, steps, y_type=None, y=None):
        self.pairs_ = Pairs(rows, nn_num[rows, cols], steps[:, 0])
        return X[:0]


def interpolate(samples: np.ndarray, pairs: Pairs, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The synthetic samples one by one, in the store's units, rounded to its type: each (features,)."""
    length = max(1, CHUNK // (8 * samples.shape[1]))
    for start in range(0, len(pairs.base), length):
        part = slice(start, start + length)
        first = samples[pairs.base[part]]
        made = (first + pairs.step[part, None] * (samples[pairs.neighbour[part]] - first)).astype(samples.dtype)
        yield from (np.rint(made) if np.issubdtype(dtype, np.integer) else made).astype(dtype)


@dataclass(frozen=True)
class Plan:
    """What SMOTE adds to a fold, and how it is drawn.

    Args:
        wanted: (classes,) images of each class, afterwards.
        k_neighbors: to interpolate between.
        seed: of the draw.
    """

    wanted: np.ndarray
    k_neighbors: int
    seed: int

    def check(self, training: Training) -> None:
        """Refuse classes too small to have that many neighbours.

        Raises:
            StudyError: with the number to write instead.
        """
        for column in np.flatnonzero(self.wanted > training.counts):
            count = int(training.counts[column])
            if count <= self.k_neighbors:
                smaller = f"write balance.k_neighbors: {count - 1}, or " if count > 1 else ""
                raise StudyError(
                    f"balance smote, fold {training.fold}: class {training.task.classes[column]!r} has {count} "
                    f"training images, {self.k_neighbors} neighbours need {self.k_neighbors + 1}; {smaller}"
                    "use balance.method: random_over"
                )

    def images(self, training: Training, store: Store, parents: dict[int, Pairs]) -> Iterator[np.ndarray]:
        """The synthetic images, class by class, each of the store's shape and type.

        Args:
            parents: filled with the pairs of each class (by number), rows counting within that class.

        Memory holds the pixels of one class as float32 and a few images more; the other classes are never read.
        """
        for column in np.flatnonzero(self.wanted > training.counts):
            rows = training.images[training.targets[:, column]]
            samples, shape, dtype = _pixels(store, rows["shard"].to_numpy(), rows["row"].to_numpy())
            seed = int(np.random.SeedSequence([self.seed, training.fold, int(column)]).generate_state(1)[0])
            sampler = TracedSMOTE(random_state=seed, k_neighbors=self.k_neighbors)
            parents[int(column)] = sampler.draw(samples, int(self.wanted[column]) - len(samples))
            for sample in interpolate(samples, parents[int(column)], dtype):
                yield sample.reshape(shape)


def _pixels(store: Store, shards: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, tuple[int, ...], np.dtype]:
    """Flattened pixels (n, features) as float32, read a few images at a time; shape and type in the store."""
    first = store.read(shards[:1], rows[:1])
    samples = np.empty((len(rows), first[0].size), dtype=np.float32)
    length = max(1, CHUNK // first.nbytes)
    for start in range(0, len(rows), length):
        part = slice(start, start + length)
        samples[part] = store.read(shards[part], rows[part]).reshape(-1, samples.shape[1])
    return samples, first.shape[1:], first.dtype
