"""The balance stage."""

from pathlib import Path

import numpy as np
import pyarrow

from asclepius import store, tables
from asclepius.balance.examples import Synthetic, example_table
from asclepius.balance.gan.progress import forget
from asclepius.balance.recipe import describe
from asclepius.balance.rows import Stored
from asclepius.balance.sampling import over, under
from asclepius.balance.schema import TABLE
from asclepius.balance.settings import KNOWN, ONE_LABEL, BalanceSettings
from asclepius.balance.training import Training
from asclepius.balance.weights import class_weights
from asclepius.errors import StudyError
from asclepius.provenance import fit_record, write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.store import Store
from asclepius.task import Task


def run(
    *,
    settings: BalanceSettings,
    fold: int,
    images: Path,
    folds: Path,
    task: Path,
    stores: list[Path],
    table: Path,
    recipe: Path,
    synthetic: Path,
    fits: Path,
    generated: Path,
    state: Path,
    columns: list[str] | None = None,
    pixels: bool = True,
) -> None:
    """Make the training table of one fold: its examples, their weights, and synthetic ones with their parents.

    Args:
        images, task: of the quality stage; folds: of the split; stores: all shards of the array store.
        table: one row per training example.
        recipe: JSON with the method, its settings and the classes before and after.
        synthetic: synthetic images in the store's shape, type and units; none unless the method makes some.
        fits: JSON with what was fitted to which images, for the audit.
        generated: folder with the generator of method gan, its samples and their quality; empty for other methods.
        state: folder for unfinished work, so that a killed job goes on; nothing stays in it.
        columns, pixels: table values that the arm's model takes, and whether it takes the image.

    Raises:
        StudyError: the method does not suit the task, or a class is too small for it.
    """
    training = Training.of(tables.read(images, IMAGES), tables.read(folds, FOLDS), Task.read(task), fold)
    pyarrow.default_memory_pool().release_unused()  # what reading 50,000 rows leaves is more than a class
    _check_method(settings, training)
    shards, places = (training.images[name].to_numpy() for name in ("shard", "row"))
    stored = Stored(Store(Path(stores[0]).parent), shards, places)
    random = np.random.default_rng([settings.seed, fold])
    rows, weight, added = np.arange(len(training.images)), 1.0, Synthetic()
    generated.mkdir(parents=True, exist_ok=True)
    match settings.method:
        case "class_weight":
            weight = class_weights(training.targets, settings.ratio)
        case "random_over":
            rows = over(training.targets, settings.ratio, random)
        case "random_under":
            rows = under(training.targets, settings.ratio, random)
        case _ if settings.interpolates and not settings.embedded:
            from asclepius.balance.interpolation import interpolated  # imports scikit-learn

            rows, added = interpolated(settings, training, stored, columns or [], pixels)
        case "gan":
            from asclepius.balance.gan.fold import synthesised  # imports Keras

            added = synthesised(settings, training, tables.read(folds, FOLDS), stored, state, generated)
    store.write(synthetic, added.images, stored.image_shape, stored.dtype)
    examples = example_table(training, rows, weight, added.table)
    tables.write(table, examples, TABLE)
    document = describe(settings, training, examples) | added.notes
    tables.write_text(recipe, write_json(document))
    fitted = [fit_record(settings.method, ["train"], training.images["image"])] if added.notes else []
    tables.write_text(fits, write_json({"fold": fold, "fits": fitted}))
    forget(state)
    for name in training.task.classes:
        print(
            f"{settings.method}, fold {fold}: {name} {document['before'][name]} -> {document['after'][name]} examples, "
            f"share in the loss {document['prior'][name]:.3f} -> {document['prior_after'][name]:.3f}"
        )


def _check_method(settings: BalanceSettings, training: Training) -> None:
    if training.multilabel and settings.method in ONE_LABEL:
        others = [name for name in KNOWN if name not in ONE_LABEL and name != "none"]
        raise StudyError(
            f"balance.method {settings.method} does not suit several labels per image: {ONE_LABEL[settings.method]}; "
            f"use {', '.join(others[:-1])} or {others[-1]}"
        )
