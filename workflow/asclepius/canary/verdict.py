"""The canary's outcome in figures and words, and the end of a run that failed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius.audit.findings import number
from asclepius.canary.chance import Auc, combined, holm
from asclepius.canary.settings import CanarySettings
from asclepius.errors import StudyError
from asclepius.report.canary import told_auc


def document(
    found: dict[tuple[str, str], dict[int, list[Auc]]],
    audits: list[tuple[str, pd.DataFrame]],
    settings: CanarySettings,
    size: tuple[int, int],
    cohort: str,
) -> dict:
    """canary.json: a row per design and method, the audits' findings, a verdict and a sentence.

    Args:
        found: by (design, method), the folds' AUCs by shuffle.
        audits: design and audit/findings of each shuffle.
        size: images and patients that took part.
        cohort: of `report.canary.cohort_digest`.

    Raises:
        StudyError: a method has no AUC, or one that proves nothing.
    """
    rows: list[dict] = []
    for design in ("fair", "naive"):
        means = {method: combined(list(of.values())) for (name, method), of in found.items() if name == design}
        empty = [method for method, auc in means.items() if not np.isfinite(auc.value)]
        if empty:
            raise StudyError(
                f"canary: no test part has patients of two classes, so {empty[0]} has no AUC; write a larger "
                "canary.patients, or merge rare classes (cohort.labels.merge)"
            )
        dead = [method for method, auc in means.items() if auc.deviation == 0]
        if dead:
            raise StudyError(
                f"canary: {dead[0]} gives every image the same score, so its AUC of {means[dead[0]].value:.2f} proves "
                "nothing; let the network learn more (canary.train: epochs, learning_rate, or canary.model)"
            )
        for method, verdict in holm(means, settings.confidence).items():
            folds = [
                {"shuffle": shuffle, "auc": fold.value if np.isfinite(fold.value) else None}
                for shuffle, of in found[design, method].items()
                for fold in of
            ]
            rows.append({"design": design, "method": method, **vars(verdict), "folds": folds})
    failed = [row for row in rows if row["design"] == "fair" and row["failed"]]
    return {
        "rows": rows,
        "audit": {
            design: _audited([table for name, table in audits if name == design]) for design in ("fair", "naive")
        },
        "confidence": settings.confidence,
        "shuffles": settings.shuffles,
        "folds": settings.folds,
        "images": size[0],
        "patients": size[1],
        "cohort": cohort,
        "passed": not failed,
        "sentence": sentence(rows, settings.confidence),
    }


def _audited(tables: list[pd.DataFrame]) -> dict:
    """How many checks there were and failed, and which."""
    failed = [row for table in tables for row in table[~table["passed"].astype(bool)].to_dict("records")]
    return {
        "checks": int(sum(map(len, tables))),
        "failed": len(failed),
        "which": sorted({row["check"] for row in failed}),
    }


def sentence(rows: list[dict], confidence: float) -> str:
    """The outcome in words."""
    fair = [row for row in rows if row["design"] == "fair"]
    failed = [row for row in fair if row["failed"]]
    level = f"{100 * confidence:g} %"
    if failed:
        told = "; ".join(f"{row['method']} {told_auc(row)}" for row in failed)
        return (
            f"The canary failed: labels shuffled between patients can teach nothing, and yet the AUC is not that of "
            f"chance (0.5) with {told}. What these methods do, or the data they are given, sees patients it must not."
        )
    ends = [f"{end(row['auc'] for row in fair):.2f}" for end in (min, max)]
    reach = " to ".join(dict.fromkeys(ends))
    naive = [row for row in rows if row["design"] == "naive"]
    beside = ", ".join(f"{row['auc']:.2f} ({row['method']})" for row in naive)
    return (
        f"On labels shuffled between patients, {number(len(fair), 'balance method')} gave an AUC of {reach}: chance "
        f"(0.5) lies within every interval ({level} for all together). With images of one patient on both sides of the "
        f"split, the same labels gave {beside}."
    )


def run(*, outcome: Path, page: Path) -> None:
    """Stop with a sentence if the canary failed.

    Args:
        outcome: canary.json; page: where a person reads it.

    Raises:
        StudyError: naming the methods.
    """
    found = json.loads(Path(outcome).read_text(encoding="utf-8"))
    print(f"{found['sentence']} See {page}.")
    if not found["passed"]:
        raise StudyError(f"{found['sentence']} See {page}")
