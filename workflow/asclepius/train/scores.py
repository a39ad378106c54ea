"""Loss, AUC and accuracy on validation images, to follow and to choose the epoch by."""

import numpy as np
from sklearn.metrics import roc_auc_score

from asclepius.task import Task


def validation_scores(task: Task, targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Unweighted cross-entropy, macro AUC and accuracy (multi-label: at 0.5, mean over labels).

    Args:
        targets: (n, classes), 0 or 1.
        probabilities: (n, classes).

    Returns:
        val_loss, val_auc, val_accuracy; NaN where it cannot be told (no images; a class missing).
    """
    if len(targets) == 0:
        return dict.fromkeys(("val_loss", "val_auc", "val_accuracy"), float("nan"))
    p = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    if task.kind == "multilabel":
        loss = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
        accuracy = ((probabilities >= 0.5) == (targets > 0.5)).mean()
    else:
        loss = -(targets * np.log(p)).sum(axis=1).mean()
        accuracy = (probabilities.argmax(axis=1) == targets.argmax(axis=1)).mean()
    known = bool((targets.any(axis=0) & ~targets.all(axis=0)).all())
    auc = roc_auc_score(targets, probabilities, average="macro") if known else float("nan")
    return {"val_loss": float(loss), "val_auc": float(auc), "val_accuracy": float(accuracy)}
