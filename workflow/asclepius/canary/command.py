"""The end of the canary: what shuffled labels gave."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.audit.places import arm_of
from asclepius.audit.schema import FINDINGS
from asclepius.canary import chance
from asclepius.canary.places import design_of, shuffle_of
from asclepius.canary.settings import CanarySettings
from asclepius.canary.shuffle import groups_of
from asclepius.canary.verdict import document
from asclepius.evaluate.cases import CLEAN, columns
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.report.canary import cohort_digest
from asclepius.task import Task
from asclepius.train.schema import PREDICTIONS


class Labels(NamedTuple):
    """Images of one shuffle: rows by token, label codes, the classes each code holds, groups of patients."""

    index: pd.Index
    codes: np.ndarray
    classes: np.ndarray
    group: np.ndarray

    @classmethod
    def read(cls, path: Path, task: Task) -> "Labels":
        images = tables.read(path, IMAGES)
        codes, labels = pd.factorize(images["label"])
        chosen = [list(task.classes).index(name) for name in columns(task)]
        holds = task.targets(labels)[:, chosen] > 0
        return cls(pd.Index(images["image"]), codes, holds, groups_of(images))


def run(
    *,
    settings: CanarySettings,
    study: str,
    images: Path,
    task: Path,
    shuffled: list[Path],
    predictions: list[Path],
    findings: list[Path],
    outcome: Path,
    page: Path,
) -> None:
    """Compare the AUC that each balance method reaches on shuffled labels with chance.

    Args:
        images, task: of the quality stage.
        shuffled: .../canary/shuffle-<s>/images.parquet.
        predictions: .../canary/<design>/shuffle-<s>/train/<method>/pack-0/predictions.parquet.
        findings: of the audits, .../canary/<design>/shuffle-<s>/audit/findings.parquet.
        outcome: JSON with every figure and the verdict.
        page: HTML that shows them, with what the naive split gives.

    Raises:
        StudyError: no test part has patients of two classes.
    """
    question = Task.read(task)
    labels = {shuffle_of(path): Labels.read(path, question) for path in shuffled}
    draws: dict[tuple, np.ndarray] = {}
    found: dict[tuple[str, str], dict[int, list[chance.Auc]]] = {}
    for path in predictions:
        design, shuffle, method = design_of(path), shuffle_of(path), arm_of(path)
        table = tables.read(path, PREDICTIONS)
        for fold, rows, scores in tested(table, labels[shuffle], question):
            of, key = labels[shuffle], (design, shuffle, fold)
            if key not in draws:  # the methods of a design share their test parts
                draws[key] = chance.permuted(of.codes[rows], of.group[rows], chance.DRAWS, (settings.seed, *key[1:]))
            one = chance.of_fold(scores, draws[key], of.classes, of.group[rows])
            found.setdefault((design, method), {}).setdefault(shuffle, []).append(one)
    audits = [(design_of(path), tables.read(path, FINDINGS)) for path in findings]
    size = len(next(iter(labels.values())).index), int(next(iter(labels.values())).group.max()) + 1
    made = document(found, audits, settings, size, cohort_digest(tables.read(images, IMAGES)))
    tables.write_text(outcome, write_json(made))
    print(made["sentence"])
    # Imported here: Matplotlib takes most of a second.
    from asclepius.canary.page import render

    tables.write_text(page, render(made, study))


def tested(table: pd.DataFrame, labels: Labels, task: Task) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Fold, rows of the images and scores (images, classes) of each test part, in the order of the images."""
    names = columns(task)
    here = table[(table["role"] == "test") & (table["condition"] == CLEAN) & table["class"].isin(names)]
    for fold, of in here.groupby("fold"):
        wide = of.pivot(index="image", columns="class", values="probability")[names]
        rows = labels.index.get_indexer(wide.index)
        order = np.argsort(rows)
        yield int(fold), rows[order], wide.to_numpy()[order]
