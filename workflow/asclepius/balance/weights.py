"""Weights of examples, so that rare classes count as much as common ones in the loss."""

import numpy as np


def class_weights(targets: np.ndarray, ratio: float) -> np.ndarray:
    """Weight of each example, mean 1: (examples,).

    Args:
        targets: (examples, classes) bool.
        ratio: what each smaller class counts for afterwards, as a share of the largest. At 1 the weights
            are n / (k n_c) (King and Zeng 2001; scikit-learn's "balanced").

    An example of two labels is half an example of each. One of none counts as of a class of its own, or the
    healthy would keep their weight while every finding gained.
    """
    bare = ~targets.any(axis=1)
    if bare.any():
        targets = np.column_stack([targets, bare])
    member = targets / targets.sum(axis=1, keepdims=True)
    counts = member.sum(axis=0)
    found = member @ (np.maximum(counts, ratio * counts.max()) / counts)
    return found / found.mean()
