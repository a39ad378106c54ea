"""What is unusual among images of one kind: median and MAD, which a few odd images do not move."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

_NORMAL = 1.4826  # standard deviations of a normal distribution per median absolute deviation


@dataclass(frozen=True)
class Peers:
    """The images that each image is judged with: all of its finest group that is large enough.

    Args:
        levels: name of each image's group, coarse to fine; null where the group has too few images.
    """

    levels: tuple[pd.Series, ...]

    @classmethod
    def of(cls, *columns: pd.Series, few: int) -> "Peers":
        """Groups by the first column, then by the first two, and so on; `few` images make a group."""
        name, levels = pd.Series("", index=columns[0].index), []
        for column in columns:
            name = name + "\0" + column.fillna("").astype(str)
            levels.append(name.where(name.groupby(name).transform("size") >= few))
        return cls(tuple(levels))

    @property
    def known(self) -> pd.Series:
        """Whether an image has peers at all."""
        return self.levels[0].notna()

    def groups(self) -> Iterator[pd.Index]:
        """The members of each group; what is said of a later one is finer."""
        for level in self.levels:
            for _, members in level.groupby(level):
                yield members.index

    def typical(self, values: pd.Series) -> pd.Series:
        """Median of each image's peers; NaN without any."""
        return self._finest(values, lambda group: values.groupby(group).transform("median"))

    def deviation(self, values: pd.Series) -> pd.Series:
        """Robust deviation from the peers, see `deviation`; NaN without any."""
        return self._finest(values, lambda group: deviation(values, group))

    def _finest(self, values: pd.Series, judge: Callable[[pd.Series], pd.Series]) -> pd.Series:
        found = pd.Series(np.nan, index=values.index)
        for level in self.levels:
            judged = judge(level[values.index])
            found = found.where(level[values.index].isna(), judged)
        return found


def deviation(values: pd.Series, group: pd.Series) -> pd.Series:
    """Distance from the group's median in robust standard deviations, those of its own side of the median.

    Two sides (double MAD): intensities and noise are skewed, and the longer tail must not hide the shorter. Infinite
    where more than half of a side equals the median; NaN without a group.
    """
    distance = values - values.groupby(group).transform("median")
    above = distance.where(distance >= 0).groupby(group).transform("median")
    below = (-distance).where(distance <= 0).groupby(group).transform("median")
    spread = _NORMAL * np.where(distance >= 0, above, below)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (distance / spread).where(distance != 0, 0.0)
