"""Random over- and under-sampling: which images, and how often."""

import numpy as np


def enlarged(counts: np.ndarray, ratio: float) -> np.ndarray:
    """(classes,) sizes when each smaller class is raised to a share `ratio` of the largest."""
    return np.maximum(counts, np.ceil(ratio * counts.max() - 1e-9).astype(int))


def over(targets: np.ndarray, ratio: float, random: np.random.Generator) -> np.ndarray:
    """Rows after random over-sampling: all rows once, then further ones drawn with replacement.

    Args:
        targets: (examples, classes) bool.
        ratio: of each smaller class to the largest, afterwards.

    With several labels per image the classes are raised one by one, the rarest first, each by copies of images
    that have it, and what such copies add to other classes counts (ML-ROS, Charte et al. 2015).
    """
    counts = targets.sum(axis=0)
    wanted = enlarged(counts, ratio)
    rows = [np.arange(len(targets))]
    for column in np.argsort(counts, kind="stable"):
        having = np.flatnonzero(targets[:, column])
        missing = wanted[column] - counts[column]
        if missing > 0:
            drawn = random.choice(having, missing)
            counts = counts + targets[drawn].sum(axis=0)
            rows.append(drawn)
    return np.concatenate(rows)


def under(targets: np.ndarray, ratio: float, random: np.random.Generator) -> np.ndarray:
    """Rows after random under-sampling, in order: larger classes lose rows until the smallest is `ratio` of each.

    Args:
        targets: (examples, classes) bool, one class per example.
    """
    counts = targets.sum(axis=0)
    most = np.floor(counts.min() / ratio + 1e-9).astype(int)
    rows = []
    for column, count in enumerate(counts):
        having = np.flatnonzero(targets[:, column])
        rows.append(having if count <= most else random.choice(having, most, replace=False))
    return np.sort(np.concatenate(rows))
