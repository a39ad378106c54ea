"""A stratified draw of groups.

scikit-learn's StratifiedGroupKFold knows neither unequal parts nor several labels per image.
"""

from collections.abc import Sequence

import numpy as np


def draw(counts: np.ndarray, shares: Sequence[float], random: np.random.Generator) -> np.ndarray:
    """Deal groups to parts so that every part gets its share of each class, in patients and in images.

    A group counts for its rarest class; the rarest class is dealt first. Its groups are sorted by the classes
    they hold and by their number of images, and each part takes one group out of every stretch of that list, at a
    random place in it (systematic sampling with jitter; Sechidis et al. 2011 for the order by rarity). With
    one class per patient, equal parts differ by at most one patient of a class and, in images of
    that class, by no more than the two largest patients have.

    Args:
        counts: (groups, classes) images of each class in each group, groups in an order that means nothing.
        shares: of each part; they sum to 1.

    Returns:
        Part of each group, integers (groups,). A class of as many groups as parts reaches every part,
        unless its patients have rarer classes as well.
    """
    shares = np.asarray(shares, dtype=float)
    holds = counts > 0
    frequency = holds.sum(axis=0)
    rarity = np.argsort(frequency, kind="stable")
    # A last column for groups of no class: a multi-label image without any finding.
    stratum = np.argmax(np.column_stack([holds[:, rarity], ~holds.any(axis=1)]), axis=1)
    pattern = np.unique(holds, axis=0, return_inverse=True)[1].ravel()
    part = np.full(len(counts), -1)
    dealt = np.zeros((len(shares), counts.shape[1]))  # groups with the class that each part already has
    for place in np.unique(stratum):
        members = np.flatnonzero(stratum == place)
        size = counts[members].sum(axis=1)
        if place < len(rarity):
            column = rarity[place]
            wanted = shares * frequency[column] - dealt[:, column]
            bare = dealt[:, column] == 0
            size = counts[members, column]
        else:
            wanted, bare = shares * len(members), np.zeros(len(shares), dtype=bool)
        load = np.bincount(part[part >= 0], minlength=len(shares)) / shares
        quota = _apportion(len(members), wanted, shares, load, bare, random)
        order = np.lexsort((random.random(len(members)), -size, pattern[members]))
        stretch = np.concatenate([(np.arange(n) + random.random(n)) / n for n in quota if n])
        part[members[order]] = np.repeat(np.arange(len(shares)), quota)[np.argsort(stretch, kind="stable")]
        for p in range(len(shares)):
            dealt[p] = holds[part == p].sum(axis=0)
    return part


def _apportion(
    total: int,
    wanted: np.ndarray,
    shares: np.ndarray,
    load: np.ndarray,
    bare: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """How many of `total` groups each part gets: by largest remainder, then to the part with least so far."""
    wanted = np.maximum(wanted, 0)
    exact = total * (wanted if wanted.sum() else shares) / (wanted.sum() or 1)
    quota = np.floor(exact + 1e-9).astype(int)
    order = np.lexsort((random.random(len(shares)), np.round(load, 9), -np.round(exact - quota, 9)))
    quota[order[: total - quota.sum()]] += 1
    # A small part must not go without a class: it takes one from the part that has most.
    for p in np.flatnonzero(bare & (quota == 0)):
        if quota.max() > 1:
            quota[np.argmax(quota)] -= 1
            quota[p] = 1
    return quota
