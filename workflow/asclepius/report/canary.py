"""What the page says of the canary, where it has been run."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asclepius.provenance import digest
from asclepius.report.tabular import Cell, Table, row

SPLITS = {"fair": "by patient", "naive": "by image"}


@dataclass(frozen=True)
class Canary:
    """Args:
    sentence: the outcome.
    passed: whether every method gave chance.
    stale: whether the study has other images or labels since.
    """

    sentence: str
    passed: bool
    stale: bool
    table: Table


def cohort_digest(images: pd.DataFrame) -> str:
    """Of images and labels: tells whether an outcome still belongs to the study."""
    return digest(f"{image}|{label}" for image, label in zip(images["image"], images["label"].fillna(""), strict=True))


def told_auc(found: dict) -> str:
    """ "0.83 (0.71 to 0.95)"."""
    return f"{found['auc']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def read(path: Path | None, images: pd.DataFrame) -> Canary | None:
    """The canary's outcome; None if it has not been run.

    Args:
        path: canary.json.
        images: quality/images of the study as it is now.
    """
    if path is None or not Path(path).is_file():
        return None
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    rows = [row(each["method"], SPLITS[each["design"]], told_auc(each), Cell(*_result(each))) for each in found["rows"]]
    caption = f"AUC on labels shuffled between patients; intervals hold together at {100 * found['confidence']:g} %"
    table = Table(caption, ["Balance method", "Split", "AUC", "Result"], rows, prose=frozenset({1, 3}))
    return Canary(found["sentence"], found["passed"], found["cohort"] != cohort_digest(images), table)


def _result(found: dict) -> tuple[str, str, bool]:
    if found["design"] == "naive":
        return ("leaks, as it must" if found["failed"] else "no leak seen"), "", False
    return ("FAILED", "", True) if found["failed"] else ("chance", "", False)
