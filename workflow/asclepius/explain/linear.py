"""Heat of a logistic regression: what each pixel adds to or takes from the score."""

import math
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from asclepius.train.classical import inputs, read
from asclepius.train.preprocess import Preprocess


def contributions(
    path: Path, preprocess: Preprocess, stored: np.ndarray, table: pd.DataFrame, column: np.ndarray
) -> np.ndarray:
    """Absolute contribution of each pixel to the score of a class: weight times standardised value.

    Args:
        path: model.skops of the train stage.
        stored: values of the store, shape (n, y, x, channel) or (n, z, y, x, channel).
        table: rows of quality/images of those images.
        column: number of the class of each image, shape (n,).

    Returns:
        Summed over channels, shape (n, y, x) or (n, z, y, x); constant within the blocks the model averages over.
        Zero where the model takes table values alone.
    """
    shape, channels = stored.shape[1:-1], stored.shape[-1]
    if not preprocess.pixels:
        return np.zeros(stored.shape[:-1], np.float32)
    pipeline = read(path)
    weights = _weights(pipeline["classifier"])
    values = pipeline["scaler"].transform(inputs(stored, table, preprocess))
    found = np.abs(values * weights[column])
    if preprocess.columns:
        found = found[:, : -len(preprocess.columns.features)]
    # pooled() takes the first block that leaves few enough values, so the number of values tells the block.
    block = next(b for b in count(1) if math.prod(-(-side // b) for side in shape) * channels == found.shape[1])
    heat = found.reshape(len(stored), *(-(-side // block) for side in shape), channels).sum(axis=-1)
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
