"""The balance stage."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store, tables
from asclepius.balance.pairs import Pairs
from asclepius.balance.recipe import describe
from asclepius.balance.sampling import enlarged, over, under
from asclepius.balance.schema import TABLE
from asclepius.balance.settings import BalanceSettings
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
        columns, pixels: what else than pixels, and whether pixels, the arm's model takes as input.

    Raises:
        StudyError: the method does not suit the task, or a class is too small for it.
    """
    training = Training.of(tables.read(images, IMAGES), tables.read(folds, FOLDS), Task.read(task), fold)
    _check_method(settings, training)
    array_store = Store(Path(stores[0]).parent)
    stored = array_store.shard(int(training.images["shard"].iloc[0]))  # mapped, not read
    random = np.random.default_rng([settings.seed, fold])
    rows, weight = np.arange(len(training.images)), 1.0
    pairs, made = {}, iter(())
    match settings.method:
        case "class_weight":
            weight = class_weights(training.targets, settings.ratio)
        case "random_over":
            rows = over(training.targets, settings.ratio, random)
        case "random_under":
            rows = under(training.targets, settings.ratio, random)
        case "smote" if not settings.embedded:
            from asclepius.balance.smote import Plan  # imports scikit-learn

            plan = Plan(enlarged(training.counts, settings.ratio), settings.k_neighbors, settings.seed)
            plan.check(training)
            made = plan.images(training, array_store, pairs)
        case method if settings.interpolates and not settings.embedded:
            raise NotImplementedError(method)
    store.write(synthetic, made, stored.shape[1:], stored.dtype)
    examples = example_table(training, rows, weight, pairs)
    tables.write(table, examples, TABLE)
    fitted = [fit_record(settings.method, ["train"], training.images["image"])] if pairs else []
    document = describe(settings, training, examples)
    tables.write_text(recipe, write_json(document))
    tables.write_text(fits, write_json({"fold": fold, "fits": fitted}))
    for name in training.task.classes:
        print(
            f"{settings.method}, fold {fold}: {name} {document['before'][name]} -> {document['after'][name]} examples, "
            f"share in the loss {document['prior'][name]:.3f} -> {document['prior_after'][name]:.3f}"
        )


def example_table(
    training: Training, rows: np.ndarray, weight: np.ndarray | float, pairs: dict[int, Pairs]
) -> pd.DataFrame:
    """balance/table: real examples, then synthetic ones in the order of their store.

    Args:
        rows: of the training images, in the order of the table.
        weight: of each real example; synthetic ones weigh 1.
        pairs: parents of the synthetic examples by class, rows counting within the class.
    """
    real = training.images.loc[rows, ["image", "label"]]
    real = real.assign(source="real", row=-1, weight=weight, parents=None, values=None)
    parts = [real]
    for column, pair in pairs.items():
        tokens = training.images["image"].to_numpy()[training.targets[:, column]]
        both = zip(tokens[pair.base], tokens[pair.neighbour], strict=True)
        parts.append(
            pd.DataFrame(
                {
                    "values": None,
                    "image": None,
                    "label": training.task.classes[column],
                    "source": "synthetic",
                    "row": 0,
                    "weight": 1.0,
                    "parents": [json.dumps(tokens) for tokens in both],
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    made = found["source"] == "synthetic"
    found.loc[made, "row"] = np.arange(made.sum())
    return found.assign(example=np.arange(len(found)))[list(TABLE.columns)]


def _check_method(settings: BalanceSettings, training: Training) -> None:
    if training.multilabel and settings.method in ("random_under", "smote"):
        why = {
            "random_under": "removing images of a common class removes rare ones with it",
            "smote": "an image between two sets of labels has none for certain",
        }[settings.method]
        raise StudyError(
            f"balance.method {settings.method} does not suit several labels per image: {why}; "
            "use class_weight or random_over"
        )
