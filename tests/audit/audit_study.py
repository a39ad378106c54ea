"""A small study run through split and balance, with made-up fits and predictions, for the tests of the audit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store, tables
from asclepius.audit.command import run
from asclepius.audit.schema import FINDINGS
from asclepius.balance.command import run as balance
from asclepius.balance.settings import BalanceSettings
from asclepius.provenance import digest, fit_record, write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.command import run as split
from asclepius.split.schema import FOLDS
from asclepius.split.settings import SplitSettings
from asclepius.task import Task
from asclepius.train.preprocess import Preprocess
from asclepius.train.schema import PREDICTIONS, RUNS

FILL = {"str": None, "int": 0, "float": float("nan")}
CLASSES = ("a", "b")


class Study:
    """Three folds, recipe smote, arm net with two seeds; two patients share an image."""

    def __init__(self, folder: Path, n: int = 90, **columns):
        self.folder = Path(folder)
        random = np.random.default_rng(0)
        images = pd.DataFrame({name: [FILL[kind]] * n for name, kind in IMAGES.columns.items()})
        patient, content = np.arange(n) // 2, np.arange(n)
        content[20] = content[41]
        images["image"] = [f"{i:016x}" for i in range(n)]
        images["patient"] = [f"P-{i:010x}" for i in patient]
        images["content"] = [f"{i:064x}" for i in content]
        images["label"] = np.where(patient % 3 == 0, "b", "a")
        images["position"] = images["row"] = np.arange(n)
        images["shape"] = images["original_shape"] = "[4, 4]"
        for name, values in columns.items():
            images[name] = list(values)
        self.images = images
        tables.write(self.path("images.parquet"), images, IMAGES)
        Task("binary", CLASSES, "b").write(self.path("task.json"))
        self.stores = [store.shard_path(self.path("store"), 0)]
        store.write(self.stores[0], random.integers(0, 255, (n, 4, 4, 1)).astype(np.uint8), (4, 4, 1), np.uint8)

    def path(self, name: str) -> Path:
        return self.folder / name

    def split(self, **settings) -> "Study":
        split(
            settings=SplitSettings.model_validate({"folds": 3} | settings),
            images=self.path("images.parquet"),
            task=self.path("task.json"),
            folds=self.path("folds.parquet"),
            dropped=self.path("dropped.parquet"),
        )
        return self

    @property
    def folds(self) -> pd.DataFrame:
        return tables.read(self.path("folds.parquet"), FOLDS)

    def write_folds(self, folds: pd.DataFrame) -> None:
        tables.write(self.path("folds.parquet"), folds, FOLDS)

    @property
    def numbers(self) -> list[int]:
        return sorted(self.folds["fold"].unique())

    def balanced(self, fold: int, name: str = "table.parquet") -> Path:
        return self.path(f"balance/smote-abc/fold-{fold}/{name}")

    def balance(self) -> "Study":
        for fold in self.numbers:
            balance(
                settings=BalanceSettings(method="smote", k_neighbors=2),
                fold=int(fold),
                images=self.path("images.parquet"),
                folds=self.path("folds.parquet"),
                task=self.path("task.json"),
                stores=self.stores,
                table=self.balanced(fold),
                recipe=self.balanced(fold, "recipe.json"),
                synthetic=self.balanced(fold, "synthetic.npy"),
                fits=self.balanced(fold, "fits.json"),
                generated=self.balanced(fold, "generated"),
                state=self.balanced(fold, "state"),
            )
        return self

    def trained(self, name: str) -> Path:
        return self.path(f"train/net/pack-0/{name}")

    def train(self, fits=None) -> "Study":
        """Records as the train stage writes them; predictions on every image that is not trained on."""
        folds, rows, records, runs = self.folds, [], [], []
        target = self.images.set_index("image")["label"]
        for seed in (1, 2):
            for fold, of in folds.groupby("fold"):
                for what, role in (("normalisation", "train"), ("best epoch", "validation")):
                    record = fit_record(what, [role], of["image"][of["role"] == role])
                    records.append({"fold": int(fold), "seed": seed, **record})
                place = f"train/net/pack-0/models/fold-{fold}-seed-{seed}"
                seen_in_training = of["image"][of["role"] == "train"]
                self.write_preprocess(f"{place}/preprocess.json", "scale", seen_in_training)
                row = {name: FILL[kind] for name, kind in RUNS.columns.items()} | {"why": "-", "device": "cpu"}
                row |= {"arm": "net", "fold": fold, "seed": seed, "model": f"{place}/model.keras", "normalise": "scale"}
                runs.append(row | {"preprocess": f"{place}/preprocess.json", "epochs": 3, "best_epoch": 2})
                seen = of[of["role"].isin(["validation", "test", "external"])]
                for name in CLASSES:
                    rows.append(
                        seen[["image", "patient", "fold", "role"]].assign(
                            **{"arm": "net", "seed": seed, "condition": "clean", "class": name, "probability": 0.5},
                            target=(seen["image"].map(target) == name).astype(int),
                        )
                    )
        self.write_predictions(pd.concat(rows, ignore_index=True)[list(PREDICTIONS.columns)])
        tables.write(self.trained("runs.parquet"), pd.DataFrame(runs), RUNS)
        self.write_fits(records if fits is None else fits)
        return self

    def write_preprocess(self, name: str, method: str, images) -> None:
        """What stands beside a model; `images` None leaves its digest out."""
        seen = {} if images is None else {"images": digest(images), "n": len(images)}
        Preprocess(method, ("-",), (), (4, 4, 1), Task("binary", CLASSES, "b"), **seen).write(self.path(name))

    @property
    def predictions(self) -> pd.DataFrame:
        return tables.read(self.trained("predictions.parquet"), PREDICTIONS)

    def write_predictions(self, found: pd.DataFrame) -> None:
        tables.write(self.trained("predictions.parquet"), found, PREDICTIONS)

    @property
    def fits(self) -> list[dict]:
        return json.loads(self.trained("fits.json").read_text())["fits"]

    def write_fits(self, records: list[dict]) -> None:
        tables.write_text(self.trained("fits.json"), write_json({"fits": records}))

    def audit(self, **options) -> pd.DataFrame:
        run(
            **options,
            images=self.path("images.parquet"),
            task=self.path("task.json"),
            folds=self.path("folds.parquet"),
            dropped=self.path("dropped.parquet"),
            tables=[self.balanced(fold) for fold in self.numbers],
            fits=[*(self.balanced(fold, "fits.json") for fold in self.numbers), self.trained("fits.json")],
            runs=[self.trained("runs.parquet")],
            predictions=[self.trained("predictions.parquet")],
            results=self.folder,
            findings=self.path("findings.parquet"),
        )
        return self.findings

    @property
    def findings(self) -> pd.DataFrame:
        return tables.read(self.path("findings.parquet"), FINDINGS)
