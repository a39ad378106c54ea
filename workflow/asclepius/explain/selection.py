"""Which test cases to explain: right and wrong ones of every class, from the surest to the least sure."""

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.task import SEPARATOR, Task

COLUMNS = ["image", "class", "target", "predicted", "probability", "correct"]


def select(
    predictions: pd.DataFrame, task: Task, threshold: float | dict[str, float] | None, number: int
) -> pd.DataFrame:
    """Cases in the order of the gallery: class by class, wrong ones first.

    Of each class and kind the cases are sorted by the probability of what was called, and `number` of them taken at
    even steps: the first is the surest, the last the least sure. Ties keep the order of the images.

    Args:
        predictions: of one run and role, in the order of the images table.
        threshold: of the positive class, of each label, or None where the most probable class decides.
        number: of cases per class and kind; fewer where there are no more.

    Returns:
        Columns COLUMNS; an image stands in one row at most.

    Raises:
        StudyError: there are no predictions.
    """
    if predictions.empty:
        raise StudyError("explain: the chosen run has no test predictions; run the train stage again")
    wide = {
        name: predictions.pivot(index="image", columns="class", values=name).reindex(predictions["image"].unique())
        for name in ("target", "probability")
    }
    images = wide["target"].index.to_numpy(object)
    if task.kind == "multilabel":
        candidates = _labels(images, wide, task, threshold)
    else:
        candidates = _exclusive(images, wide, task, threshold)
    taken: set[str] = set()
    chosen = []
    for _, correct, found in candidates:
        found = found[~found["image"].isin(taken)].sort_values("sureness", ascending=False, kind="stable")
        steps = np.unique(np.linspace(0, len(found) - 1, min(number, len(found))).round().astype(int))
        part = found.iloc[steps].assign(correct=correct)
        taken |= set(part["image"])
        chosen.append(part[COLUMNS])
    return pd.concat(chosen, ignore_index=True)


def _exclusive(images: np.ndarray, wide: dict[str, pd.DataFrame], task: Task, threshold: float | None) -> list[tuple]:
    classes = np.array(task.classes, dtype=object)
    if task.kind == "binary":
        negative = next(name for name in task.classes if name != task.positive)
        positive = wide["probability"][task.positive].to_numpy()
        called = np.where(positive >= threshold, task.positive, negative).astype(object)
        target = np.where(wide["target"][task.positive].to_numpy() == 1, task.positive, negative).astype(object)
        probability = np.where(called == task.positive, positive, 1 - positive)
    else:
        matrix = wide["probability"][list(task.classes)].to_numpy()
        called = classes[matrix.argmax(axis=1)]
        target = classes[wide["target"][list(task.classes)].to_numpy().argmax(axis=1)]
        probability = matrix.max(axis=1)
    frame = pd.DataFrame(
        {
            "image": images,
            "class": called,
            "target": target,
            "predicted": called,
            "probability": probability,
            "sureness": probability,
        }
    )
    return [
        (name, correct, frame[(target == name) & ((called == name) == correct)])
        for name in task.classes
        for correct in (False, True)
    ]


def _labels(images: np.ndarray, wide: dict[str, pd.DataFrame], task: Task, threshold: dict[str, float]) -> list[tuple]:
    names = list(task.classes)
    probability = wide["probability"][names].to_numpy()
    target = wide["target"][names].to_numpy() == 1
    called = probability >= np.array([threshold[name] for name in names])
    found = []
    for column, name in enumerate(names):
        p = probability[:, column]
        frame = pd.DataFrame(
            {
                "image": images,
                "class": name,
                "target": _joined(target, names),
                "predicted": _joined(called, names),
                "probability": p,
                "sureness": np.where(called[:, column], p, 1 - p),
            }
        )
        found.append((name, False, frame[target[:, column] != called[:, column]]))
        found.append((name, True, frame[target[:, column] & called[:, column]]))
    return found


def _joined(flags: np.ndarray, names: list[str]) -> list[str]:
    return [SEPARATOR.join(name for name, flag in zip(names, row, strict=True) if flag) for row in flags]
