"""Table values (age, sex, laboratory) as numbers: gaps filled, scaled, coded, all learned from training rows alone."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from asclepius.errors import StudyError

KNOWN = ("age", "sex", "site", "scanner", "modality")  # beside the cohort's own columns, x_...
FEWEST = 5  # training images of a category below which it counts as "other"
LARGEST = 1e6  # deviations: what is beyond is a slip, and float32 ends somewhere


@dataclass(frozen=True)
class Numeric:
    """A number: gaps become the median; then mean 0 and deviation 1.

    Args:
        median, mean, deviation: of the training values, in the column's own unit.
    """

    name: str
    median: float
    mean: float
    deviation: float

    @classmethod
    def fit(cls, name: str, values: pd.Series) -> "Numeric":
        found = _numbers(values)
        median = float(np.nanmedian(found))
        filled = np.where(np.isnan(found), median, found)
        return cls(name, median, float(filled.mean()), float(filled.std()))

    @property
    def features(self) -> list[str]:
        return [self.name, f"{self.name} missing"]

    def apply(self, values: pd.Series) -> np.ndarray:
        """(n, 2): the value, and 1 where there was none."""
        found = _numbers(values)
        gap = np.isnan(found)
        scaled = (np.where(gap, self.median, found) - self.mean) / (self.deviation or 1.0)
        return np.stack([np.clip(scaled, -LARGEST, LARGEST), gap], axis=1)


@dataclass(frozen=True)
class Categorical:
    """A category: gaps become the most frequent one; rare and unknown ones are "other".

    Args:
        categories: with at least five training images, most frequent first.
    """

    name: str
    categories: tuple[str, ...]

    @classmethod
    def fit(cls, name: str, values: pd.Series) -> "Categorical":
        # Ties go by first appearance: a site's code is a pseudonym, and its value must decide nothing.
        codes, names = pd.factorize(values.dropna().astype(str))
        counts = np.bincount(codes)
        order = np.argsort(-counts, kind="stable")
        often = [str(names[i]) for i in order if counts[i] >= FEWEST]
        return cls(name, tuple(often or [str(names[order[0]])]))

    @property
    def features(self) -> list[str]:
        return [*(f"{self.name} {name}" for name in self.categories), f"{self.name} other", f"{self.name} missing"]

    def apply(self, values: pd.Series) -> np.ndarray:
        """(n, categories + 2): 1 for the category, or for "other"; 1 in the last where there was no value."""
        gap = values.isna().to_numpy()
        names = np.where(gap, self.categories[0], values.astype(str))
        known = np.stack([names == name for name in self.categories], axis=1)
        return np.column_stack([known, ~known.any(axis=1), gap])


@dataclass(frozen=True)
class Columns:
    """All columns a model asks for, in its order."""

    columns: tuple[Numeric | Categorical, ...]

    @classmethod
    def fit(cls, names: list[str], table: pd.DataFrame) -> "Columns":
        """Learn from training rows.

        Args:
            table: rows of quality/images of the training images.

        Raises:
            StudyError: a column is not there or has no value.
        """
        return cls(tuple(_fit(name, table) for name in names))

    @property
    def features(self) -> list[str]:
        """Names of the numbers, in order."""
        return [feature for column in self.columns for feature in column.features]

    def apply(self, table: pd.DataFrame) -> np.ndarray:
        """Numbers of each row, (n, features), float32.

        Raises:
            StudyError: a column is not there.
        """
        missing = [column.name for column in self.columns if column.name not in table.columns]
        if missing:
            raise StudyError(f"the model needs the column {missing[0]!r} of each image; give it, empty where unknown")
        return np.hstack([column.apply(table[column.name]) for column in self.columns]).astype(np.float32)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, values: list[dict[str, Any]]) -> "Columns":
        return cls(
            tuple(
                Categorical(each["name"], tuple(each["categories"])) if "categories" in each else Numeric(**each)
                for each in values
            )
        )


def _fit(name: str, table: pd.DataFrame) -> Numeric | Categorical:
    known = [each for each in table.columns if each in KNOWN or each.startswith("x_")]
    if name not in known:
        raise StudyError(f"model.columns: {name!r} is no column of this cohort; there are {', '.join(known)}")
    values = table[name]
    if values.isna().all():
        raise StudyError(f"model.columns: {name!r} has no value in any training image; leave it out")
    if np.isnan(_numbers(values)).sum() == values.isna().sum():
        return Numeric.fit(name, values)
    return Categorical.fit(name, values)


def _numbers(values: pd.Series) -> np.ndarray:
    """As float64; NaN where there is no number."""
    found = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)
