"""Fitting a network's last layers anew, to real and synthetic embeddings (as Kang et al. 2020 part the two)."""

import keras
import numpy as np

from asclepius import tables
from asclepius.balance.latent import latent
from asclepius.balance.schema import TABLE
from asclepius.balance.training import Training
from asclepius.models import registry
from asclepius.train.examples import Fold
from asclepius.train.loader import Batch, Batches, Epoch
from asclepius.train.outcome import Run
from asclepius.train.resume import RunState
from asclepius.train.schema import EXAMPLES
from asclepius.train.trainer import Trainer, predict


class Vectors:
    """Embeddings with their targets, in the place of Examples."""

    def __init__(self, values: np.ndarray, targets: np.ndarray):
        self.values, self.targets = values, targets

    def __len__(self) -> int:
        return len(self.values)


class Embedded(Epoch):
    """(embeddings, targets, weights) of an epoch."""

    def __getitem__(self, step: int) -> Batch:
        rows = self.indices[step]
        return self.examples.values[rows], self.examples.targets[rows], np.ones(len(rows), np.float32)


def refit(
    run: Run, fresh: keras.Model, trained: Trainer, fold: Fold, state: RunState
) -> tuple[keras.Model, list[dict[str, float]]]:
    """The trained network with a new head, and the history of that head's epochs.

    The head starts from its first weights and goes through as many epochs as the network did; the best is chosen on
    validation as there. Its examples are written to state.folder.

    Args:
        fresh: the same network untrained.
        trained: with the weights to keep.
    """
    body, _ = registry.parts(trained.network)
    for layer in body.layers:
        fresh.get_layer(layer.name).set_weights(layer.get_weights())
    _, head = registry.parts(fresh)
    images = fold.training.table.reset_index(drop=True)
    training = Training(run.fold, images, trained.task, fold.training.targets > 0)
    vectors = predict(body, Batches(fold.training, trained.batches.normaliser))
    made = latent(fold.recipe.settings, training, vectors, run.seed, run.title)
    tables.write(state.folder / EXAMPLES, made.examples, TABLE)
    size, held_out = trained.train.batch_size, trained.validation
    batches = Embedded(Vectors(made.vectors, made.targets), size)
    validation = Embedded(Vectors(predict(body, held_out), held_out.examples.targets), size)
    fitted = Trainer(f"{run.title} head", run.seed, head, trained.train, trained.task, fold.recipe, batches, validation)
    return fresh, fitted.run(state.folder / "head.npz").history
