"""What is unusual among images of one kind: median and MAD, which a few odd images do not move."""

import numpy as np
import pandas as pd

_NORMAL = 1.4826  # standard deviations of a normal distribution per median absolute deviation


def peers(*columns: pd.Series, few: int) -> pd.Series:
    """Names of groups of images to be judged together; null for an image with too few of its kind.

    Args:
        columns: what images of a kind have in common, coarse to fine. Where the finest group is too small, the image
            is judged in that of the columns before.
        few: images that a group needs.
    """
    group = pd.Series(None, index=columns[0].index, dtype=object)
    name = pd.Series("", index=columns[0].index)
    for column in columns:
        name = name + "\0" + column.fillna("").astype(str)
        large = name.groupby(name).transform("size") >= few
        group = group.mask(large, name)
    return group


def typical(values: pd.Series, group: pd.Series) -> pd.Series:
    """Median of each image's group."""
    return values.groupby(group).transform("median")


def deviation(values: pd.Series, group: pd.Series) -> pd.Series:
    """Distance from the group's median in robust standard deviations, those of its own side of the median.

    Two sides (double MAD): intensities and noise are skewed, and the longer tail must not hide the shorter. Infinite
    where more than half of a side equals the median; NaN without a group.
    """
    distance = values - typical(values, group)
    above = distance.where(distance >= 0).groupby(group).transform("median")
    below = (-distance).where(distance <= 0).groupby(group).transform("median")
    spread = _NORMAL * np.where(distance >= 0, above, below)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (distance / spread).where(distance != 0, 0.0)
