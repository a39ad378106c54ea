"""Recalibration of a run's probabilities, fitted to its own validation images, which no balancing has touched.

Two classes, and each label of several: Platt scaling of the logit. Exclusive classes: one slope for all
log-probabilities and an offset for each class (Alexandari, Kundaje & Shrikumar, ICML 2020), which undoes both
overconfidence and another prevalence; with two classes the second is the first. An outcome counts (N + 1) / (N + 2) for
its class and the rest for the others, N images having it (Platt 1999): the fit then exists even where classes are told
apart without error. The slope is never below 0, so that recalibration turns no ranking round.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, logsumexp

from asclepius.evaluate.calibration import LEAST, logits
from asclepius.evaluate.cases import Scores
from asclepius.evaluate.newton import minimum
from asclepius.task import Task

FEW = 10  # images of a class; below it a note says how many
ABSENT = "validation holds one class only: probabilities stay as they are"
FLAT = "validation does not rank the classes: every image gets their shares"
SEPARATED = "validation is told apart without error: only Platt's targets bound the slope"


@dataclass(frozen=True)
class Recalibration:
    """Args:
    slope, offset: of logits, or of log-probabilities where classes exclude each other, shape (classes,).
    notes: what a reader must know, by class.
    exclusive: whether the classes exclude each other.
    """

    slope: np.ndarray
    offset: np.ndarray
    notes: tuple[str, ...]
    exclusive: bool

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Recalibrated probabilities, shape (images, classes) as given."""
        if self.exclusive:
            return np.exp(log_softmax(self.slope * _logs(probability) + self.offset, axis=1))
        return expit(self.slope * logits(probability) + self.offset)


def fit(scores: Scores, task: Task) -> Recalibration:
    """The recalibration of a run.

    Args:
        scores: of the role validation.
    """
    if task.kind == "multiclass":
        slope, offset, note = _scaling(_logs(scores.probability), scores.target)
        few = [_few(int(n)) for n in scores.target.sum(axis=0)]
        notes = tuple("; ".join(text for text in (note, own) if text) for own in few)
        return Recalibration(np.full(len(offset), slope), offset, notes, True)
    found = []
    for target, probability in zip(scores.target.T, scores.probability.T, strict=True):
        pair = np.stack([np.zeros(len(probability)), logits(probability)], axis=1)
        slope, offset, note = _scaling(pair, np.stack([~target, target], axis=1))
        notes = [note, _few(int(min(target.sum(), (~target).sum())))]
        found.append((slope, offset[1] - offset[0], "; ".join(text for text in notes if text)))
    slope, offset, notes = zip(*found, strict=True)
    return Recalibration(np.array(slope), np.array(offset), notes, False)


def _logs(probability: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probability, LEAST))


def _few(number: int) -> str:
    return f"fitted to few images of a class: {number}" if 0 < number < FEW else ""


def _scaling(scores: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, str]:
    """Slope, offsets (classes,) that sum to 0, and a note.

    Args:
        scores: log-probabilities up to a constant for each image, shape (images, classes).
        target: bool, one true per row.
    """
    count = target.sum(axis=0)
    classes = len(count)
    if (count > 0).sum() < 2:
        return 1.0, np.zeros(classes), ABSENT
    own = 1 / (count[target.argmax(axis=1)] + 2)[:, None]
    wanted = np.where(target, 1 - own, own / (classes - 1))

    def loss(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        linear = at[0] * scores + np.r_[0.0, at[1:]]
        normal = logsumexp(linear, axis=1, keepdims=True)
        chance = np.exp(linear - normal)
        value = float((wanted * (normal - linear)).sum())
        excess = chance - wanted
        mean = (chance * scores).sum(axis=1)
        gradient = np.r_[(excess * scores).sum(), excess[:, 1:].sum(axis=0)]
        hessian = np.empty((classes, classes))
        hessian[0, 0] = (chance * scores**2).sum() - mean @ mean
        hessian[0, 1:] = hessian[1:, 0] = (chance * (scores - mean[:, None]))[:, 1:].sum(axis=0)
        hessian[1:, 1:] = np.diag(chance[:, 1:].sum(axis=0)) - chance[:, 1:].T @ chance[:, 1:]
        return value, gradient, hessian

    found = minimum(loss, np.r_[1.0, np.zeros(classes - 1)])
    if found is None or found[0] <= 0:  # the best of those that turn nothing round
        shares = np.log(wanted.mean(axis=0))
        return 0.0, shares - shares.mean(), FLAT
    offset = np.r_[0.0, found[1:]]
    return float(found[0]), offset - offset.mean(), SEPARATED if _separated(scores, target) else ""


def _separated(scores: np.ndarray, target: np.ndarray) -> bool:
    """Whether some offset tells every class from every other without error."""
    label = target.argmax(axis=1)
    present = np.unique(label)
    for first in present:
        for second in present[present > first]:
            gap = scores[:, second] - scores[:, first]
            if gap[label == second].min() <= gap[label == first].max():
                return False
    return True
