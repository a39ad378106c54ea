"""Several runs of one arm in one job: each fitted once, all gathered at the end."""

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from asclepius import tables
from asclepius.augment.settings import AugmentSettings
from asclepius.errors import StudyError
from asclepius.models.settings import ModelSettings
from asclepius.provenance import fit_record, write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.store import Store
from asclepius.task import Task
from asclepius.train.examples import Fold, Pixels, fold_number, load_fold
from asclepius.train.outcome import Outcome, Run, history_table, predictions_table
from asclepius.train.preprocess import Preprocess
from asclepius.train.resume import RunState, recipe_digest
from asclepius.train.schema import EMBEDDED, EXAMPLES, HISTORY, PREDICTIONS, RUNS
from asclepius.train.settings import TrainSettings


@dataclass(frozen=True)
class Source:
    """The files a pack reads; see command.run."""

    images: Path
    folds: Path
    task: Path
    stores: list[Path]
    tables: list[Path]

    def table(self, fold: int) -> Path:
        """The training table of a fold."""
        for path in self.tables:
            if fold_number(path) == fold:
                return path
        raise StudyError(f"tables: none of fold {fold} among {[str(path) for path in self.tables]}")


class Pack:
    """Fits runs and keeps what each left behind in its state folder until all are done."""

    def __init__(
        self, model: ModelSettings, augment: AugmentSettings, train: TrainSettings, source: Source, state: Path
    ):
        self.model, self.augment, self.train = model, augment, train
        self.source, self.state = source, state
        self.task = Task.read(source.task)
        self._fold: Fold | None = None
        self._preprocess: Preprocess | None = None

    @cached_property
    def _images(self) -> pd.DataFrame:
        return tables.read(self.source.images, IMAGES)

    @cached_property
    def _pixels(self) -> Pixels:
        return Pixels(Store(self.source.stores[0].parent), self._images)

    def state_of(self, run: Run) -> RunState:
        """Where a run keeps its unfinished work."""
        table = self.source.table(run.fold)
        recipe = {
            "model": self.model.model_dump(),
            "augment": self.augment.model_dump(),
            "train": self.train.model_dump(exclude={"pack"}),
            "run": [run.arm, run.fold, run.seed],
        }
        files = [self.source.images, self.source.folds, self.source.task, table, table.parent / "recipe.json"]
        stores = [*sorted(self.source.stores), table.parent / "synthetic.npy"]
        return RunState(self.state, run, recipe_digest(recipe, files, stores))

    def fit(self, run: Run) -> None:
        """Fit one run, unless its state says it is finished."""
        state = self.state_of(run)
        if state.finished is not None:
            print(f"{run.title}: already finished", flush=True)
            return
        fold, preprocess = self._prepared(run.fold)
        # Both imports cost seconds that the other kind of arm, and the command line, need not spend.
        if self.model.name == "logistic":
            from asclepius.train import classical

            outcome = classical.fit(run, self.model, self.train, fold, preprocess, state)
        else:
            from asclepius.train import network

            outcome = network.fit(run, self.model, self.augment, self.train, fold, preprocess, state)
        self._keep(run, fold, preprocess, outcome, state)

    def _prepared(self, number: int) -> tuple[Fold, Preprocess]:
        if self._fold is None or self._fold.number != number:
            folds = tables.read(self.source.folds, FOLDS)
            self._fold = load_fold(self._images, folds, self._pixels, self.source.table(number), self.task)
            self._preprocess = self._fitted(self._fold)
        return self._fold, self._preprocess

    def _fitted(self, fold: Fold) -> Preprocess:
        real = fold.real
        if self.model.columns and fold.valueless:
            raise StudyError(
                f"model.columns: {fold.recipe.settings.method} makes images without age and sex; "
                "use balance.method: smote, or random_over, for this arm"
            )
        found = Preprocess.fit(
            self.train,
            real.chunks,
            real.table,
            self._pixels.shape,
            self.task,
            self.model.columns,
            self.model.pixels,
        )
        print(f"fold {fold.number}: normalise: {found.method} ({'; '.join(found.why)})", flush=True)
        if unknown := found.unknown_groups(fold.evaluation.table):
            print(
                f"fold {fold.number}: {unknown} of {len(fold.evaluation)} evaluated images are of a {found.group} that "
                "training does not know; they stay as they are",
                flush=True,
            )
        return found

    def _keep(self, run: Run, fold: Fold, preprocess: Preprocess, outcome: Outcome, state: RunState) -> None:
        preprocess.write(state.folder / "preprocess.json")
        found = predictions_table(run, fold, self.task, outcome.probabilities)
        tables.write(state.folder / "predictions.parquet", found, PREDICTIONS)
        tables.write(state.folder / "history.parquet", history_table(run, outcome), HISTORY)
        state.finish(
            {
                "row": {
                    "arm": run.arm,
                    "fold": run.fold,
                    "seed": run.seed,
                    "normalise": preprocess.method,
                    "why": "; ".join(preprocess.why),
                    "parameters": outcome.parameters,
                    "epochs": outcome.epochs,
                    "best_epoch": outcome.best_epoch,
                    "examples": len(fold.training),
                    "seconds": outcome.seconds,
                    "device": outcome.device,
                },
                "fits": self._fits(run, fold, preprocess),
            }
        )

    def _fits(self, run: Run, fold: Fold, preprocess: Preprocess) -> list[dict]:
        real = fold.real.table["image"]
        records = [fit_record(what, ["train"], real) for what in preprocess.fitted]
        if fold.recipe.space == "embedding":
            records.append(fit_record(f"{fold.recipe.settings.method} {EMBEDDED}", ["train"], real))
        if self.model.name == "logistic":
            records.append(fit_record("feature standardisation", ["train"], real))
        elif self.train.keep == "best" or self.train.patience:
            chosen = fold.evaluated["image"].iloc[fold.validation]
            records.append(fit_record("best epoch", ["validation"], chosen))
        return [{"fold": run.fold, "seed": run.seed, **record} for record in records]

    def collect(
        self,
        runs: list[Run],
        predictions: Path,
        history: Path,
        table: Path,
        fits: Path,
        models: Path,
        results: Path,
    ) -> None:
        """Write the outputs of the stage from the state of all runs."""
        rows, records, predicted, followed = [], [], [], []
        for run in runs:
            state, target = self.state_of(run), models / run.name
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            model = "model.skops" if self.model.name == "logistic" else "model.keras"
            for name in (model, "preprocess.json"):
                shutil.copyfile(state.folder / name, target / name)
            if (state.folder / EXAMPLES).exists():
                shutil.copyfile(state.folder / EXAMPLES, target / EXAMPLES)
            paths = {"model": target / model, "preprocess": target / "preprocess.json"}
            relative = {name: Path(os.path.relpath(path, results)).as_posix() for name, path in paths.items()}
            rows.append(state.finished["row"] | relative)
            records += state.finished["fits"]
            predicted.append(tables.read(state.folder / "predictions.parquet", PREDICTIONS))
            followed.append(tables.read(state.folder / "history.parquet", HISTORY))
        tables.write(predictions, tables.concat(predicted, PREDICTIONS), PREDICTIONS)
        tables.write(history, tables.concat(followed, HISTORY), HISTORY)
        tables.write(table, pd.DataFrame(rows), RUNS)
        tables.write_text(fits, write_json({"fits": records}))
