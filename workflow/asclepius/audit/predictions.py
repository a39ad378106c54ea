"""Checks of predictions: on the images of the role they claim, on all of them, and on no training image."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from asclepius.audit.assignment import CODE, Assignment, role_counts
from asclepius.audit.findings import Finding, number, some
from asclepius.task import Task

PREDICTED = ("validation", "test", "external")
KEY = ["arm", "seed", "fold", "role", "class"]


@dataclass
class Predictions:
    """What was found in the tables read so far; they are read one at a time.

    Args:
        assignment: who was in which role.
        task: which labels an image may have.
        arms: by the paths of the tables, in order.
        wrong: by (arm, fold), roles that wrongly predicted images truly have.
        renamed: by (arm, fold), predictions under another patient.
        relabelled: by (arm, fold), predictions held against a label that is not the image's.
        runs: arm and seed of every fit there was.
        rows: by (arm, fold), how many predictions there are.
        counts: undisturbed predictions by arm, seed, fold, role and class.
    """

    assignment: Assignment
    task: Task
    arms: dict[str, None] = field(default_factory=dict)
    wrong: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    renamed: dict[tuple[str, int], int] = field(default_factory=dict)
    relabelled: dict[tuple[str, int], int] = field(default_factory=dict)
    runs: list[pd.DataFrame] = field(default_factory=list)
    rows: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: list[pd.Series] = field(default_factory=list)

    def expect(self, runs: pd.DataFrame) -> None:
        """Every run of train/runs must predict, whether a table holds any row of it or not."""
        self.runs.append(runs[["arm", "seed"]])

    @cached_property
    def _targets(self) -> np.ndarray:
        return self.task.targets(self.assignment.images["label"].fillna(""))

    def add(self, arm: str, found: pd.DataFrame) -> None:
        """Look at one train/predictions table of an arm; an empty one tells that the arm predicted nothing."""
        self.arms.setdefault(arm)
        place = self.assignment.place(found["image"])
        true = self.assignment.roles_of(found["image"], found["fold"].to_numpy())
        claimed = pd.Index(list(CODE)).get_indexer(found["role"])
        allowed = found["role"].isin(PREDICTED).to_numpy()
        misplaced = (true != claimed) | ~allowed
        patient = self.assignment.images["patient"].to_numpy()
        renamed = (place >= 0) & (patient[place] != found["patient"].to_numpy())
        column = pd.Index(self.task.classes).get_indexer(found["class"])
        held = self._targets[place, column] == found["target"].to_numpy()
        relabelled = (place >= 0) & ((column < 0) | ~held)
        for (arm, fold), rows in found.groupby(["arm", "fold"], sort=False).indices.items():
            key = (arm, int(fold))
            self.rows[key] = self.rows.get(key, 0) + len(rows)
            self.wrong.setdefault(key, []).append(true[rows][misplaced[rows]])
            self.renamed[key] = self.renamed.get(key, 0) + int(renamed[rows].sum())
            self.relabelled[key] = self.relabelled.get(key, 0) + int(relabelled[rows].sum())
        clean = found[found["condition"] == "clean"]
        self.counts.append(clean.groupby(KEY, observed=True).size())

    def findings(self) -> Iterator[Finding]:
        """One of each check per arm and fold, the folds an arm never reached included."""
        missing = self._missing()
        keys = dict.fromkeys((arm, fold) for arm in self.arms for fold in self.assignment.folds)
        for arm, fold in keys | dict.fromkeys(self.rows):
            subject, rows = f"arm {arm} fold {fold}", self.rows.get((arm, fold), 0)
            yield self._in_role(subject, rows, (arm, fold))
            gaps = missing.get((arm, fold), []) if rows else ["there are none"]
            sentence = (
                f"Predictions are not one for each image and class: {some(gaps, len(gaps))}."
                if gaps
                else "Every validation and test image has one prediction for each class."
            )
            yield Finding("no prediction missing", subject, not gaps, rows, sentence)

    def _in_role(self, subject: str, rows: int, key: tuple[str, int]) -> Finding:
        wrong = np.concatenate(self.wrong.get(key) or [np.empty(0, dtype=int)])
        renamed = self.renamed.get(key, 0)
        problems = []
        if len(wrong):
            problems.append(
                f"{len(wrong)} of {number(rows, 'prediction')} are on images that do not have the role they claim "
                f"(truly: {role_counts(wrong)})"
            )
        if renamed:
            problems.append(f"{number(renamed, 'prediction')} stand under another patient")
        if relabelled := self.relabelled.get(key, 0):
            problems.append(f"{number(relabelled, 'prediction')} held against a label that is not the image's")
        sentence = "; ".join(problems) or (
            f"All {number(rows, 'prediction')} are on images kept for validation or test, none on a training image"
        )
        return Finding("predictions on unseen patients", subject, not problems, rows, f"{sentence}.")

    def _missing(self) -> dict[tuple[str, int], list[str]]:
        """By (arm, fold), where the number of predictions is not that of the images."""
        if not self.counts:
            return {}
        counts = pd.concat(self.counts)
        counts = counts.groupby(level=KEY).sum()
        frame = counts.reset_index()
        runs = pd.concat([frame[["arm", "seed"]], *self.runs]).drop_duplicates()
        classes = frame[["arm", "class"]].drop_duplicates()
        expected = pd.DataFrame(self._expected(), columns=["fold", "role", "images"])
        all_of = runs.merge(classes, on="arm").merge(expected, how="cross")
        all_of["found"] = counts.reindex(pd.MultiIndex.from_frame(all_of[KEY]), fill_value=0).to_numpy()
        gaps = all_of[all_of["found"] != all_of["images"]]
        out: dict[tuple[str, int], list[str]] = {}
        for row in gaps.drop_duplicates(["arm", "seed", "fold", "role"]).itertuples():
            words = f"seed {row.seed} has {row.found} of {row.images} {row.role} images"
            out.setdefault((row.arm, int(row.fold)), []).append(words)
        return out

    def _expected(self) -> Iterable[tuple[int, str, int]]:
        for fold in self.assignment.folds:
            for role in PREDICTED:
                count = int((self.assignment.role[fold] == CODE[role]).sum())
                if count:
                    yield fold, role, count
