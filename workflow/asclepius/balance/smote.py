"""SMOTE and its kin, one class at a time, telling what they draw instead of making all samples at once.

imbalanced-learn finds the neighbours and makes the draws: the samples are those `fit_resample` would make of the
class with the same `random_state`. The library itself returns no parents and copies the training set several times.
It is imported with this module, which takes a second.
"""

import tempfile
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE
from sklearn.svm import SVC
from sklearn.utils import check_random_state

from asclepius.balance.neighbours import Blockwise
from asclepius.balance.pairs import Pairs
from asclepius.balance.rows import Rows, blocks


class Unsuited(Exception):
    """The sampler makes nothing of this class; the message says why and what to do."""


@dataclass(frozen=True)
class Around:
    """What surrounds a class.

    Args:
        rows: all examples of the fold.
        classes: (n,) number of the class of each.
    """

    rows: Rows | np.ndarray
    classes: np.ndarray

    @cached_property
    def support(self) -> np.ndarray:
        """Rows that are support vectors of scikit-learn's SVC as it stands.

        libsvm takes 64-bit numbers: they lie in a temporary file, where the system can write them out if memory is
        short.
        """
        with tempfile.TemporaryFile(prefix="asclepius-") as handle:
            values = np.memmap(handle, np.float64, "w+", shape=self.rows.shape).view(np.ndarray)
            for start, block in blocks(self.rows):
                values[start : start + len(block)] = block
            mean = sum(block.sum() for _, block in blocks(values)) / values.size
            variance = sum(((block - mean) ** 2).sum() for _, block in blocks(values)) / values.size
            gamma = 1 / (values.shape[1] * variance) if variance > 0 else 1.0  # gamma="scale" copies all values
            return SVC(gamma=gamma).fit(values, self.classes).support_


class _Traced:
    """Keeps the draws where the library would make samples."""

    def _generate_samples(self, X, nn_data, nn_num, rows, cols, steps, y_type=None, y=None):
        self._drawn = Pairs(rows, nn_num[rows, cols], steps[:, 0], nn_num[rows])
        return X[:0]

    def _pairs(self, samples: np.ndarray, base: np.ndarray, total: int, step_size: float = 1.0) -> Pairs:
        """Args:
        base: rows of `samples` to start from.
        """
        start = samples if len(base) == len(samples) else samples[base]
        neighbours = self.nn_k_.kneighbors(start, return_distance=False)[:, 1:]
        self._make_samples(samples, np.dtype(int), 0, samples, neighbours, total, step_size)
        found = self._drawn
        return Pairs(base[found.base], found.neighbour, found.step, found.voters)


class TracedSMOTE(_Traced, SMOTE):
    """SMOTE (Chawla et al. 2002)."""

    def draw(self, samples: np.ndarray, total: int, around: Around, column: int) -> Pairs:
        """Parents, counting within the class.

        Args:
            samples: (n, features) of one class, in the fold's order.
            total: how many synthetic ones.
            column: number of the class.
        """
        self._validate_estimator()
        self.nn_k_.fit(samples)
        return self._pairs(samples, np.arange(len(samples)), total)


class TracedBorderlineSMOTE(_Traced, BorderlineSMOTE):
    """Borderline-SMOTE 1 (Han et al. 2005): from images half of whose neighbours or more are of other classes."""

    def __init__(self, *, random_state: int, k_neighbors: int, m_neighbors: int):
        super().__init__(random_state=random_state, k_neighbors=k_neighbors, m_neighbors=Blockwise(m_neighbors + 1))

    def draw(self, samples: np.ndarray, total: int, around: Around, column: int) -> Pairs:
        self._validate_estimator()
        self.nn_m_.fit(around.rows)
        danger = np.flatnonzero(self._in_danger_noise(self.nn_m_, samples, column, around.classes))
        if not len(danger):
            raise Unsuited("no image of it lies at the border to other classes; use smote, or another m_neighbors")
        self.nn_k_.fit(samples)
        return self._pairs(samples, danger, total)


class TracedSVMSMOTE(_Traced, SVMSMOTE):
    """SVM-SMOTE (Nguyen et al. 2011): from support vectors, towards neighbours at the border, away from them inside.

    Where all its support vectors lie at the border, or none does, the library makes only that part of the samples.
    """

    def __init__(self, *, random_state: int, k_neighbors: int, m_neighbors: int):
        super().__init__(random_state=random_state, k_neighbors=k_neighbors, m_neighbors=Blockwise(m_neighbors + 1))

    def draw(self, samples: np.ndarray, total: int, around: Around, column: int) -> Pairs:
        self._validate_estimator()
        random = check_random_state(self.random_state)
        mine = np.flatnonzero(around.classes == column)
        support = np.searchsorted(mine, np.intersect1d(around.support, mine))
        self.nn_m_.fit(around.rows)
        noise, danger = (
            self._in_danger_noise(self.nn_m_, samples[support], column, around.classes, kind)
            for kind in ("noise", "danger")
        )
        support, danger = support[~noise], danger[~noise]
        if not len(support):
            raise Unsuited("each of its support vectors lies among other classes; use smote or adasyn")
        self.nn_k_.fit(samples)
        first = int(random.beta(10, 10) * (total + 1))
        made = []
        if danger.any():
            made.append(self._pairs(samples, support[danger], first))
        if not danger.all():
            made.append(self._pairs(samples, support[~danger], total - first, -self.out_step))
        return Pairs.together(made)


class TracedADASYN(ADASYN):
    """ADASYN (He et al. 2008): more from images with more neighbours of other classes, about `total` in all."""

    def draw(self, samples: np.ndarray, total: int, around: Around, column: int) -> Pairs:
        k, random = self.n_neighbors, check_random_state(self.random_state)
        near = Blockwise(k + 1).fit(around.rows).kneighbors(samples)[:, 1:]
        share = np.sum(around.classes[near] != column, axis=1) / k
        if not share.any():
            raise Unsuited("no image of it has a neighbour of another class; use smote")
        count = np.rint(share / share.sum() * total).astype(int)
        if not count.any():
            raise Unsuited(f"the {total} images to make are too few to share out among its images; use smote")
        self._validate_estimator()
        voters = self.nn_.fit(samples).kneighbors(samples, return_distance=False)[:, 1:]
        base = np.repeat(np.arange(len(samples)), count)
        drawn = random.choice(k, size=len(base))
        return Pairs(base, voters[base, drawn], random.uniform(size=(len(base), 1))[:, 0], voters[base])
