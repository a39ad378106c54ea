"""A whole study's inputs to the evaluate stage, made in memory."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asclepius import tables
from asclepius.audit.schema import FINDINGS
from asclepius.evaluate.command import run
from asclepius.evaluate.settings import EvaluateSettings
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.task import Task
from asclepius.train.schema import PREDICTIONS, RUNS

OUTPUTS = {
    "metrics": "evaluate/metrics.parquet",
    "differences": "evaluate/differences.parquet",
    "thresholds": "evaluate/thresholds.parquet",
    "recalibrations": "evaluate/recalibrations.parquet",
    "fits": "evaluate/fits.json",
    "checks": "evaluate/findings.parquet",
    "curves": "evaluate/curves.parquet",
    "confusion": "evaluate/confusion.parquet",
    "choice": "evaluate/choice.json",
    "metrics_csv": "metrics.csv",
    "all_predictions": "predictions.parquet",
    "model": "model",
}


@dataclass
class Study:
    """Patients, their images and what each arm says about them; `skill` is the signal of each arm."""

    folder: Path
    task: Task
    images: pd.DataFrame
    predictions: pd.DataFrame
    runs: pd.DataFrame
    findings: pd.DataFrame
    group: dict[str, str] | None = None  # patient to group; a patient is its own group otherwise
    settings: EvaluateSettings = field(default_factory=lambda: EvaluateSettings(bootstrap=100))

    def write(self) -> dict:
        folder = self.folder
        tables.write(folder / "in/images.parquet", self.images, IMAGES)
        tables.write(folder / "in/findings.parquet", self.findings, FINDINGS)
        predicted = self.predictions.drop_duplicates(["image", "fold"])[["image", "fold", "role"]]
        everyone = self.images[["image", "patient"]].merge(pd.DataFrame({"fold": predicted["fold"].unique()}), "cross")
        folds = everyone.merge(predicted, "left", ["image", "fold"]).fillna({"role": "train"})
        folds["group"] = folds["patient"].map(self.group or {}).fillna(folds["patient"])
        tables.write(folder / "in/folds.parquet", folds, FOLDS)
        self.task.write(folder / "in/task.json")
        packs = {"predictions": [], "runs": []}
        for number, (_, part) in enumerate(self.predictions.groupby("arm", sort=False)):
            packs["predictions"].append(folder / f"in/predictions-{number}.parquet")
            tables.write(packs["predictions"][-1], part, PREDICTIONS)
        packs["runs"].append(folder / "in/runs.parquet")
        tables.write(packs["runs"][0], self.runs, RUNS)
        for name in set(self.runs["model"]) | set(self.runs["preprocess"]):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return packs

    def run(self, **changes) -> Path:
        packs = self.write()
        arguments = {name: self.folder / path for name, path in OUTPUTS.items()} | packs
        arguments |= {name: self.folder / f"in/{name}.{kind}" for name, kind in self._inputs()}
        run(settings=self.settings, results=self.folder, **(arguments | changes))
        return self.folder

    def _inputs(self):
        return [("images", "parquet"), ("folds", "parquet"), ("task", "json"), ("findings", "parquet")]

    def read(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / OUTPUTS[name])

    def choice(self) -> dict:
        return json.loads((self.folder / OUTPUTS["choice"]).read_text())


def image_table(n: int, per_patient: int, generator: np.random.Generator) -> pd.DataFrame:
    patient = np.arange(n) // per_patient
    frame = pd.DataFrame(
        {
            "image": [f"i{i:04d}" for i in range(n)],
            "patient": [f"P-{p:04d}" for p in patient],
            "sex": np.where(patient % 2, "F", "M").astype(object),
            "age": generator.integers(5, 90, n // per_patient + 1)[patient].astype(float),
            "site": [f"S-{p % 3}" for p in patient],
            "position": np.arange(n),
        }
    )
    for name, kind in IMAGES.columns.items():
        if name not in frame:
            frame[name] = {"str": "-", "int": 0, "float": 0.0}[kind]
    return frame[list(IMAGES.columns)]


@pytest.fixture
def make_study(tmp_path):
    def make(
        kind: str = "binary",
        skill: dict[str, float] | None = None,
        n: int = 240,
        per_patient: int = 2,
        folds: int = 2,
        seeds: tuple[int, ...] = (1, 2),
        external: int = 0,
        name: str = "study",
    ) -> Study:
        skill = {"none": 1.0, "smote": 2.0} if skill is None else skill
        generator = np.random.default_rng(7)
        classes = ("healthy", "ill") if kind == "binary" else ("a", "b", "c")
        task = Task(kind, classes, "ill" if kind == "binary" else None)
        images = image_table(n + external, per_patient, generator)
        patient = images["patient"].str[2:].astype(int).to_numpy()
        count = len(classes)
        if kind == "multilabel":
            target = generator.random((n + external, count)) < 0.4
        else:
            label = generator.integers(0, count, patient.max() + 1)[patient]
            target = label[:, None] == np.arange(count)
        shared = generator.normal(size=(patient.max() + 1, count))[patient]
        rows, runs = [], []
        for arm, signal in skill.items():
            for fold in range(folds):
                for seed in seeds:
                    logit = signal * target + shared + 0.5 * generator.normal(size=target.shape)
                    if kind == "multilabel":
                        probability = 1 / (1 + np.exp(-logit + 1))
                    else:
                        probability = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
                    role = np.where(patient % max(folds, 4) == fold, "test", "train").astype(object)
                    if folds > 1:
                        role = np.where(patient % folds == fold, "test", "train").astype(object)
                    role[(role == "train") & (patient % 5 < 2)] = "validation"
                    role[n:] = "external"
                    for i in np.flatnonzero(role != "train"):
                        for c, name_of_class in enumerate(classes):
                            whose = (images["image"][i], images["patient"][i], arm, fold, seed, role[i], "clean")
                            rows.append(
                                (*whose, int(target[i, c]), name_of_class, float(np.float32(probability[i, c])))
                            )
                    where = f"train/{arm}/pack-0/models/fold-{fold}-seed-{seed}"
                    runs.append(
                        (
                            arm,
                            fold,
                            seed,
                            f"{where}/model.keras",
                            f"{where}/preprocess.json",
                            "scale",
                            "as the config says",
                            9,
                            3,
                            2,
                            100,
                            1.5,
                            "cpu",
                        )
                    )
        findings = pd.DataFrame(
            [("patients in one role", "fold 0", True, n, "No patient is in two roles.")], columns=list(FINDINGS.columns)
        )
        return Study(
            tmp_path / name,
            task,
            images,
            pd.DataFrame(rows, columns=list(PREDICTIONS.columns)),
            pd.DataFrame(runs, columns=list(RUNS.columns)),
            findings,
        )

    return make
