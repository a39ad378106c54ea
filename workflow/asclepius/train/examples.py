"""The images of a fold as a model sees them: where pixels lie, targets and weights."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.balance.schema import TABLE
from asclepius.errors import StudyError
from asclepius.store import Store
from asclepius.task import Task
from asclepius.train.recipe import Recipe

CACHE_BYTES = 1 << 30
CHUNK = 256  # images read at a time, at most
CHUNK_BYTES = 1 << 26  # of them as float32: measuring volumes makes several copies
EVALUATED = ("validation", "test", "external")


class Pixels:
    """Stored images by their row in quality/images; kept in memory, in the store's compact type, up to 1 GB."""

    def __init__(self, store: Store, images: pd.DataFrame):
        self._store = store
        self._shards, self._rows = images["shard"].to_numpy(), images["row"].to_numpy()
        first = store.shard(int(self._shards[0]))
        self.shape, self.dtype = first.shape[1:], first.dtype
        size = len(images) * int(np.prod(self.shape)) * self.dtype.itemsize
        self._cached = store.read(self._shards, self._rows) if size <= CACHE_BYTES else None

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Stored values (n, *shape)."""
        if self._cached is not None:
            return self._cached[positions]
        return self._store.read(self._shards[positions], self._rows[positions])


@dataclass(frozen=True)
class Examples:
    """Images to train on or to evaluate.

    Args:
        pixels: of the real images.
        positions: (n,), row in quality/images, -1 for a synthetic example.
        synthetic_rows: (n,), row in `synthetic`, -1 for a real image.
        synthetic: (m, *shape), in stored units; None if there is none.
        targets: (n, classes), 0 or 1, float32.
        weights: (n,), of each example's loss, float32.
        table: (n,) rows of quality/images; a synthetic example has the site and scanner its parents share, and what
            values balancing made for it.
    """

    pixels: Pixels
    positions: np.ndarray
    synthetic_rows: np.ndarray
    synthetic: np.ndarray | None
    targets: np.ndarray
    weights: np.ndarray
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Stored values of those examples, (n, *shape)."""
        positions = self.positions[indices]
        made = positions < 0
        if not made.any():
            return self.pixels.read(positions)
        dtype = np.result_type(self.pixels.dtype, self.synthetic.dtype)
        out = np.empty((len(indices), *self.pixels.shape), dtype)
        out[made] = self.synthetic[self.synthetic_rows[indices[made]]]
        if not made.all():
            out[~made] = self.pixels.read(positions[~made])
        return out

    def take(self, indices: np.ndarray) -> "Examples":
        """Some of them."""
        parts = (self.positions, self.synthetic_rows, self.targets, self.weights)
        positions, rows, targets, weights = (part[indices] for part in parts)
        return Examples(self.pixels, positions, rows, self.synthetic, targets, weights, self.table.iloc[indices])

    @property
    def chunk(self) -> int:
        """How many `chunks` yields at a time."""
        return int(np.clip(CHUNK_BYTES // (4 * np.prod(self.pixels.shape)), 1, CHUNK))

    def chunks(self) -> Iterator[np.ndarray]:
        """All of them in order, some at a time."""
        for start in range(0, len(self), self.chunk):
            yield self.read(np.arange(start, min(start + self.chunk, len(self))))


@dataclass(frozen=True)
class Fold:
    """Args:
    recipe: what balancing asks of the fit.
    training: rows of the balance table, synthetic ones included.
    valueless: how many synthetic ones have no table values.
    real: all real images of role train, whatever balancing left out: what normalisation is fitted to.
    evaluated: images of role validation, test and external, with columns image, patient, role.
    evaluation: those as examples.
    """

    number: int
    recipe: Recipe
    training: Examples
    valueless: int
    real: Examples
    evaluated: pd.DataFrame
    evaluation: Examples

    @property
    def validation(self) -> np.ndarray:
        """Indices of the validation images within `evaluation`."""
        return np.flatnonzero((self.evaluated["role"] == "validation").to_numpy())


def fold_number(table: Path) -> int:
    """The fold a balance table belongs to, from its folder's name."""
    found = re.fullmatch(r"fold-(\d+)", Path(table).parent.name)
    if not found:
        raise StudyError(f"{table}: expected in a folder named fold-<number>")
    return int(found.group(1))


def load_fold(images: pd.DataFrame, folds: pd.DataFrame, pixels: Pixels, table: Path, task: Task) -> Fold:
    """Gather what one fold needs.

    Args:
        images: quality/images.
        folds: split/folds.
        table: balance/{recipe}/fold-{k}/table.parquet; recipe.json and synthetic.npy lie beside it.

    Raises:
        StudyError: the recipe asks for what is unknown, or a class has no training example.
    """
    number = fold_number(table)
    roles = folds[folds["fold"] == number].set_index("image")["role"]
    role = images["image"].map(roles)
    position = pd.Series(np.arange(len(images)), index=images["image"])

    def chosen(mask: pd.Series) -> Examples:
        rows = np.flatnonzero(mask.to_numpy())
        targets = task.targets(images["label"].iloc[rows])
        none = np.full(len(rows), -1)
        return Examples(pixels, rows, none, None, targets, np.ones(len(rows), np.float32), images.iloc[rows])

    found = tables.read(table, TABLE)
    made = (found["source"] == "synthetic").to_numpy()
    positions = np.full(len(found), -1)
    positions[~made] = position.loc[found["image"][~made]].to_numpy()
    targets = task.targets(found["label"])
    for column, name in enumerate(task.classes):
        if not targets[:, column].any():
            raise StudyError(f"fold {number}: no training image of class {name!r}; use fewer folds or more patients")
    training = Examples(
        pixels,
        positions,
        np.where(made, found["row"].to_numpy(), -1),
        np.load(table.parent / "synthetic.npy", mmap_mode="r") if made.any() else None,
        targets,
        found["weight"].to_numpy(np.float32),
        _rows(images, positions, found["parents"], found["values"]),
    )
    train, evaluated = role == "train", role.isin(EVALUATED)
    frame = images.loc[evaluated, ["image", "patient"]].assign(role=role[evaluated]).reset_index(drop=True)
    recipe = Recipe.read(table.parent / "recipe.json", task)
    valueless = int((made & found["values"].isna()).sum())
    return Fold(number, recipe, training, valueless, chosen(train), frame, chosen(evaluated))


def _rows(images: pd.DataFrame, positions: np.ndarray, parents: pd.Series, values: pd.Series) -> pd.DataFrame:
    """Rows of quality/images of training examples; see `Examples.table`."""
    made = np.flatnonzero(positions < 0)
    if not len(made):
        return images.iloc[positions]
    table = images.reindex(np.where(positions < 0, len(images), positions)).reset_index(drop=True)
    known = images.set_index("image")
    for column in ("site", "scanner"):
        of = known[column].to_dict()
        shared = [{of.get(name) for name in json.loads(parents.iloc[row] or "[]")} for row in made]
        table[column] = table[column].astype(object)
        table.loc[made, column] = [names.pop() if len(names) == 1 else None for names in shared]
    own = pd.DataFrame([json.loads(values.iloc[row] or "{}") for row in made], index=made)
    for column in own:
        table[column] = table[column].astype(object)
        table.loc[made, column] = own[column].astype(object)
    return table
