"""Contact sheets: what each arm's augmentation does to training images."""

from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.augment.presets import resolved
from asclepius.augment.settings import AugmentSettings
from asclepius.augment.spacing import usual_spacing
from asclepius.augment.words import sentence
from asclepius.errors import StudyError
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.store import Store
from asclepius.tables import replacing, write_text

FOLD, ROWS, DRAWS = 0, 5, 6


def run(
    *,
    arms: dict[str, AugmentSettings],
    seed: int,
    images: Path,
    folds: Path,
    stores: list[Path],
    sheets: list[Path],
    words: Path,
) -> None:
    """Draw a contact sheet for each arm that augments: training images of the first fold, as six epochs see them.

    Args:
        arms: name to settings.
        seed: of the study's first run; an image is changed as it is in training, where it has the same place in the
            training table.
        images: quality/images.parquet.
        folds: split/folds.parquet.
        stores: resample/store/shard-NNNN.npy, all of them.
        sheets: PNG files written, named by their arms.
        words: JSON written, arm to a sentence that tells transforms and limits.

    Raises:
        StudyError: the first fold has no training images.
    """
    table = tables.read(images, IMAGES)
    roles = tables.read(folds, FOLDS)
    trained = roles.loc[(roles["fold"] == FOLD) & (roles["role"] == "train"), "image"]
    training = table[table["image"].isin(trained)].reset_index(drop=True)
    if training.empty:
        raise StudyError(f"augment: fold {FOLD} has no training images to draw")
    chosen = _chosen(training["label"])
    where = training.loc[chosen]
    stored = Store(stores[0].parent).read(where["shard"].to_numpy(), where["row"].to_numpy()).astype(np.float32)
    axes = tuple(range(1, stored.ndim))
    plain = (stored - stored.mean(axes, keepdims=True)) / np.maximum(stored.std(axes, keepdims=True), 1e-6)
    names = [str(label) for label in where["label"].fillna("no label")]
    told = {}
    for path in sheets:
        settings = resolved(arms[path.stem], plain.ndim - 2)
        told[path.stem] = sentence(settings)
        _draw(path, settings, plain, chosen, names, usual_spacing(training["spacing"]), seed)
    write_text(words, write_json(told))


def _chosen(labels: pd.Series) -> np.ndarray:
    """Some images, from each class in turn, evenly over the table."""
    groups = [np.asarray(rows) for rows in labels.fillna("").groupby(labels.fillna("")).groups.values()]
    each = -(-ROWS // len(groups))
    spread = [rows[np.unique(np.linspace(0, len(rows) - 1, each).round().astype(int))] for rows in groups]
    order = [rows[turn] for turn in range(each) for rows in spread if turn < len(rows)]
    return np.sort(np.array(order[:ROWS]))


def _draw(
    path: Path, settings: AugmentSettings, plain: np.ndarray, chosen: np.ndarray, names: list[str],
    spacing: tuple[float, ...] | None, seed: int,
) -> None:  # fmt: skip
    # Imported here: both take seconds, and the command line lists every stage.
    from asclepius.augment.augmenter import Augmenter
    from asclepius.augment.sheet import sheet

    augmenter = Augmenter(settings, plain.shape[1:], len(plain), spacing)
    targets, weights = np.ones((len(plain), 1), np.float32), np.ones(len(plain), np.float32)
    seen = [plain]
    for epoch in range(1, DRAWS + 1):
        augmenter.start(seed, epoch)
        seen.append(np.array(augmenter(plain, targets, weights, chosen, 0)[0]))
    kind = "middle slices of volumes" if plain.ndim == 5 else "images"
    title = f"Augmentation of arm {path.stem}: {kind} of training, fold {FOLD}, seed {seed}"
    rows = [(name, np.stack([one[number] for one in seen])) for number, name in enumerate(names)]
    with replacing(path) as temporary:
        sheet(title, sentence(settings), rows).save(temporary, format="PNG", optimize=True)
    print(f"{path}: {len(rows)} images, {DRAWS} draws", flush=True)
