"""Logistic regression on pixels, table values or both: the floor every network must beat. No Keras here."""

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from asclepius.archive import settle
from asclepius.errors import StudyError
from asclepius.models.settings import ModelSettings
from asclepius.task import Task
from asclepius.train.examples import Examples, Fold
from asclepius.train.outcome import Outcome, Run
from asclepius.train.preprocess import Preprocess
from asclepius.train.resume import RunState
from asclepius.train.scores import validation_scores
from asclepius.train.settings import TrainSettings
from asclepius.train.turns import expected

LARGEST = 4096
ITERATIONS = 2000


def pooled(images: np.ndarray) -> np.ndarray:
    """Averages over equal blocks, the smallest that leave at most 4096 values, as rows.

    Args:
        images: (n, y, x, channel) or (n, z, y, x, channel), normalised. An axis the block does not divide is
            filled up with its border.

    Returns:
        (n, values), float32: 64 x 64 pixels stay as they are, 28 x 28 x 28 become 14 x 14 x 14.
    """
    n, *shape, channels = images.shape
    block = 1
    while np.prod([-(-length // block) for length in shape]) * channels > LARGEST:
        block += 1
    fill = [(0, -length % block) for length in shape]
    images = np.pad(images, [(0, 0), *fill, (0, 0)], mode="edge")
    split = [part for length in images.shape[1:-1] for part in (length // block, block)]
    means = images.reshape(n, *split, channels).mean(axis=tuple(range(2, 2 + 2 * len(shape), 2)))
    return means.reshape(n, -1).astype(np.float32)


def inputs(stored: np.ndarray, table: pd.DataFrame, preprocess: Preprocess) -> np.ndarray:
    """Pooled, normalised pixels, then table values, (n, values), float32; the recipe may leave either out.

    Args:
        stored: (n, *input_shape), stored values.
        table: rows of quality/images of those images.
    """
    parts = [pooled(preprocess.apply(stored, table))] if preprocess.pixels else []
    if preprocess.columns:
        parts.append(preprocess.columns.apply(table))
    return np.concatenate(parts, axis=1)


def features(examples: Examples, preprocess: Preprocess) -> np.ndarray:
    """`inputs` of all examples."""
    parts = []
    for number, chunk in enumerate(examples.chunks()):
        table = examples.table.iloc[number * examples.chunk : (number + 1) * examples.chunk]
        parts.append(inputs(chunk, table, preprocess))
    return np.concatenate(parts)


def fit(
    run: Run, model: ModelSettings, train: TrainSettings, fold: Fold, preprocess: Preprocess, state: RunState
) -> Outcome:
    """Fit, write state.folder/model.skops and predict the evaluated images.

    Multinomial, or one classifier per label when multi-label. Each value is standardised over the real training images
    of the fold. The loss has no local minimum, so seeds and augmentation change nothing. Balanced batches become the
    weights that do the same in expectation; logit adjustment shifts the intercepts of the fit.

    Raises:
        StudyError: the recipe asks for what only a network has.
    """
    begin = time.perf_counter()
    task, recipe, weights = preprocess.task, fold.recipe, fold.training.weights
    if refusal := recipe.settings.refusal("logistic"):
        raise StudyError(f"{run.title}: {refusal}")
    if recipe.sampler == "balanced":
        weights = weights * expected(fold.training.targets, recipe.settings.ratio)
    scaler = StandardScaler().fit(features(fold.real, preprocess))
    classifier = LogisticRegression(C=1 / model.l2, max_iter=ITERATIONS)
    targets = fold.training.targets
    if task.kind == "multilabel":
        classifier = MultiOutputClassifier(classifier)
    else:
        targets = targets.argmax(axis=1)
    with threadpool_limits(train.threads), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        classifier.fit(scaler.transform(features(fold.training, preprocess)), targets, weights)
        if recipe.loss["name"] == "logit_adjusted":
            _adjust(classifier, recipe.shift(task))
        pipeline = Pipeline([("scaler", scaler), ("classifier", classifier)])
        probabilities = predict(pipeline, features(fold.evaluation, preprocess), task)
        trained = predict(pipeline, features(fold.training, preprocess), task)
    if any(issubclass(item.category, ConvergenceWarning) for item in caught):
        print(f"{run.title}: not converged after {ITERATIONS} iterations; raise model.l2", flush=True)
    skops.io.dump(pipeline, state.folder / "model.skops")
    settle(state.folder / "model.skops")
    validation = fold.validation
    scores = validation_scores(task, fold.evaluation.targets[validation], probabilities[validation])
    loss = validation_scores(task, fold.training.targets, trained)["val_loss"]
    seconds = time.perf_counter() - begin
    print(
        f"{run.title}: loss {loss:.4f} val_loss {scores['val_loss']:.4f} "
        f"val_auc {scores['val_auc']:.4f} {seconds:.1f} s",
        flush=True,
    )
    return Outcome(
        probabilities=probabilities,
        history=[{"epoch": 0, "loss": loss, **scores, "seconds": seconds}],
        parameters=_parameters(classifier),
        epochs=0,
        best_epoch=0,
        seconds=seconds,
        device="cpu",
    )


def read(path: Path) -> Pipeline:
    """A model.skops as `fit` wrote it; holds no type that could run code."""
    return skops.io.load(path)


def predict(pipeline: Pipeline, values: np.ndarray, task: Task) -> np.ndarray:
    """Probabilities (n, classes), float32.

    Args:
        values: from `features` or `pooled`.
    """
    if len(values) == 0:
        return np.zeros((0, len(task.classes)), np.float32)
    found = pipeline.predict_proba(values)
    if task.kind == "multilabel":
        found = np.stack([each[:, 1] for each in found], axis=1)
    return found.astype(np.float32)


def _adjust(classifier: LogisticRegression | MultiOutputClassifier, shift: np.ndarray) -> None:
    """Take the prior out of the intercepts: of two classes scikit-learn keeps the difference alone."""
    if isinstance(classifier, MultiOutputClassifier):
        for one, own in zip(classifier.estimators_, shift, strict=True):
            one.intercept_ -= own
    else:
        classifier.intercept_ -= shift if len(classifier.intercept_) > 1 else shift[1] - shift[0]


def _parameters(classifier: LogisticRegression | MultiOutputClassifier) -> int:
    each = getattr(classifier, "estimators_", [classifier])
    return int(sum(one.coef_.size + one.intercept_.size for one in each))
