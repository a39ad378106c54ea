"""Table values (age, sex, laboratory) of synthetic examples, as SMOTE-NC makes them (Chawla et al. 2002)."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from asclepius.balance.pairs import Pairs
from asclepius.columns import Columns, Numeric


@dataclass(frozen=True)
class Values:
    """What the training rows of a fold hold in the columns that a model takes.

    Args:
        columns: as the model will read them.
        numbers: (n, numeric columns), mean 0 and deviation 1, gaps filled by the median.
        gaps: of the same shape, where there was no number.
        codes: (n, nominal columns), numbers of categories; "no value" is one.
        categories: of each nominal column, in order.
    """

    columns: Columns
    numbers: np.ndarray
    gaps: np.ndarray
    codes: np.ndarray
    categories: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, names: list[str], table: pd.DataFrame) -> "Values":
        """Learn from training rows of quality/images.

        Raises:
            StudyError: a column is not there or has no value.
        """
        columns = Columns.fit(names, table)
        numeric = [each.apply(table[each.name]) for each in columns.columns if isinstance(each, Numeric)]
        # Categories in order of appearance: a site's code is a pseudonym, and its value must decide nothing.
        coded = [
            pd.factorize(table[each.name].map(str, na_action="ignore").fillna(""))
            for each in columns.columns
            if not isinstance(each, Numeric)
        ]
        both = np.stack(numeric, axis=2) if numeric else np.empty((len(table), 2, 0))
        codes = np.stack([code for code, _ in coded], axis=1) if coded else np.empty((len(table), 0), dtype=int)
        return cls(columns, both[:, 0], both[:, 1] > 0, codes, tuple(np.asarray(names) for _, names in coded))

    @property
    def nominal_only(self) -> bool:
        return not self.numbers.shape[1]

    def features(self, pixels: np.ndarray, of: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(n, features) for distances: a number spreads as a pixel does; categories that differ are as far apart as
        the median deviation of all numbers (SMOTE-NC).

        Args:
            pixels: (pixels,) deviation of each among the rows `of`; empty where pixels do not count.
        """
        numbers = self.numbers * (np.sqrt(np.mean(pixels**2)) if len(pixels) else 1.0)
        apart = np.median(np.concatenate([pixels, numbers[of].std(axis=0)]))
        return np.hstack([numbers, self._one_hot(self.codes) * (apart / np.sqrt(2))])

    def _one_hot(self, codes: np.ndarray) -> np.ndarray:
        parts = [np.eye(len(names))[codes[:, i]] for i, names in enumerate(self.categories)]
        return np.hstack([np.empty((len(codes), 0)), *parts])

    def vote(self, pairs: Pairs, seed: int) -> np.ndarray:
        """(examples, nominal columns): the category most of the first parent's neighbours have; ties by lot."""
        random, found = check_random_state(seed), np.empty((len(pairs), len(self.categories)), dtype=int)
        for i, names in enumerate(self.categories):
            votes = np.eye(len(names), dtype=int)[self.codes[pairs.voters, i]].sum(axis=1)
            # In the order of imbalanced-learn's own draws.
            leading = random.permutation(np.argwhere(votes == votes.max(axis=1, keepdims=True)))
            _, first = np.unique(leading[:, 0], return_index=True)
            found[:, i] = leading[first, 1]
        return found

    def joined(self, values: "Values") -> "Values":
        """Those and further rows."""
        parts = ((getattr(self, name), getattr(values, name)) for name in ("numbers", "gaps", "codes"))
        return Values(self.columns, *map(np.concatenate, parts), self.categories)

    def synthetic(self, pairs: Pairs, seed: int) -> "Values":
        """Of synthetic examples: numbers in between, missing where the first parent's is; categories by vote."""
        numbers, step = self.numbers, pairs.step[:, None]
        between = numbers[pairs.base] + step * (numbers[pairs.neighbour] - numbers[pairs.base])
        return Values(self.columns, between, self.gaps[pairs.base], self.vote(pairs, seed), self.categories)

    def take(self, which: np.ndarray) -> "Values":
        """Some rows."""
        return Values(self.columns, self.numbers[which], self.gaps[which], self.codes[which], self.categories)

    def as_json(self) -> list[str]:
        """A JSON object per row, in the columns' own units; null where there is no value."""
        found: list[dict[str, float | str | None]] = [{} for _ in range(len(self.numbers))]
        numeric = nominal = 0
        for column in self.columns.columns:
            if isinstance(column, Numeric):
                own = self.numbers[:, numeric] * (column.deviation or 1.0) + column.mean
                values = [None if gap else float(value) for value, gap in zip(own, self.gaps[:, numeric], strict=True)]
                numeric += 1
            else:
                values = [str(name) or None for name in self.categories[nominal][self.codes[:, nominal]]]
                nominal += 1
            for each, value in zip(found, values, strict=True):
                each[column.name] = value
        return [json.dumps(each, ensure_ascii=False) for each in found]
