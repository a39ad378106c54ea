"""A whole study's tables with plausible numbers, for the tests of report and track: nothing is trained."""

import json
from itertools import product
from pathlib import Path

import fabricated_scores
import numpy as np
import pandas as pd
from fabricated_cohort import Cohort, Shape
from PIL import Image

from asclepius import tables
from asclepius.audit.schema import FINDINGS
from asclepius.evaluate.catalogue import DECIDED, RANKED
from asclepius.evaluate.schema import CONFUSION, CURVES, DIFFERENCES, METRICS, THRESHOLDS
from asclepius.explain.schema import GALLERY
from asclepius.provenance import write_json
from asclepius.train.schema import HISTORY, RUNS

SHARES = (*RANKED, *DECIDED, "brier", "ece")  # between 0 and 1


class Fabricated(Cohort):
    """The paths of a fabricated study, named as the arguments of the stages' `run`."""

    def __init__(self, folder: Path, shape: Shape):
        super().__init__(folder, shape)
        self._training()
        self._evaluation()
        self._explanation()
        self._sheets()
        self._findings()

    def runs_of(self):
        """Arm, fold and seed of every run."""
        return [
            (arm, fold, seed)
            for arm in self.shape.arms
            for fold in range(self.shape.folds)
            for seed in self.shape.seeds
        ]

    def _training(self) -> None:
        self.paths["histories"], self.paths["runs"], self.paths["recipes"] = [], [], []
        for arm in self.shape.arms:
            history, runs = [], []
            for _, fold, seed in (run for run in self.runs_of() if run[0] == arm):
                start = 0.9 + 0.1 * self.random.random()
                for epoch in range(1, 13 if arm != "logistic" else 1):
                    noise = self.random.normal(0, 0.01, 2)
                    train, validation = start * np.exp(-epoch / 5), start * np.exp(-epoch / 7) + 0.02 * epoch
                    for metric, value in (("loss", train + noise[0]), ("val_loss", validation + noise[1])):
                        history.append(
                            dict(arm=arm, fold=fold, seed=seed, epoch=epoch, metric=metric, value=float(value))
                        )
                suffix = "skops" if arm == "logistic" else "keras"
                base = f"train/{arm}/pack-0/models/fold-{fold}-seed-{seed}"
                for path in (f"{base}/model.{suffix}", f"{base}/preprocess.json"):
                    (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                    (self.root / path).write_text("{}", encoding="utf-8")
                runs.append(
                    dict(
                        arm=arm,
                        fold=fold,
                        seed=seed,
                        model=f"{base}/model.{suffix}",
                        preprocess=f"{base}/preprocess.json",
                        normalise="zscore",
                        why="MR: arbitrary units that change from scan to scan",
                        parameters=23_456,
                        epochs=12,
                        best_epoch=8,
                        examples=120,
                        seconds=14.2,
                        device="cpu",
                    )
                )
            for name, rows, schema in (("histories", history, HISTORY), ("runs", runs, RUNS)):
                path = self.root / f"train/{arm}/pack-0/{name}.parquet"
                tables.write(path, pd.DataFrame(rows) if rows else schema.empty(), schema)
                self.paths[name].append(path)
        methods = sorted({self.recipe(arm)["balance"]["method"] for arm in self.shape.arms})
        for method in methods:
            for fold in range(self.shape.folds):
                train = self.folds[(self.folds["fold"] == fold) & (self.folds["role"] == "train")]["image"]
                here = self.images["image"].isin(train)
                before = {name: int((self._has(name) & here).sum()) for name in self.shape.classes}
                largest = max(before.values())
                after = dict.fromkeys(before, largest) if method in ("smote", "random_over") else dict(before)
                total = sum(before.values())
                prior = {name: count / total for name, count in before.items()}
                path = self.root / f"balance/{method}/fold-{fold}/recipe.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                recipe = {"method": method, "prior": prior, "before": before, "after": after}
                path.write_text(write_json(recipe), encoding="utf-8")
                self.paths["recipes"].append(path)

    def _evaluation(self) -> None:
        shape, metrics, curves, confusion, thresholds = self.shape, [], [], [], []
        roles = ["validation", "test", *(["external"] if shape.external else [])]
        one_vs_rest = ["all"] if shape.kind == "binary" else ["all", *shape.classes]
        skill = {arm: 1.75 - 0.12 * i for i, arm in enumerate(shape.arms)}
        if len(shape.arms) > 1:
            skill[shape.arms[1]] = 1.9
        scores = {}
        for arm in shape.arms:
            for role in roles:
                n = max(12, shape.patients // (4 if role == "validation" else 1))
                for name in one_vs_rest:
                    target = np.arange(n) < max(4, int(n * shape.prevalence))
                    score = self.random.normal(target * skill[arm], 1)
                    probability = 1 / (1 + np.exp(-1.4 * (score - 1.2)))
                    values = fabricated_scores.metrics(target, probability)
                    scores[arm, role, name] = values
                    metrics += self._rows(arm, "all", "all", role, "all", name, values, n)
                    if role != "validation" and (name != "all" or shape.kind == "binary"):
                        label = shape.positive if shape.kind == "binary" else name
                        curves += fabricated_scores.curves(
                            arm, role, label, target, 1 / (1 + np.exp(-1.4 * (score - 1.2)))
                        )
                if role == "test":
                    for subgroup in shape.subgroups:
                        few = n // 4
                        target = np.arange(few) < max(2, few // 4)
                        values = fabricated_scores.metrics(
                            target, 1 / (1 + np.exp(-self.random.normal(target * skill[arm], 1)))
                        )
                        metrics += self._rows(arm, "all", "all", role, subgroup, "all", values, few)
                if role != "validation":
                    pairs = [shape.classes] if shape.kind != "multilabel" else [(f"not {n}", n) for n in shape.classes]
                    for target, predicted in (pair for names in pairs for pair in product(names, repeat=2)):
                        low, high = (20, 40) if target == predicted else (0, 9)
                        count = float(self.random.integers(low, high))
                        confusion.append(dict(arm=arm, role=role, target=target, predicted=predicted, count=count))
            for fold in range(shape.folds):
                for seed in shape.seeds:
                    for role in ("validation", "test"):
                        values = {
                            name: float(np.clip(value + self.random.normal(0, 0.03), 0, 1))
                            for name, value in scores[arm, role, "all"].items()
                            if name in SHARES
                        }
                        metrics += self._rows(arm, str(fold), str(seed), role, "all", "all", values, 40, plain=True)
                    decided = {"binary": [shape.positive], "multilabel": shape.classes, "multiclass": []}
                    for name in decided[shape.kind]:
                        threshold = float(0.35 + 0.1 * self.random.random())
                        thresholds.append(
                            {"arm": arm, "fold": fold, "seed": seed, "class": name, "threshold": threshold}
                        )
        self._table("metrics", "evaluate/metrics.parquet", metrics, METRICS)
        self._table("curves", "evaluate/curves.parquet", curves, CURVES)
        self._table("confusion", "evaluate/confusion.parquet", confusion, CONFUSION)
        self._table("thresholds", "evaluate/thresholds.parquet", thresholds, THRESHOLDS)
        validation = {arm: scores[arm, "validation", "all"]["auc"] for arm in shape.arms}
        chosen = max(validation, key=validation.get)
        self.chosen = chosen
        differences = []
        for arm in shape.arms:
            if arm != shape.arms[0]:
                for name, metric in product(one_vs_rest, scores[arm, "test", "all"]):
                    value = scores[arm, "test", name][metric] - scores[shape.arms[0], "test", name][metric]
                    tested = metric == "auc" and shape.kind == "binary"
                    differences.append(
                        {
                            "arm": arm,
                            "reference": shape.arms[0],
                            "role": "test",
                            "class": name,
                            "metric": metric,
                            "value": value,
                            "p": 0.04 if tested else np.nan,
                            "p_holm": 0.16 if tested else np.nan,
                            "low": value - 0.015 if shape.intervals else np.nan,
                            "high": value + 0.015 if shape.intervals else np.nan,
                            "n": shape.patients,
                            "seeds": len(shape.seeds),
                            "agree": len(shape.seeds),
                        }
                    )
        self._table("differences", "evaluate/differences.parquet", differences, DIFFERENCES)
        suffix = "skops" if chosen == "logistic" else "keras"
        base = f"train/{chosen}/pack-0/models/fold-0-seed-{shape.seeds[0]}"
        choice = {
            "arm": chosen,
            "metric": "auc",
            "validation": validation,
            "fold": 0,
            "seed": shape.seeds[0],
            "model": f"{base}/model.{suffix}",
            "preprocess": f"{base}/preprocess.json",
            "threshold": 0.41,
            "sentence": f"{chosen} has the highest mean validation auc ({validation[chosen]:.3f}).",
        }
        self._path("choice", "evaluate/choice.json").write_text(write_json(choice), encoding="utf-8")

    def _rows(self, arm, fold, seed, role, subgroup, name, values, n, plain=False) -> list[dict]:
        width = 0.8 / np.sqrt(n)
        bare = plain or not self.shape.intervals
        return [
            {
                "arm": arm,
                "fold": fold,
                "seed": seed,
                "role": role,
                "subgroup": subgroup,
                "class": name,
                "metric": metric,
                "value": value,
                "low": np.nan if bare else max(0.0, value - width) if metric in SHARES else value - 3 * width,
                "high": np.nan if bare else min(1.0, value + width) if metric in SHARES else value + 3 * width,
                "n": n,
                "note": "folds pooled" if fold == "all" and role == "test" else "",
            }
            for metric, value in values.items()
        ]

    def _explanation(self) -> None:
        rows, side = [], 64
        y, x = np.mgrid[:side, :side] / side
        image, heat, mask = [], [], []
        tested = self.folds[(self.folds["role"] == "test")]["image"].tolist()
        for row in range(self.shape.gallery):
            where = self.random.uniform(0.3, 0.7, 2)
            spot = np.exp(-((y - where[0]) ** 2 + (x - where[1]) ** 2) / 0.01)
            body = ((y - 0.5) ** 2 / 0.16 + (x - 0.5) ** 2 / 0.22 < 1) * 900.0
            image.append(body - 1000 + 500 * spot + self.random.normal(0, 40, (side, side)))
            heat.append(spot)
            mask.append(spot > 0.5 if self.shape.masks else np.zeros((side, side), bool))
            target = self.shape.classes[row % len(self.shape.classes)]
            correct = row % 4 != 3
            predicted = target if correct else self.shape.classes[(row + 1) % len(self.shape.classes)]
            rows.append(
                {
                    "image": tested[row],
                    "arm": self.chosen,
                    "fold": 0,
                    "seed": self.shape.seeds[0],
                    "class": predicted,
                    "target": target,
                    "predicted": predicted,
                    "probability": float(self.random.uniform(0.55, 0.99)),
                    "correct": correct,
                    "overlap": 0.42 if self.shape.masks else np.nan,
                    "slice": -1,
                    "row": row,
                }
            )
        self._table("gallery", "explain/gallery.parquet", rows, GALLERY)
        empty = np.zeros((0, side, side), np.float32)
        np.savez(
            self._path("heat", "explain/heat.npz"),
            image=np.array(image, np.float32) if image else empty,
            heat=np.array(heat, np.float32) if heat else empty,
            mask=np.array(mask) if mask else empty.astype(bool),
        )

    def _sheets(self) -> None:
        """Contact sheets of all arms but the first; the last two augment alike."""
        words = {arm: f"Rotation by ±{min(number, 2)}°." for number, arm in enumerate(self.shape.arms[1:], 1)}
        self._path("words", "augment/words.json").write_text(write_json(words), encoding="utf-8")
        self.paths["sheets"] = [self.root / "augment" / f"{arm}.png" for arm in words]
        for path in self.paths["sheets"]:
            Image.new("RGB", (40, 20), "grey").save(path)

    def _findings(self) -> None:
        rows = []
        for check in ("patients in one role", "images in one role", "fits saw training images only"):
            for fold in range(self.shape.folds):
                passed = not (self.shape.failing_audit and fold == 0 and check.startswith("patients"))
                rows.append(
                    dict(
                        check=check,
                        subject=f"fold {fold}",
                        passed=passed,
                        checked=len(self.images),
                        sentence="no patient is in two roles" if passed else "2 patients are in train and in test",
                    )
                )
        self._table("findings", "audit/findings.parquet", rows, FINDINGS)
        check = {
            "check": "decisions fitted to the images it may see",
            "passed": True,
            "checked": 2,
            "sentence": "threshold",
        }
        rows = [check | {"subject": f"evaluation of arm {arm} fold 0"} for arm in self.shape.arms]
        self._table("checks", "evaluate/findings.parquet", rows, FINDINGS)

    def values(self, name: str) -> dict:
        """A JSON file of the study."""
        return json.loads(Path(self.paths[name]).read_text(encoding="utf-8"))
