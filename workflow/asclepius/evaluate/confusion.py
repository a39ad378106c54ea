"""Confusion matrices: images by true and called class."""

from collections.abc import Sequence

import numpy as np

from asclepius.evaluate.cases import Cases
from asclepius.task import Task


def confusion_rows(cases: Sequence[Cases], task: Task) -> list[dict]:
    """Rows of evaluate/confusion without arm and role, the mean over replicates.

    Multi-label: for every class x the four cells of "x" and "not x".
    """
    if task.kind == "multiclass":
        return _matrix([(part.target.argmax(axis=1), part.decision.argmax(axis=1)) for part in cases], task.classes)
    if task.kind == "binary":
        negative = next(name for name in task.classes if name != task.positive)
        # In the order of the classes, like every other table of the study.
        flip = task.classes[0] == task.positive
        pairs = [((part.target[:, 0] ^ flip), (part.decision[:, 0] ^ flip)) for part in cases]
        return _matrix(pairs, (task.positive, negative) if flip else (negative, task.positive))
    out = []
    for column, name in enumerate(task.classes):
        out += _matrix([(part.target[:, column], part.decision[:, column]) for part in cases], (f"not {name}", name))
    return out


def _matrix(pairs: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str]) -> list[dict]:
    size = len(names)
    counts = np.zeros((size, size))
    for target, called in pairs:
        counts += np.bincount(target.astype(int) * size + called.astype(int), minlength=size * size).reshape(size, size)
    counts /= len(pairs)
    return [
        {"target": names[i], "predicted": names[j], "count": counts[i, j]} for i in range(size) for j in range(size)
    ]
