"""Everything the report reads, loaded once and checked against the schemas of the rooms that wrote it."""

import json
import math
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asclepius import rejects, tables
from asclepius.audit.schema import FINDINGS
from asclepius.errors import StudyError
from asclepius.evaluate.catalogue import LOWER_IS_BETTER, SIGNED
from asclepius.evaluate.schema import CONFUSION, CURVES, DIFFERENCES, METRICS, THRESHOLDS
from asclepius.explain.schema import GALLERY
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import DROPPED, FOLDS
from asclepius.task import SEPARATOR, Task
from asclepius.train.schema import HISTORY, RUNS

TESTED = ("test", "external")


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; NaN where it cannot be known.

    Args:
        n: patients behind it.
        note: what the reader must know of this one figure.
    """

    value: float
    low: float
    high: float
    n: int = 0
    note: str = ""

    @property
    def known(self) -> bool:
        return math.isfinite(self.value)

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Difference(Estimate):
    """Arm minus reference in one metric.

    Args:
        p, p_holm: DeLong's, and the same corrected for the number of arms; NaN unless of an AUC.
        seeds, agree: how many seeds there are, and in how many the difference has the sign of their mean.
        gain: the direction that is better, 1 or -1; 0 where neither is.
    """

    p: float = math.nan
    p_holm: float = math.nan
    seeds: int = 0
    agree: int = 0
    gain: int = 0

    @property
    def decided(self) -> bool:
        """Whether the interval excludes zero."""
        return self.bounded and not self.low <= 0 <= self.high

    @property
    def better(self) -> bool:
        return self.decided and self.gain * self.value > 0

    @property
    def worse(self) -> bool:
        return self.decided and self.gain * self.value < 0


@dataclass(frozen=True)
class Recipe:
    """One balance/{recipe}/fold-{k}/recipe.json."""

    name: str
    fold: int
    values: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class Evidence:
    """The tables of a finished study."""

    config: dict[str, Any]
    task: Task
    images: pd.DataFrame
    folds: pd.DataFrame
    dropped: pd.DataFrame
    quarantine: pd.DataFrame
    flow: dict[str, Any]
    recipes: list[Recipe]
    history: pd.DataFrame
    runs: pd.DataFrame
    findings: pd.DataFrame
    metrics: pd.DataFrame
    differences: pd.DataFrame
    thresholds: pd.DataFrame
    curves: pd.DataFrame
    confusion: pd.DataFrame
    choice: dict[str, Any]
    gallery: pd.DataFrame
    heat: dict[str, np.ndarray]
    sheets: dict[str, tuple[str, bytes]]  # by arm: transforms in words, and the contact sheet

    def __post_init__(self) -> None:
        if self.choice["arm"] not in self.arms:
            raise StudyError(
                f"report: the chosen arm {self.choice['arm']!r} has no metrics (found {', '.join(self.arms)}); "
                "delete evaluate/ of this study and run again"
            )

    @cached_property
    def arms(self) -> list[str]:
        """All arms in the order of the config where it tells one, else of the metrics."""
        found = list(dict.fromkeys(self.metrics["arm"]))
        named = [name for name in self.config.get("arms") or {} if name in found]
        return [*named, *(name for name in found if name not in named)]

    @property
    def chosen(self) -> str:
        return self.choice["arm"]

    @property
    def primary(self) -> str:
        return self.choice["metric"]

    @property
    def confidence(self) -> float:
        return float((self.config.get("evaluate") or {}).get("confidence", 0.95))

    @cached_property
    def roles(self) -> list[str]:
        """The roles that were tested: test, external, or both."""
        present = set(self.metrics["role"])
        return [role for role in TESTED if role in present]

    @cached_property
    def ranked(self) -> list[str]:
        """Arms by their validation score, the chosen one first."""
        lower = self.primary in LOWER_IS_BETTER
        score = {arm: self.validation(arm) for arm in self.arms}
        return sorted(
            self.arms,
            key=lambda arm: (
                arm != self.chosen,
                not math.isfinite(score[arm]),
                score[arm] if lower else -score[arm] if math.isfinite(score[arm]) else 0.0,
                arm,
            ),
        )

    def validation(self, arm: str) -> float:
        """Mean validation score of the primary metric, NaN where there is none."""
        value = (self.choice.get("validation") or {}).get(arm)
        return math.nan if value is None else float(value)

    def estimate(
        self, arm: str, metric: str, *, role: str = "test", fold: str = "all", seed: str = "all",
        subgroup: str = "all", of: str = "all",
    ) -> Estimate:  # fmt: skip
        """A figure of evaluate/metrics; one without value if the table holds none."""
        row = self._lookup.get((arm, fold, seed, role, subgroup, of, metric))
        if row is None:
            return Estimate(math.nan, math.nan, math.nan)
        return Estimate(*row)

    def difference(self, arm: str, metric: str, *, role: str = "test", of: str = "all") -> Difference:
        """Arm minus the reference; one without value if the table holds none."""
        row = self._differences.get((arm, role, of, metric))
        gain = 0 if metric in SIGNED else -1 if metric in LOWER_IS_BETTER else 1
        return Difference(*(row or (math.nan, math.nan, math.nan)), gain=gain)

    @cached_property
    def _differences(self) -> dict[tuple[str, ...], tuple]:
        table = self.differences
        keys = table[["arm", "role", "class", "metric"]].itertuples(index=False, name=None)
        columns = ["value", "low", "high", "n", "note", "p", "p_holm", "seeds", "agree"]
        return dict(zip(keys, table[columns].itertuples(index=False, name=None), strict=True))

    @cached_property
    def reference(self) -> str | None:
        """The arm the others are compared with; None where there is nothing to compare."""
        return None if self.differences.empty else str(self.differences["reference"].iloc[0])

    def compared(self, role: str) -> list[str]:
        """The arms that were compared with the reference on a role, best on validation first."""
        found = set(self.differences[self.differences["role"] == role]["arm"])
        return [arm for arm in self.ranked if arm in found]

    @property
    def specificity(self) -> float:
        """At which sensitivity is compared."""
        return float((self.config.get("evaluate") or {}).get("specificity", 0.9))

    def rarest(self, role: str) -> str:
        """The class with the fewest patients of a role, the positive one of a binary study."""
        return min(self.tested_classes, key=lambda name: self.positives(role, name)[0])

    @cached_property
    def _lookup(self) -> dict[tuple[str, ...], tuple[float, float, float, int, str]]:
        keys = self.metrics[list(METRICS.key)].itertuples(index=False, name=None)
        values = self.metrics[["value", "low", "high", "n", "note"]].itertuples(index=False, name=None)
        return dict(zip(keys, values, strict=True))

    def positives(self, role: str, name: str) -> tuple[int, int]:
        """Patients of a role who have the class in some image, and all patients of the role."""
        of = self.in_role(role)
        has = has_class(of["label"], name)
        return int(of["patient"][has].nunique()), int(of["patient"].nunique())

    def prevalence(self, role: str, name: str) -> float:
        """Share of a role's images that have the class: the precision of a test that calls all positive."""
        of = self.in_role(role)
        return float(has_class(of["label"], name).mean()) if len(of) else math.nan

    def in_role(self, role: str, fold: int | None = None) -> pd.DataFrame:
        """The images of a role, each once, of one fold or of any."""
        of = self.folds[self.folds["role"] == role]
        if fold is not None:
            of = of[of["fold"] == fold]
        return self.images[self.images["image"].isin(of["image"])]

    @cached_property
    def tested_classes(self) -> list[str]:
        """Classes with one-against-the-rest figures: the positive one of a binary study, else all."""
        return [self.task.positive] if self.task.kind == "binary" else list(self.task.classes)

    @cached_property
    def patients_unknown(self) -> bool:
        """Whether each image stands for a patient because the source names none."""
        cohort = self.config.get("cohort") or {}
        silent = cohort.get("source") in ("images", "medmnist") and not cohort.get("patient")
        return silent and self.images["patient"].is_unique


def has_class(labels: pd.Series, name: str) -> pd.Series:
    """Which images have a class; labels of a multi-label image are joined."""
    return labels.map(lambda label: label is not None and name in label.split(SEPARATOR)).astype(bool)


def load(config: dict[str, Any], paths: dict[str, Any]) -> Evidence:
    """Read all inputs of the report.

    Args:
        paths: by the names of `Evidence`; "histories", "runs" and "recipes" are lists.

    Raises:
        StudyError: a file is not the table it should be.
    """
    schemas = {
        "images": IMAGES,
        "folds": FOLDS,
        "dropped": DROPPED,
        "quarantine": rejects.QUARANTINE,
        "findings": FINDINGS,
        "checks": FINDINGS,
        "metrics": METRICS,
        "differences": DIFFERENCES,
        "thresholds": THRESHOLDS,
        "curves": CURVES,
        "confusion": CONFUSION,
        "gallery": GALLERY,
    }
    found: dict[str, Any] = {name: tables.read(paths[name], schema) for name, schema in schemas.items()}
    found["findings"] = tables.concat([found["findings"], found["checks"]], FINDINGS)
    found["history"] = tables.concat([tables.read(path, HISTORY) for path in paths["histories"]], HISTORY)
    found["runs"] = tables.concat([tables.read(path, RUNS) for path in paths["runs"]], RUNS)
    found["recipes"] = [_recipe(Path(path)) for path in sorted(paths["recipes"])]
    found["task"] = Task.read(paths["task"])
    found["flow"] = json.loads(Path(paths["flow"]).read_text(encoding="utf-8"))
    found["choice"] = json.loads(Path(paths["choice"]).read_text(encoding="utf-8"))
    words = json.loads(Path(paths["words"]).read_text(encoding="utf-8"))
    found["sheets"] = {path.stem: (words[path.stem], path.read_bytes()) for path in map(Path, paths["sheets"])}
    with np.load(paths["heat"]) as arrays:
        found["heat"] = {name: arrays[name] for name in arrays.files}
    return Evidence(
        config=config, **{item.name: found[item.name] for item in fields(Evidence) if item.name != "config"}
    )


def _recipe(path: Path) -> Recipe:
    return Recipe(path.parent.parent.name, _fold(path), json.loads(path.read_text(encoding="utf-8")), path.parent)


def _fold(path: Path) -> int:
    try:
        return int(path.parent.name.removeprefix("fold-"))
    except ValueError:
        raise StudyError(f"report: {path} does not lie in balance/<recipe>/fold-<k>/") from None
