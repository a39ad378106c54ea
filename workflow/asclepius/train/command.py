"""The train stage: fit one pack of runs of an arm."""

from pathlib import Path

from asclepius.augment.settings import AugmentSettings
from asclepius.models.settings import ModelSettings
from asclepius.train.outcome import Run
from asclepius.train.pack import Pack, Source
from asclepius.train.resume import forget
from asclepius.train.settings import TrainSettings


def run(
    *,
    arm: str,
    model: ModelSettings,
    augment: AugmentSettings,
    train: TrainSettings,
    runs: list[str],
    images: Path,
    folds: Path,
    task: Path,
    stores: list[Path],
    tables: list[Path],
    predictions: Path,
    history: Path,
    table: Path,
    fits: Path,
    models: Path,
    state: Path,
    results: Path,
) -> None:
    """Fit an arm on its folds and seeds, and predict validation, test and external images.

    A killed job, called again, goes on after the last finished epoch and ends in the same bits.

    Args:
        arm: name of the recipe.
        runs: "fold:seed" of each run of this pack.
        images: quality/images.parquet.
        folds: split/folds.parquet.
        task: quality/task.json.
        stores: resample/store/shard-NNNN.npy, all of them.
        tables: balance/{recipe}/fold-{k}/table.parquet of the folds of this pack.
        predictions: written, train.schema.PREDICTIONS.
        history: written, train.schema.HISTORY.
        table: written, train.schema.RUNS.
        fits: written, what was fitted to which images.
        models: folder written: fold-{k}-seed-{s}/ with the model and its preprocess.json.
        state: folder for unfinished work, no declared output; removed at the end.
        results: results/{study}, what paths in `table` are relative to.
    """
    chosen = [Run.parse(arm, text) for text in runs]
    pack = Pack(model, augment, train, Source(images, folds, task, stores, tables), state)
    for one in chosen:
        pack.fit(one)
    pack.collect(chosen, predictions, history, table, fits, models, results)
    forget(state, chosen)
