"""Heat of a logistic regression: what each pixel adds to or takes from the score."""

import math
from itertools import count
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from asclepius.train.classical import pooled, read


def contributions(path: Path, batch: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Absolute contribution of each pixel to the score of a class: weight times standardised value.

    Args:
        path: model.skops of the train stage.
        batch: normalised images, shape (n, y, x, channel) or (n, z, y, x, channel).
        column: number of the class of each image, shape (n,).

    Returns:
        Summed over channels, shape (n, y, x) or (n, z, y, x); constant within the blocks the model averages over.
    """
    pipeline = read(path)
    weights = _weights(pipeline["classifier"])
    values = pipeline["scaler"].transform(pooled(batch))
    found = np.abs(values * weights[column])
    shape, channels = batch.shape[1:-1], batch.shape[-1]
    # pooled() takes the first block that leaves few enough values, so the number of values tells the block.
    block = next(b for b in count(1) if math.prod(-(-side // b) for side in shape) * channels == values.shape[1])
    heat = found.reshape(len(batch), *(-(-side // block) for side in shape), channels).sum(axis=-1)
    for axis, side in enumerate(shape, start=1):
        heat = heat.repeat(block, axis=axis).take(np.arange(side), axis=axis)
    return heat.astype(np.float32)


def _weights(classifier) -> np.ndarray:
    """Weights of each class, shape (classes, values)."""
    if not isinstance(classifier, LogisticRegression):  # one per label
        return np.concatenate([each.coef_ for each in classifier.estimators_])
    if len(classifier.coef_) == 1:  # binary: the score of the second class
        return np.concatenate([-classifier.coef_, classifier.coef_])
    return classifier.coef_
