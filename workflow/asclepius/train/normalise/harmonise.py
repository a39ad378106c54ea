"""Intensities of several sites or scanners brought together: ComBat on the landmarks of each image's histogram."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.train.normalise.combat import estimate
from asclepius.train.normalise.maps import knots, piecewise
from asclepius.train.normalise.measures import DECILES, Foreground, landmarks
from asclepius.train.normalise.streams import Batches

FEWEST = 5  # images of a site below which its deviation cannot be told
CONFOUNDED = 0.5  # Cramér's V, Cohen's "large" for two classes

Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Harmonise:
    """Each image's landmarks are freed of its site's shift and stretch; values between them follow linearly.

    An image of a site that training did not hold, or of an unknown one, stays as it is: the pooled site has shift 0 and
    stretch 1.

    Args:
        column: site or scanner.
        shares: quantiles of the foreground that are landmarks.
        centre, spread: (landmark, channel), in stored units.
        shift, stretch: of each site, (landmark, channel), in units of `spread`.
    """

    heavy: ClassVar[bool] = True
    column: Literal["site", "scanner"]
    shares: tuple[float, ...]
    foreground: Foreground
    centre: Table
    spread: Table
    shift: Mapping[str, Table]
    stretch: Mapping[str, Table]

    @classmethod
    def fit(
        cls,
        column: Literal["site", "scanner"],
        batches: Batches,
        groups: np.ndarray,
        targets: np.ndarray,
        ends: tuple[float, float],
        foreground: Foreground,
    ) -> "Harmonise | None":
        """Estimate sites on training images; classes are covariates, so that a site of many ill is not made healthy.

        Args:
            groups: (n,) site or scanner of each image, None where unknown.
            targets: (n, class), 0 or 1.

        Returns:
            None if fewer than two sites have enough images.

        Raises:
            StudyError: each class comes from sites of its own.
        """
        names = usable_groups(groups)
        if len(names) < 2:
            return None
        shares = (ends[0] / 100, *DECILES, ends[1] / 100)
        found = np.concatenate([landmarks(batch, shares, foreground) for batch in batches()])
        number = pd.Index(names).get_indexer(groups)
        known = number >= 0
        try:
            result = estimate(found[known].reshape(known.sum(), -1), number[known], targets[known].astype(float))
        except ValueError:
            raise StudyError(
                f"train.harmonise: class and {column} say the same of the training images, so that harmonising would "
                "remove what is to be found; set harmonise: none, or add images of each class from each "
                f"{column}"
            ) from None
        shape = found.shape[1:]

        def table(values: np.ndarray) -> Table:
            return tuple(tuple(map(float, row)) for row in values.reshape(shape))

        return cls(
            column,
            shares,
            foreground,
            table(result.centre),
            table(result.spread),
            {name: table(result.shift[i]) for i, name in enumerate(names)},
            {name: table(result.stretch[i]) for i, name in enumerate(names)},
        )

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        found = landmarks(images, self.shares, self.foreground)
        centre, spread = np.array(self.centre), np.array(self.spread)
        wanted = found.copy()
        for name in self.shift:
            rows = groups == name
            freed = ((found[rows] - centre) / spread - np.array(self.shift[name])) / np.array(self.stretch[name])
            wanted[rows] = np.maximum.accumulate(freed * spread + centre, axis=1)  # order of grey values is kept
        return knots(found, wanted)

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        return piecewise(images, measured, xp)


def usable_groups(groups: np.ndarray) -> list[str]:
    """Names of at least five images, by first appearance: a site's code is a pseudonym that must decide nothing."""
    codes, names = pd.factorize(groups)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return [str(name) for name, count in zip(names, counts, strict=True) if count >= FEWEST]


def cramers_v(groups: np.ndarray, targets: np.ndarray) -> float:
    """How far class and site go together (Cramér 1946), 0 to 1; of several labels the largest.

    Args:
        groups: (n,) names, none of them None.
        targets: (n, class), 0 or 1.
    """
    number, _ = pd.factorize(groups)
    tables = [targets] if (targets.sum(axis=1) == 1).all() else [np.stack([t, 1 - t], 1) for t in targets.T]
    return max(_v(number, table) for table in tables)


def _v(number: np.ndarray, classes: np.ndarray) -> float:
    counts = np.zeros((number.max() + 1, classes.shape[1]))
    np.add.at(counts, number, classes)
    counts = counts[:, counts.sum(axis=0) > 0]
    smaller = min(counts.shape) - 1
    if smaller < 1:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / (counts.sum() * smaller)))
