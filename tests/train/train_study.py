"""A study as the stages before `train` leave it, made up."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store, tables
from asclepius.augment.settings import AugmentSettings
from asclepius.balance.schema import TABLE
from asclepius.models.settings import ModelSettings
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.task import Task
from asclepius.train.settings import TrainSettings

BINARY = Task("binary", ("no", "yes"), "yes")
NET = ModelSettings(blocks=1, filters=4, dense=0)  # a dense layer this small may die, and hide differences
LOGISTIC = ModelSettings(name="logistic")
QUICK = TrainSettings(epochs=2, batch_size=8, learning_rate=0.01)


@dataclass
class Made:
    """A made-up study in a folder."""

    root: Path
    stores: list[Path]
    tables: list[Path]

    def arguments(self, out: str = "out", **changes) -> dict:
        """What command.run takes; a second `out` leaves the first untouched."""
        folder = self.root / out
        given = {
            "arm": "net",
            "model": NET,
            "augment": AugmentSettings(),
            "train": QUICK,
            "runs": ["0:1"],
            "images": self.root / "images.parquet",
            "folds": self.root / "folds.parquet",
            "task": self.root / "task.json",
            "stores": self.stores,
            "tables": self.tables,
            "predictions": folder / "predictions.parquet",
            "history": folder / "history.parquet",
            "table": folder / "runs.parquet",
            "fits": folder / "fits.json",
            "models": folder / "models",
            "state": folder / ".state",
            "results": self.root,
        }
        return given | changes


def make(
    root: Path,
    arrays: np.ndarray,
    labels: list[str],
    roles: list[list[str]],
    task: Task = BINARY,
    shards: int = 2,
    synthetic: np.ndarray | None = None,
    synthetic_labels: tuple[str, ...] = (),
    weights: dict[str, float] | None = None,
    recipe: dict | None = None,
) -> Made:
    """Write images, folds, task, stores and training tables.

    Args:
        arrays: (n, ..., channel), stored values.
        roles: for each fold the role of each image.
        recipe: what recipe.json says other than a plain one.
    """
    n = len(arrays)
    shard = np.arange(n) % shards
    row = np.arange(n) // shards
    images = IMAGES.empty().reindex(range(n))
    for column, kind in IMAGES.columns.items():
        images[column] = {"str": "", "int": 0, "float": 0.0, "bool": False}[kind]
    images = images.assign(
        image=[f"i{i:05d}" for i in range(n)],
        patient=[f"p{i:05d}" for i in range(n)],
        label=labels,
        shard=shard,
        row=row,
        position=range(n),
    )
    tables.write(root / "images.parquet", images, IMAGES)
    task.write(root / "task.json")
    stores = [store.shard_path(root / "store", number) for number in range(shards)]
    for number, path in enumerate(stores):
        store.write(path, arrays[shard == number], arrays.shape[1:], arrays.dtype)
    frames, paths = [], []
    for fold, each in enumerate(roles):
        frame = images[["image", "patient"]].assign(group=images["patient"], fold=fold, role=each)
        frames.append(frame)
        paths.append(_training(root / "balance" / "none" / f"fold-{fold}", images, frame, synthetic, synthetic_labels,
                               weights, arrays, recipe, task.classes))  # fmt: skip
    tables.write(root / "folds.parquet", pd.concat(frames), FOLDS)
    return Made(root, stores, paths)


def _training(folder, images, frame, synthetic, synthetic_labels, weights, arrays, recipe, classes) -> Path:
    real = images[frame["role"] == "train"]
    made = len(synthetic_labels)
    labels = [*real["label"], *synthetic_labels]
    table = pd.DataFrame(
        {
            "example": range(len(real) + made),
            "source": ["real"] * len(real) + ["synthetic"] * made,
            "image": [*real["image"], *[None] * made],
            "row": [-1] * len(real) + list(range(made)),
            "label": labels,
            "weight": [(weights or {}).get(label, 1.0) for label in labels],
            "parents": None,
            "values": None,
        }
    )
    tables.write(folder / "table.parquet", table, TABLE)
    values = arrays[:0] if synthetic is None else synthetic
    store.write(folder / "synthetic.npy", values, arrays.shape[1:], values.dtype)
    plain = {"loss": {"name": "crossentropy"}, "sampler": "shuffle", "space": "image", "settings": {"method": "none"}}
    shares = real["label"].str.split("|").explode().value_counts() / len(real)
    plain["prior"] = {name: float(shares.get(name, 0)) for name in classes}
    (folder / "recipe.json").write_text(json.dumps(plain | (recipe or {})))
    return folder / "table.parquet"


def asks(study: Made, fold: int, **recipe) -> None:
    """Change what the recipe of a fold says."""
    path = study.tables[fold].parent / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | recipe))


def bright(n: int = 48, shape: tuple[int, ...] = (8, 8, 1), seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Images of noise in which those labelled "yes" are brighter in one corner."""
    random = np.random.default_rng(seed)
    arrays = random.integers(0, 120, (n, *shape)).astype(np.uint8)
    yes = np.arange(n) % 3 == 0
    arrays[yes, :4, :4] += 100
    return arrays, ["yes" if each else "no" for each in yes]


def split(n: int = 48, fold: int = 0) -> list[str]:
    """Roles in turns, so that every role holds both classes."""
    turns = ["train"] * 3 + ["validation", "test"] if fold == 0 else ["test", "validation"] + ["train"] * 3
    return [turns[(i // 3) % 5] for i in range(n)]
