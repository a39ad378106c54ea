"""The losses a recipe may ask for; all take soft targets, weights of examples and label smoothing."""

from typing import Any

import keras
import numpy as np
from keras import ops

from asclepius.task import Task
from asclepius.train.recipe import Recipe

SMALLEST = 1e-30  # of a softmax, so that a sure mistake still has a gradient
CLIP = 1e-7  # of a sigmoid, from 0 and from 1


def build(recipe: Recipe, task: Task, label_smoothing: float) -> keras.losses.Loss:
    """The loss of probabilities (n, classes); softmax, or sigmoid when multi-label."""
    several = task.kind == "multilabel"
    match recipe.loss["name"]:
        case "focal":
            gamma = recipe.loss["gamma"]
            if several:
                return BinaryFocal(gamma=gamma, label_smoothing=label_smoothing)
            return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, label_smoothing=label_smoothing)
        case "logit_adjusted":
            return LogitAdjusted(recipe.shift(task), several, label_smoothing)
    plain = keras.losses.BinaryCrossentropy if several else keras.losses.CategoricalCrossentropy
    return plain(label_smoothing=label_smoothing)


class BinaryFocal(keras.losses.BinaryFocalCrossentropy):
    """Focal loss per label (Lin et al. 2017). Keras' own has no finite gradient at 0 and 1 for gamma below 1."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return super().call(y_true, ops.clip(y_pred, CLIP, 1 - CLIP))


class LogitAdjusted(keras.losses.Loss):
    """Cross-entropy of logits shifted by the prior; the network's own outputs then favour no class (Menon et al. 2021).

    Args:
        shift: (classes,) added to the logits.
        several: whether labels are independent.
    """

    def __init__(self, shift: np.ndarray, several: bool, label_smoothing: float):
        super().__init__(name="logit_adjusted")
        self.shift, self.several, self.label_smoothing = shift.astype(np.float32), several, label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, shift = ops.cast(y_true, y_pred.dtype), ops.convert_to_tensor(self.shift)
        share = 0.5 if self.several else 1 / len(self.shift)
        y_true = y_true * (1 - self.label_smoothing) + share * self.label_smoothing
        if self.several:
            p = ops.clip(y_pred, CLIP, 1 - CLIP)
            logits = ops.log(p) - ops.log(1 - p) + shift
            return ops.mean(ops.binary_crossentropy(y_true, logits, from_logits=True), axis=-1)
        logits = ops.log(ops.maximum(y_pred, SMALLEST)) + shift  # softmax does not mind a constant
        return ops.categorical_crossentropy(y_true, logits, from_logits=True)
