"""Who was in which role of which fold, as arrays that all checks look things up in."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.provenance import digest
from asclepius.split.schema import ROLES

ABSENT = -1
CODE = {role: code for code, role in enumerate(ROLES)}
# What may learn together: unlabelled images stand on the training side, the second source on that of the test.
SIDES = ("training", "validation", "test")
SIDE = np.array([{"train": 0, "unlabelled": 0, "validation": 1, "test": 2, "external": 2}[role] for role in ROLES])


@dataclass(frozen=True)
class Assignment:
    """Args:
    images: quality/images.
    role: (folds, images) index into ROLES, or ABSENT.
    strangers: (folds,) rows of split/folds whose image is not in `images`, that repeat one, or name no known role.
    """

    images: pd.DataFrame
    role: np.ndarray
    strangers: np.ndarray
    _index: pd.Index
    _digests: dict[tuple[int, tuple[str, ...]], tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, images: pd.DataFrame, folds: pd.DataFrame) -> "Assignment":
        """Raises:
        StudyError: split/folds has no row.
        """
        if folds.empty:
            raise StudyError("audit: split/folds is empty; delete split/ and run again")
        index = pd.Index(images["image"])
        fold, place = folds["fold"].to_numpy(), index.get_indexer(folds["image"])
        code = pd.Index(ROLES).get_indexer(folds["role"])
        bad = (place < 0) | (code < 0) | folds.duplicated(["image", "fold"]).to_numpy()
        count = int(fold.max()) + 1
        role = np.full((count, len(images)), ABSENT, dtype=np.int8)
        role[fold[~bad], place[~bad]] = code[~bad]
        return cls(images, role, np.bincount(fold[bad], minlength=count), index)

    @property
    def folds(self) -> range:
        return range(len(self.role))

    def place(self, tokens: Iterable[str]) -> np.ndarray:
        """Row of each image in `images`, -1 if it is not there: integers (n,)."""
        return self._index.get_indexer(pd.Index(tokens, dtype=object))

    def roles_of(self, tokens: Iterable[str], fold: int | np.ndarray) -> np.ndarray:
        """Role of each image in a fold (or each in its own): index into ROLES, ABSENT if it has none: (n,)."""
        place = self.place(tokens)
        fold = np.broadcast_to(fold, place.shape)
        known = (place >= 0) & (fold >= 0) & (fold < len(self.role))
        found = np.full(len(place), ABSENT)
        found[known] = self.role[fold[known], place[known]]
        return found

    def expected_digest(self, fold: int, roles: tuple[str, ...]) -> tuple[str, int]:
        """Digest and number of all images of some roles of a fold."""
        if (fold, roles) not in self._digests:
            chosen = np.isin(self.role[fold], [CODE[role] for role in roles])
            self._digests[fold, roles] = (digest(self.images["image"].to_numpy()[chosen]), int(chosen.sum()))
        return self._digests[fold, roles]


def role_counts(codes: np.ndarray) -> str:
    """What roles some images have, e.g. "2 test, 1 without a role"."""
    counts = [(int((codes == code).sum()), name) for code, name in [*enumerate(ROLES), (ABSENT, "without a role")]]
    return ", ".join(f"{count} {name}" for count, name in counts if count)
