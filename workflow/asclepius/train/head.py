"""Fitting a network's last layers anew, to real and synthetic embeddings (as Kang et al. 2020 part the two)."""

import keras
import numpy as np

from asclepius import tables
from asclepius.balance.latent import latent
from asclepius.balance.schema import TABLE
from asclepius.balance.training import Training
from asclepius.models import registry
from asclepius.train.examples import Fold
from asclepius.train.loader import Batch, Batches
from asclepius.train.network import Trainer, predict
from asclepius.train.outcome import Run
from asclepius.train.resume import RunState
from asclepius.train.schema import EXAMPLES


class Vectors:
    """Embeddings with their targets, in the place of Examples."""

    def __init__(self, values: np.ndarray, targets: np.ndarray):
        self.values, self.targets = values, targets

    def __len__(self) -> int:
        return len(self.values)


class Embedded(Batches):
    """(embeddings, targets, weights) of an epoch, in the order of Batches."""

    def __init__(self, examples: Vectors, batch_size: int):
        keras.utils.PyDataset.__init__(self)
        self.examples, self.augmenter, self.turns = examples, None, None
        self.steps = -(-len(examples) // batch_size)
        self.indices = np.array_split(np.arange(len(examples)), max(self.steps, 1))

    def __getitem__(self, step: int) -> Batch:
        rows = self.indices[step]
        return self.examples.values[rows], self.examples.targets[rows], np.ones(len(rows), np.float32)


class Head(Trainer):
    """The epochs of the last layers alone."""

    def __init__(self, body: Trainer, network: keras.Model, training: Vectors, validation: Vectors):
        self.title, self.seed, self.network = f"{body.title} head", body.seed, network
        self.train, self.preprocess, self.recipe = body.train, body.preprocess, body.recipe
        self.batches, self.validation = (Embedded(each, self.train.batch_size) for each in (training, validation))
        self._compile()


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
    training = Training(run.fold, images, trained.preprocess.task, fold.training.targets > 0)
    vectors = predict(body, Batches(fold.training, trained.normaliser))
    made = latent(fold.recipe.settings, training, vectors, run.seed, run.title)
    tables.write(state.folder / EXAMPLES, made.examples, TABLE)
    validation = Vectors(predict(body, trained.validation), trained.validation.examples.targets)
    fitted = Head(trained, head, Vectors(made.vectors, made.targets), validation)
    return fresh, fitted.run(state.folder / "head.npz").history
