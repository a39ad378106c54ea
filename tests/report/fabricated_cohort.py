"""The cohort of a fabricated study: who is in it, in which fold, and what was left out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import rejects, tables
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import DROPPED, FOLDS
from asclepius.task import Task

NAMES = ("convnet", "smote", "weighted", "oversampled", "logistic")


@dataclass(frozen=True)
class Shape:
    """What kind of study to fabricate."""

    classes: tuple[str, ...] = ("no nodule", "nodule")
    kind: str = "binary"
    arms: tuple[str, ...] = NAMES
    patients: int = 160
    folds: int = 3
    seeds: tuple[int, ...] = (1,)
    prevalence: float = 0.25
    demographics: bool = True
    known_patients: bool = True
    external: bool = False
    quarantined: bool = True
    gallery: int = 8
    masks: bool = True
    intervals: bool = True
    failing_audit: bool = False
    subgroups: tuple[str, ...] = ("sex=F", "sex=M", "age=18-59", "age=60+")
    seed: int = 1
    settings: dict = field(default_factory=dict)

    @property
    def positive(self) -> str | None:
        return self.classes[-1] if self.kind == "binary" else None


class Cohort:
    """Images, folds and what was set aside, before any model."""

    def __init__(self, folder: Path, shape: Shape):
        self.shape, self.root = shape, Path(folder)
        self.random = np.random.default_rng(shape.seed)
        self.paths: dict = {}
        self.task = Task(shape.kind, shape.classes, shape.positive)
        self.task.write(self._path("task", "quality/task.json"))
        self._images()
        self._folds()
        self._rejected()

    def _path(self, name: str, relative: str) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        self.paths[name] = path
        return path

    def _table(self, name: str, relative: str, rows, schema) -> pd.DataFrame:
        frame = pd.DataFrame(rows) if len(rows) else schema.empty()
        blank = {"str": "", "int": 0, "float": np.nan, "bool": False}
        for column, kind in schema.columns.items():  # a column that neither report nor track reads
            if column not in frame:
                frame[column] = None if column in schema.nullable else blank[kind]
        tables.write(self._path(name, relative), frame, schema)
        return frame

    def config(self) -> dict:
        """Values as a config file holds them."""
        methods = {"smote": "smote", "weighted": "class_weight", "oversampled": "random_over"}
        return {
            "study": "fabricated",
            "seeds": list(self.shape.seeds),
            "cohort": {
                "source": "dicom" if self.shape.known_patients else "medmnist",
                "path": "/home/somebody/data/cohort",
                "patient": None,
            },
            "split": {"method": "kfold", "folds": self.shape.folds, "seed": 1},
            "evaluate": {"primary": "auc", "threshold": "youden", "confidence": 0.95, "bootstrap": 1000},
            "arms": {name: {"balance": {"method": methods.get(name, "none")}} for name in self.shape.arms},
        } | self.shape.settings

    def recipe(self, arm: str) -> dict:
        """An arm's complete settings."""
        method = self.config()["arms"][arm]["balance"]["method"]
        return {
            "model": {"name": "logistic" if arm == "logistic" else "convnet", "blocks": 3, "filters": 16},
            "balance": {"method": method, "ratio": 1.0},
            "augment": {"flip": ["x"], "rotate": 10.0},
            "train": {"epochs": 12, "learning_rate": 0.001, "batch_size": 64},
        }

    def _label(self) -> str:
        shape = self.shape
        if shape.kind == "binary":
            return shape.classes[int(self.random.random() < shape.prevalence)]
        if shape.kind == "multiclass":
            return str(self.random.choice(shape.classes))
        return "|".join(name for name in shape.classes if self.random.random() < 0.3)

    def _images(self) -> None:
        rows, shape = [], self.shape
        for patient in range(shape.patients):
            label, age = self._label(), float(np.clip(self.random.normal(61, 12), 18, 89).round())
            sex = str(self.random.choice(["F", "M"]))
            site = f"S-00{self.random.integers(3) + 1}a"
            outside = shape.external and patient % 6 == 0
            for visit in range(1, 2 + (self.random.random() < 0.15 and shape.known_patients)):
                rows.append(
                    dict(
                        image=f"{len(rows):016x}",
                        patient=f"P-{patient:010x}",
                        visit=visit,
                        site=site if shape.demographics else None,
                        scanner=None,
                        modality="CT",
                        label=label,
                        official="external" if outside else None,
                        age=age + visit - 1 if shape.demographics and patient % 20 else np.nan,
                        sex=sex if shape.demographics else None,
                        boxes=None,
                        shard=patient % 4,
                        position=len(rows),
                        row=len(rows),
                        mask_row=-1,
                        shape="[64, 64]",
                        spacing="[4.0, 4.0]",
                        original_shape="[96, 96]",
                        original_spacing=None,
                        minimum=-1000.0,
                        maximum=900.0,
                        mean=-300.0,
                        std=350.0,
                        p01=-990.0,
                        p99=600.0,
                        content=f"{len(rows) * 7919:064x}",
                        note=None,
                    )
                )
        self.images = self._table("images", "quality/images.parquet", rows, IMAGES)

    def _folds(self) -> None:
        rows, folds = [], self.shape.folds
        for number, (patient, group) in enumerate(self.images.groupby("patient", sort=False)):
            for fold in range(folds):
                place = (number - fold) % max(folds, 3)
                role = "test" if place == 0 else "validation" if place == 1 and number % 2 else "train"
                for image, official in zip(group["image"], group["official"], strict=True):
                    role = "external" if official == "external" else role
                    rows.append(dict(image=image, patient=patient, group=patient, fold=fold, role=role))
        self.folds = self._table("folds", "split/folds.parquet", rows, FOLDS)
        dropped = [
            dict(image=self.images["image"][0], fold=0, reason="copy", sentence="a training copy of a test image")
        ]
        self._table("dropped", "split/dropped.parquet", dropped if self.shape.quarantined else [], DROPPED)

    def _rejected(self) -> None:
        kinds = (
            ("cohort", "truncated", "the file ends before its pixel data do; export it again", 1),
            ("cohort", "wrong-modality", "modality MR, the study keeps CT", 2),
            ("deidentify", "burned-in-text", "the header says that the pixels carry an identity", 4),
            ("resample", "geometry", "5 slices are missing in one gap; resample.missing_slices allows 2", 1),
            ("quality", "duplicate", "the same pixels as another image of this patient", 3),
        )
        rows, steps = [], []
        for stage, reason, sentence, count in kinds if self.shape.quarantined else ():
            steps.append({"stage": stage, "reason": reason, "images": count, "patients": count})
            for _ in range(count):
                token = f"f{len(rows):015x}"
                rows.append(dict(image=token, patient=None, stage=stage, reason=reason, sentence=sentence))
        self._table("quarantine", "quality/quarantine.parquet", rows, rejects.QUARANTINE)
        images, patients = len(self.images), int(self.images["patient"].nunique())
        classes = {
            name: {
                "images": int(of.sum()),
                "patients": int(self.images["patient"][of].nunique()),
            }
            for name, of in ((name, self._has(name)) for name in self.shape.classes)
        }
        flow = {
            "found": {"images": images + len(rows), "patients": patients + min(len(rows), 6)},
            "steps": steps,
            "included": {"images": images, "patients": patients},
            "classes": classes,
        }
        self._path("flow", "quality/flow.json").write_text(write_json(flow), encoding="utf-8")

    def _has(self, name: str) -> pd.Series:
        return self.images["label"].map(lambda label: name in label.split("|"))
