"""What a method did, in words for other stages: recipe.json."""

from typing import Any

import numpy as np
import pandas as pd

from asclepius.balance.settings import BalanceSettings
from asclepius.balance.training import Training


def describe(settings: BalanceSettings, training: Training, examples: pd.DataFrame) -> dict[str, Any]:
    """recipe.json.

    method, settings: those the method knows.
    loss: {"name": crossentropy, focal or logit_adjusted, and its numbers}.
    sampler: how training batches are drawn, shuffle or balanced (to settings.ratio).
    space: where examples are made: image, or embedding (by the train stage, of the table's real images).
    before, after: examples of each class in the training fold and in the table.
    prior, prior_after: share of each class among them; afterwards weighted as the loss is.
    """
    classes, before = training.task.classes, training.counts
    after = training.task.targets(examples["label"]) > 0
    weight = examples["weight"].to_numpy()
    return {
        "method": settings.method,
        "settings": settings.known,
        "loss": _loss(settings),
        "sampler": "balanced" if settings.method == "balanced_batches" else "shuffle",
        "space": "embedding" if settings.embedded else "image",
        "before": {name: int(count) for name, count in zip(classes, before, strict=True)},
        "after": {name: int(count) for name, count in zip(classes, after.sum(axis=0), strict=True)},
        "prior": _shares(classes, before / len(training.images)),
        "prior_after": _shares(classes, weight @ after / weight.sum()),
        "synthetic": int((examples["source"] == "synthetic").sum()),
    }


def _loss(settings: BalanceSettings) -> dict[str, Any]:
    match settings.method:
        case "focal":
            return {"name": "focal", "gamma": settings.gamma}
        case "logit_adjustment":
            return {"name": "logit_adjusted", "tau": settings.tau}
    return {"name": "crossentropy"}


def _shares(classes: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 9) for name, value in zip(classes, values, strict=True)}
