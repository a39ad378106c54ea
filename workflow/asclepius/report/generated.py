"""Synthetic images of a generative network: how they look, how good they are, and whether any is a copy."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from asclepius.report.evidence import Evidence
from asclepius.report.picture import Picture
from asclepius.report.tabular import Cell, Table, row
from asclepius.report.wording import UNKNOWN, count, number, percent

LEAD = (
    "A generative network (GAN) was trained on the training images of each fold and drew new images of the rarer "
    "classes. In the pictures, synthetic images stand below real ones; neither were chosen by hand. Each figure stands "
    "above what real images of other patients reach (“real”): no synthetic image can be expected to do better. "
    "Whether a model learns from such images is another question: compare the arms."
)
NOTE = (
    "Compared in what a small network, trained on the same images to tell the classes apart, sees in them. "
    "Look real: share of synthetic images that lie among real ones (precision). "
    "Variety: share of real images with a synthetic one close by (coverage); far below “real”, kinds of image are "
    "missing. Distance: between the two kinds of image, 0 where they cannot be told apart (KID, kernel inception "
    "distance, with its standard error; FID, Fréchet inception distance, is never 0 and smaller for more images). "
    "Copies: images drawn that were as close to one training image as fewer than 1 % of real images are to another "
    "patient's, in pixels or as the network sees them. They were dropped. As some new patients come that close too, "
    "about 1 to 2 % are expected; many more mean that the generator remembers patients."
)


def folders(evidence: Evidence) -> dict[str, list[Path]]:
    """Folders with synthetic images and their quality, by recipe, in the order of the folds."""
    found: dict[str, list[Path]] = {}
    for recipe in sorted(evidence.recipes, key=lambda each: (each.name, each.fold)):
        folder = recipe.folder / "generated"
        if (folder / "quality.json").exists():
            found.setdefault(recipe.name, []).append(folder)
    return found


def pictures(evidence: Evidence) -> list[Picture]:
    """Samples of each recipe's first fold."""
    return [
        Picture(
            f"Samples, {name}",
            f"Rows of images of {', '.join(evidence.task.classes)}: real ones, and below them synthetic ones.",
            (paths[0] / "samples.png").read_bytes(),
        )
        for name, paths in folders(evidence).items()
    ]


def tables(evidence: Evidence) -> list[Table]:
    """Quality class by class, means over folds, and what to beware of; for each recipe."""
    found = []
    for name, paths in folders(evidence).items():
        documents = [json.loads((path / "quality.json").read_text(encoding="utf-8")) for path in paths]
        several = len(documents) > 1
        found.append(
            Table(
                f"Synthetic images, {name}",
                ["Class", "Used", "Look real", "Variety", "Distance: KID", "Distance: FID", "Copies dropped"],
                [_row(label, [each["classes"][label] for each in documents]) for label in evidence.task.classes],
                ("Means over folds. " if several else "") + NOTE,
            )
        )
        warnings = [
            row(f"{label}, fold {fold}" if several else label, sentence)
            for fold, document in enumerate(documents)
            for label in evidence.task.classes
            for sentence in document["classes"][label]["warnings"]
        ]
        if warnings:
            found.append(Table(f"To beware of, {name}", ["Class", "Warning"], warnings, prose=frozenset({1})))
    return found


def _row(label: str, folds: list[dict[str, Any]]) -> list[Cell]:
    used = np.mean([each["used"] for each in folds])
    copies = sum(each["copies"]["dropped"] for each in folds) / sum(each["copies"]["drawn"] for each in folds)
    return row(
        label,
        count(float(used)),
        _compared(folds, "precision", percent),
        _compared(folds, "coverage", percent),
        _compared(folds, "kid", number),
        _compared(folds, "fid", lambda value: number(value, 1)),
        percent(copies),
    )


def _compared(folds: list[dict[str, Any]], measure: str, words) -> Cell:
    known = [each["compared"][measure] for each in folds if each["compared"]]
    if not known:
        return Cell(UNKNOWN, "too few images")
    mean = {key: float(np.mean([each[key] for each in known])) for key in known[0]}
    error = f" ± {words(mean['synthetic_error'])}" if "synthetic_error" in mean else ""
    return Cell(words(mean["synthetic"]) + error, f"real {words(mean['real'])}")
