"""What MLflow is to hold of a study: one record per arm and per run, built from tables alone."""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from asclepius import provenance
from asclepius.report.wording import without_home

PARENT = ("", "")  # fold and seed of an arm's own record
STUDY = {
    "cohort": ("source", "unit"),
    "resample": ("size", "spacing", "interpolation"),
    "split": None,  # all of it
    "evaluate": ("primary", "threshold"),
}
ROLES = ("train", "validation", "test", "external")


@dataclass(frozen=True)
class DataRecord:
    """Images a run saw in one role.

    Args:
        digest: over decoded pixels and labels: the same for the same data, whatever the key of the pseudonyms.
        tokens: over the image tokens, as in fits.json.
    """

    role: str
    digest: str
    tokens: str
    images: int
    patients: int
    classes: dict[str, int]


@dataclass(frozen=True)
class Record:
    """One MLflow run.

    Args:
        fold, seed: empty for an arm as a whole.
        metrics: final values.
        history: (metric, epoch, value).
        seconds: that training took.
    """

    arm: str
    fold: str
    seed: str
    params: dict[str, str]
    metrics: dict[str, float]
    history: list[tuple[str, int, float]]
    data: list[DataRecord]
    seconds: float
    chosen: bool

    @property
    def key(self) -> tuple[str, str, str]:
        return self.arm, self.fold, self.seed

    @property
    def is_parent(self) -> bool:
        return (self.fold, self.seed) == PARENT

    @property
    def name(self) -> str:
        """ "smote", or "smote · fold 0 · seed 1"."""
        return self.arm if self.is_parent else f"{self.arm} · fold {self.fold} · seed {self.seed}"

    @property
    def digest(self) -> str:
        """Over all that a run cannot change once it is written."""
        held = [self.key, self.params, self.metrics, self.history, [vars(data) for data in self.data]]
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def records(
    *,
    arms: dict[str, dict[str, Any]],
    config: dict[str, Any],
    images: pd.DataFrame,
    folds: pd.DataFrame | None,
    history: pd.DataFrame,
    runs: pd.DataFrame,
    recipes: dict[str, dict[str, Any]],
    metrics: pd.DataFrame,
    choice: dict[str, Any],
) -> list[Record]:
    """Every arm, each followed by its runs.

    Args:
        recipes: path to the content of balance/{recipe}/fold-{k}/recipe.json.
    """
    everyone = metrics[metrics["subgroup"] == "all"]
    shared = dict(_flat(_study(config)))
    data = {fold: _data(images, folds, fold) for fold in sorted(runs["fold"].unique())}
    cohort = [_described("cohort", images)]
    told = {key: list(of.itertuples(index=False)) for key, of in history.groupby(["arm", "fold", "seed"], sort=False)}
    found = []
    for arm, sections in arms.items():
        mine = runs[runs["arm"] == arm].sort_values(["fold", "seed"])
        params = shared | dict(_flat(sections))
        final = _final(everyone, arm, "all", "all", intervals=True)
        total = float(mine["seconds"].sum())
        found.append(
            Record(arm, *PARENT, params, final | _mean_cost(mine), [], cohort, total, choice["arm"] == arm),
        )
        for run in mine.itertuples(index=False):
            own = {"fold": str(run.fold), "seed": str(run.seed)} | _balanced(recipes, sections, run.fold)
            final = _final(everyone, arm, str(run.fold), str(run.seed), intervals=False)
            epochs = sorted(
                (item.metric, item.epoch, item.value)
                for item in told.get((arm, run.fold, run.seed), [])
                if math.isfinite(item.value)
            )
            chosen = (choice["arm"], choice["fold"], choice["seed"]) == (arm, run.fold, run.seed)
            found.append(
                Record(
                    arm,
                    str(run.fold),
                    str(run.seed),
                    params | own | {"device": run.device},
                    final | _cost(run),
                    epochs,
                    data[run.fold],
                    float(run.seconds),
                    chosen,
                )
            )
    return found


def _study(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"seeds": config.get("seeds")}
    if config.get("demonstration"):  # a param, so that runs written before it was one are replaced
        found["demonstration"] = True
    for section, names in STUDY.items():
        held = config.get(section) or {}
        found[section] = {name: held[name] for name in names or held if name in held}
    return found


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as "section.option" and text; what is unset is left out, paths lose their folders."""
    for name, value in without_home(values).items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _balanced(recipes: dict[str, dict[str, Any]], sections: dict[str, Any], fold: int) -> dict[str, str]:
    """Training examples per class after balancing, where exactly one recipe of the fold has the arm's settings."""
    held = sections.get("balance") or {}
    mine = [
        recipe
        for path, recipe in recipes.items()
        if recipe.get("method") == held.get("method")
        and (recipe.get("settings") or {}).items() <= held.items()
        and f"/fold-{fold}/" in path.replace("\\", "/")
    ]
    if len(mine) != 1 or "after" not in mine[0]:
        return {}
    return {"balanced": json.dumps(mine[0]["after"], sort_keys=True, ensure_ascii=False)}


def _final(metrics: pd.DataFrame, arm: str, fold: str, seed: str, *, intervals: bool) -> dict[str, float]:
    """Metrics as "test_auc", "test_auc_low", "test_auc_high"; of one class as "test_auc/glioma"."""
    of = metrics[(metrics["arm"] == arm) & (metrics["fold"] == fold) & (metrics["seed"] == seed)]
    if not intervals:
        of = of[of["class"] == "all"]
    found = {}
    for role, name, metric, value, low, high in of[["role", "class", "metric", "value", "low", "high"]].itertuples(
        index=False, name=None
    ):
        key = f"{role}_{metric}"
        found[key if name == "all" else f"{key}/{allowed(name)}"] = value
        if intervals and name == "all":
            found |= {f"{key}_low": low, f"{key}_high": high}
    return {key: float(value) for key, value in sorted(found.items()) if math.isfinite(value)}


def allowed(name: str) -> str:
    """A class as part of an MLflow metric's name: letters, digits, blank, '-', '_', '.' and ':' only."""
    return re.sub(r"[^\w\-. :]", "_", name).strip(" .") or "_"


def _cost(run: Any) -> dict[str, float]:
    return {
        "best_epoch": float(run.best_epoch),
        "epochs": float(run.epochs),
        "examples": float(run.examples),
        "parameters": float(run.parameters),
        "train_seconds": float(run.seconds),
    }


def _mean_cost(runs: pd.DataFrame) -> dict[str, float]:
    if runs.empty:
        return {}
    means = {name: float(runs[name].mean()) for name in ("best_epoch", "epochs", "examples", "parameters")}
    return means | {"train_seconds": float(runs["seconds"].mean())}


def _data(images: pd.DataFrame, folds: pd.DataFrame | None, fold: int) -> list[DataRecord]:
    if folds is None:
        return []
    of = folds[folds["fold"] == fold]
    roles = {role: images[images["image"].isin(of[of["role"] == role]["image"])] for role in ROLES}
    return [_described(role, found) for role, found in roles.items() if len(found)]


def _described(role: str, images: pd.DataFrame) -> DataRecord:
    labels = images["label"].fillna("")
    return DataRecord(
        role,
        provenance.digest(f"{content}|{label}" for content, label in zip(images["content"], labels, strict=True))[:16],
        provenance.digest(images["image"]),
        len(images),
        int(images["patient"].nunique()),
        {str(name): int(count) for name, count in sorted(labels.value_counts().items())},
    )
