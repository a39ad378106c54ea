"""A small cohort whose patients can be told by heart, and the stages of the canary run on it without Snakemake."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store, tables
from asclepius.audit.command import run as audit
from asclepius.augment.settings import AugmentSettings
from asclepius.balance.command import run as balance
from asclepius.balance.settings import BalanceSettings
from asclepius.canary.command import run as measure
from asclepius.canary.settings import CanarySettings
from asclepius.canary.shuffling import run as shuffle
from asclepius.models.settings import ModelSettings
from asclepius.quality.schema import IMAGES
from asclepius.split.command import run as split
from asclepius.split.schema import FOLDS
from asclepius.task import Task
from asclepius.train.command import run as train
from asclepius.train.settings import TrainSettings

FILL = {"str": None, "int": 0, "float": float("nan")}


def table(patient, label, **columns) -> pd.DataFrame:
    """quality/images with one row per entry."""
    n = len(patient)
    rows = pd.DataFrame({name: [FILL[kind]] * n for name, kind in IMAGES.columns.items()})
    rows["image"] = [f"{i:016x}" for i in range(n)]
    rows["patient"] = [f"P-{p:010x}" for p in patient]
    rows["content"] = [f"{i:064x}" for i in range(n)]
    rows["label"] = list(label)
    rows["position"] = rows["row"] = np.arange(n)
    rows["shape"] = rows["original_shape"] = "[12, 12]"
    for name, values in columns.items():
        rows[name] = list(values)
    return rows


class Canary:
    """Patients with four alike images each, a third of them ill; a logistic model, so that a run takes a second."""

    def __init__(self, folder: Path, methods: tuple[str, ...] = ("none", "smote"), patients: int = 60):
        self.folder = Path(folder)
        random = np.random.default_rng(5)
        patient = np.repeat(np.arange(patients), 4)
        looks = random.normal(128, 40, (patients, 12, 12, 1))[patient]
        pixels = np.clip(looks + random.normal(0, 8, looks.shape), 0, 255).astype(np.uint8)
        self.images, self.task = self.path("images.parquet"), self.path("task.json")
        tables.write(self.images, table(patient, np.where(patient % 3 == 0, "b", "a")), IMAGES)
        Task("binary", ("a", "b"), "b").write(self.task)
        self.stores = [store.shard_path(self.path("store"), 0)]
        store.write(self.stores[0], pixels, (12, 12, 1), np.uint8)
        self.methods = methods
        model = ModelSettings(name="logistic", l2=0.1)
        self.settings = CanarySettings(methods=list(methods), naive=["none"], model=model, shuffles=1)

    def path(self, name: str) -> Path:
        return self.folder / name

    def place(self, design: str, name: str) -> Path:
        return self.path(f"canary/{design}/shuffle-0/{name}")

    @property
    def moved(self) -> Path:
        return self.path("canary/shuffle-0/images.parquet")

    def shuffle(self) -> "Canary":
        shuffle(settings=self.settings, shuffle=0, images=self.images, task=self.task, moved=self.moved)
        return self

    def split(self, design: str, method: str | None = None) -> "Canary":
        """`method` puts another split's folds under the name of this design."""
        split(
            settings=self.settings.split(method or design, 0),
            images=self.moved,
            task=self.task,
            folds=self.place(design, "split/folds.parquet"),
            dropped=self.place(design, "split/dropped.parquet"),
        )
        return self

    def fit(self, design: str, method: str, leak: bool = False) -> "Canary":
        """Balance and train; `leak` lets the balancing see the whole cohort."""
        folds = self.place(design, "split/folds.parquet")
        if leak:
            proper = tables.read(folds, FOLDS)
            everyone = self.place(design, "leaked.parquet")
            tables.write(everyone, proper.assign(role="train"), FOLDS)
        made = {}
        for fold in range(self.settings.folds):
            where = f"balance/{method}/fold-{fold}"
            names = {
                "table": "table.parquet",
                "recipe": "recipe.json",
                "synthetic": "synthetic.npy",
                "fits": "fits.json",
                "generated": "generated",
                "state": ".state",
            }
            made[fold] = {key: self.place(design, f"{where}/{name}") for key, name in names.items()}
            balance(
                settings=self.settings.balanced(BalanceSettings(), method),
                fold=fold,
                images=self.moved,
                folds=everyone if leak else folds,
                task=self.task,
                stores=self.stores,
                **made[fold],
            )
        pack = f"train/{method}/pack-0"
        names = ("predictions.parquet", "history.parquet", "fits.json", "models")
        train(
            arm=method,
            model=self.settings.model,
            augment=AugmentSettings(),
            train=self.settings.trained(TrainSettings()),
            runs=[f"{fold}:1" for fold in range(self.settings.folds)],
            images=self.moved,
            folds=folds,
            task=self.task,
            stores=self.stores,
            tables=[files["table"] for files in made.values()],
            table=self.place(design, f"{pack}/runs.parquet"),
            state=self.place(design, f"train/.state/{method}"),
            results=self.place(design, ""),
            **{name.split(".")[0]: self.place(design, f"{pack}/{name}") for name in names},
        )
        return self

    def audit(self, design: str, methods: list[str], demonstration: bool) -> "Canary":
        folds = range(self.settings.folds)
        packs = [self.place(design, f"train/{method}/pack-0") for method in methods]
        recipes = [self.place(design, f"balance/{m}/fold-{fold}") for m in methods for fold in folds]
        audit(
            images=self.moved,
            task=self.task,
            folds=self.place(design, "split/folds.parquet"),
            dropped=self.place(design, "split/dropped.parquet"),
            tables=[recipe / "table.parquet" for recipe in recipes],
            fits=[place / "fits.json" for place in (*recipes, *packs)],
            runs=[pack / "runs.parquet" for pack in packs],
            predictions=[pack / "predictions.parquet" for pack in packs],
            results=self.place(design, ""),
            findings=self.place(design, "audit/findings.parquet"),
            demonstration=demonstration,
        )
        return self

    def measure(self) -> dict:
        """canary.json."""
        designs = {"fair": self.methods, "naive": ["none"]}
        measure(
            settings=self.settings,
            study="canary",
            images=self.images,
            task=self.task,
            shuffled=[self.moved],
            predictions=[
                self.place(design, f"train/{method}/pack-0/predictions.parquet")
                for design, methods in designs.items()
                for method in methods
            ],
            findings=[self.place(design, "audit/findings.parquet") for design in designs],
            outcome=self.path("canary.json"),
            page=self.path("canary.html"),
        )
        return json.loads(self.path("canary.json").read_text())
