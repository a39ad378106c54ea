"""Epochs of training a Keras network, which can stop and go on at any of them."""

import time
from pathlib import Path

import keras
import numpy as np

from asclepius.augment.parameters import generator
from asclepius.errors import StudyError
from asclepius.task import Task
from asclepius.train import losses
from asclepius.train.loader import Epoch, prefetched
from asclepius.train.recipe import Recipe
from asclepius.train.resume import Progress
from asclepius.train.scores import validation_scores
from asclepius.train.settings import TrainSettings

_DROPOUT = 4  # stream; the loader has 1 to 3


class Trainer:
    """Epochs of one run. What happens in an epoch depends on the variables before it and on (seed, epoch) alone."""

    def __init__(
        self,
        title: str,
        seed: int,
        network: keras.Model,
        train: TrainSettings,
        task: Task,
        recipe: Recipe,
        batches: Epoch,
        validation: Epoch,
    ):
        """Args:
        title: of messages.
        seed: of the order, augmentation and dropout of each epoch.
        recipe: of the balance stage; decides the loss.
        """
        self.title, self.seed, self.network, self.train, self.task = title, seed, network, train, task
        self.recipe, self.batches, self.validation = recipe, batches, validation
        self._compile()

    def _compile(self) -> None:
        train, rate = self.train, self.train.learning_rate
        if train.schedule == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(rate, len(self.batches) * train.epochs)
        if train.weight_decay:
            optimizer = keras.optimizers.AdamW(rate, weight_decay=train.weight_decay)
        else:
            optimizer = keras.optimizers.Adam(rate)
        loss = losses.build(self.recipe, self.task, train.label_smoothing)
        # XLA on the network itself is slower on CPU everywhere it was measured.
        self.network.compile(optimizer, loss, jit_compile=False)
        optimizer.build(self.network.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        # `weights` would leave out the seed generators of dropout; metrics appear only with the first step.
        metrics = {id(variable) for variable in self.network.metrics_variables}
        own = [variable for variable in self.network.variables if id(variable) not in metrics]
        return [*own, *self.network.optimizer.variables]

    def run(self, path: Path) -> Progress:
        """All epochs still to do, then the weights to keep; the state is written to `path` after each epoch."""
        progress = Progress.load(path) or Progress(0, [], [], None)
        if progress.epochs:
            for variable, value in zip(self.variables, progress.variables, strict=True):
                variable.assign(value)
            print(f"{self.title}: resumed after epoch {progress.epochs}", flush=True)
        while progress.epochs < self.train.epochs and not self._patience_ended(progress.history):
            record = self.epoch(progress.epochs + 1)
            progress.history.append(record)
            progress.epochs += 1
            if self.train.keep == "best" and best_epoch(progress.history, self.train) == progress.epochs:
                progress.best = [np.array(variable) for variable in self.network.weights]
            progress.variables = [np.array(variable) for variable in self.variables]
            progress.save(path)
        if self.train.keep == "best":
            for variable, value in zip(self.network.weights, progress.best, strict=True):
                variable.assign(value)
        return progress

    def _patience_ended(self, history: list[dict[str, float]]) -> bool:
        if not (self.train.patience and history):
            return False
        return len(history) - 1 - int(np.argmin([record["val_loss"] for record in history])) >= self.train.patience

    def epoch(self, number: int) -> dict[str, float]:
        """Train one epoch (1, 2, ...), validate, and tell how it went."""
        begin = time.perf_counter()
        rate = float(self.network.optimizer.learning_rate)
        loss = self.fit_epoch(number)
        if not np.isfinite(loss):
            raise StudyError(f"{self.title}: the loss of epoch {number} is {loss}; lower train.learning_rate")
        found = predict(self.network, self.validation)
        scores = validation_scores(self.task, self.validation.examples.targets, found)
        seconds = time.perf_counter() - begin
        print(
            f"{self.title} epoch {number}/{self.train.epochs}: loss {loss:.4f} val_loss {scores['val_loss']:.4f} "
            f"val_auc {scores['val_auc']:.4f} {seconds:.1f} s",
            flush=True,
        )
        return {"epoch": number, "loss": loss, **scores, "learning_rate": rate, "seconds": seconds}

    def fit_epoch(self, number: int) -> float:
        """One pass over the training examples; the mean loss, weighted as the network sees it."""
        reseed(self.network, self.seed, number)
        self.batches.start(self.seed, number)
        total = 0.0
        for images, targets, weights in prefetched(self.batches):
            total += float(self.network.train_on_batch(images, targets, weights)) * len(images)
        return total / len(self.batches.examples)


def best_epoch(history: list[dict[str, float]], train: TrainSettings) -> int:
    """The epoch whose weights are kept: the first of lowest validation loss, or the last; 0 before any."""
    if not history or train.keep == "last":
        return len(history)
    return int(np.argmin([record["val_loss"] for record in history])) + 1


def predict(network: keras.Model, batches: Epoch) -> np.ndarray:
    """Probabilities (n, classes), float32, in the order of the examples."""
    found = [network.predict_on_batch(images) for images, _, _ in prefetched(batches)]
    return np.concatenate(found) if found else np.zeros((0, network.output_shape[-1]), np.float32)


def reseed(network: keras.Model, seed: int, epoch: int) -> None:
    """Set every seed generator (dropout) from (seed, epoch)."""
    for number, variable in enumerate(network.variables):
        if variable.path.endswith("seed_generator_state"):
            words = generator(_DROPOUT, seed, epoch, number).integers(0, 2**32, size=2, dtype=np.uint32)
            variable.assign(words)
