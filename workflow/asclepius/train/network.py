"""Fitting a Keras network to a fold: its batches, its training, what is kept of it."""

from pathlib import Path

import keras

from asclepius.archive import settle
from asclepius.augment.augmenter import Augmenter
from asclepius.augment.settings import AugmentSettings
from asclepius.augment.spacing import usual_spacing
from asclepius.errors import StudyError
from asclepius.models import registry
from asclepius.models.settings import ModelSettings
from asclepius.train import device
from asclepius.train.examples import Fold
from asclepius.train.loader import Batches, Normaliser
from asclepius.train.outcome import Outcome, Run
from asclepius.train.preprocess import Preprocess
from asclepius.train.resume import RunState
from asclepius.train.settings import TrainSettings
from asclepius.train.trainer import Trainer, best_epoch, predict
from asclepius.train.turns import Turns


def fit(
    run: Run,
    model: ModelSettings,
    augment: AugmentSettings,
    train: TrainSettings,
    fold: Fold,
    preprocess: Preprocess,
    state: RunState,
) -> Outcome:
    """Train from the state's last epoch to the end, write state.folder/model.keras and predict the evaluated images.

    Raises:
        StudyError: the loss is no number any more, or validation images are needed and there are none.
    """
    used = device.start(train)
    keras.utils.clear_session()
    keras.utils.set_random_seed(run.seed)
    network = registry.build(model, preprocess.input_shape, preprocess.task, run.seed)
    trainer = prepared(run, network, augment, train, fold, preprocess)
    history = trainer.run(state.progress).history
    best = best_epoch(history, train)
    if fold.recipe.space == "embedding":
        from asclepius.train.head import refit  # imports scikit-learn's samplers

        network, more = refit(run, registry.build(model, preprocess.input_shape, preprocess.task, run.seed), trainer,
                              fold, state)  # fmt: skip
        best = len(history) + best_epoch(more, train)
        history = history + [record | {"epoch": len(history) + record["epoch"]} for record in more]
    save(network, state.folder / "model.keras")
    return Outcome(
        probabilities=predict(network, Batches(fold.evaluation, trainer.batches.normaliser)),
        history=history,
        parameters=network.count_params(),
        epochs=len(history),
        best_epoch=best,
        seconds=sum(record["seconds"] for record in history),
        device=used,
    )


def prepared(
    run: Run,
    network: keras.Model,
    augment: AugmentSettings,
    train: TrainSettings,
    fold: Fold,
    preprocess: Preprocess,
) -> Trainer:
    """The network with the batches it learns from and is validated on.

    Raises:
        StudyError: validation images are needed and there are none.
    """
    normaliser = Normaliser(preprocess, train.batch_size)
    validation = Batches(fold.evaluation.take(fold.validation), normaliser)
    if len(validation.examples) == 0 and (train.keep == "best" or train.patience):
        raise StudyError(
            f"fold {run.fold}: no validation images to choose the best epoch by; "
            "set train.keep: last and train.patience: 0"
        )
    turns = Turns(fold.training.targets, fold.recipe.settings.ratio) if fold.recipe.sampler == "balanced" else None
    batches = Batches(fold.training, normaliser, turns=turns)
    spacing = usual_spacing(fold.real.table["spacing"])
    augmenter = Augmenter(augment, preprocess.input_shape, batches.largest, spacing)
    batches.augmenter = augmenter if augmenter.active else None
    return Trainer(run.title, run.seed, network, train, preprocess.task, fold.recipe, batches, validation)


def save(network: keras.Model, path: Path) -> None:
    """Write a .keras file without optimizer; equal networks give equal bytes."""
    keras.Model(network.inputs, network.outputs, name=network.name).save(path)
    settle(path)
