"""A small study up to the split, on disk, for the tests of the balance stage."""

from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store, tables
from asclepius.balance.command import run
from asclepius.balance.schema import TABLE
from asclepius.balance.settings import BalanceSettings
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.task import Task

FILL = {"str": None, "int": 0, "float": float("nan")}


class Study:
    """Images of two shards; the first `train` share of each class trains, the rest is test.

    Args:
        labels: of each image.
        shape, dtype: of the stored images.
    """

    def __init__(self, folder: Path, labels, classes=("a", "b"), kind="binary", shape=(6, 5, 1), dtype=np.int16):
        self.folder, self.labels = Path(folder), np.array(labels, dtype=object)
        n = len(labels)
        random = np.random.default_rng(0)
        self.pixels = random.integers(-900, 900, (n, *shape)).clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
        self.pixels = self.pixels.astype(dtype)
        images = pd.DataFrame({name: [FILL[of]] * n for name, of in IMAGES.columns.items()})
        images["image"] = [f"{i:016x}" for i in range(n)]
        images["patient"] = [f"P-{i:010x}" for i in range(n)]
        images["content"] = [f"{i:064x}" for i in range(n)]
        images["shape"] = images["original_shape"] = "[6, 5]"
        images["label"], images["position"] = self.labels, np.arange(n)
        images["shard"] = np.arange(n) % 2
        images["row"] = np.arange(n) // 2
        self.images = images
        self.role = np.array(["train"] * n, dtype=object)
        self.role[np.arange(n) % 5 == 4] = "test"
        self.stores = [store.shard_path(self.folder / "store", shard) for shard in range(2)]
        for shard, path in enumerate(self.stores):
            store.write(path, self.pixels[shard::2], shape, dtype)
        Task(kind, tuple(classes), classes[-1] if kind == "binary" else None).write(self.folder / "task.json")
        tables.write(self.folder / "images.parquet", images, IMAGES)
        self.write_folds()

    def write_folds(self):
        folds = self.images[["image", "patient"]].assign(group=self.images["patient"], fold=0, role=self.role)
        tables.write(self.folder / "folds.parquet", folds, FOLDS)

    def training(self, label=None) -> np.ndarray:
        """Numbers of the training images (of a class)."""
        return np.flatnonzero((self.role == "train") & ((self.labels == label) | (label is None)))

    def balance(self, name="out", fold=0, columns=None, pixels=True, **settings):
        """Table, folder of what was written."""
        out = self.folder / name
        run(
            settings=BalanceSettings.model_validate(settings),
            fold=fold,
            images=self.folder / "images.parquet",
            folds=self.folder / "folds.parquet",
            task=self.folder / "task.json",
            stores=self.stores,
            table=out / "table.parquet",
            recipe=out / "recipe.json",
            synthetic=out / "synthetic.npy",
            fits=out / "fits.json",
            generated=out / "generated",
            state=self.folder / "state",
            columns=columns,
            pixels=pixels,
        )
        return tables.read(out / "table.parquet", TABLE), out
