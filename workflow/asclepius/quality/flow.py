"""The exclusion diagram: how many images and patients were found, left at each step, and remain."""

import pandas as pd

from asclepius.errors import REASONS
from asclepius.task import SEPARATOR

STAGES = ("cohort", "deidentify", "resample", "quality")


def diagram(manifest: pd.DataFrame, quarantine: pd.DataFrame, images: pd.DataFrame, multilabel: bool) -> dict:
    """Counts for the flow diagram (after STARD 2015, item 19).

    Args:
        manifest: deidentify/manifest.
        quarantine: of all stages.
        images: those the study uses.

    Returns:
        found, steps in order of stages (stage, reason, images, patients concerned), included, classes and
        unlabelled; each with a number of images and of patients.
    """
    found = pd.concat([manifest[["image", "patient"]], quarantine[["image", "patient"]]]).drop_duplicates("image")
    steps = [
        {"stage": stage, "reason": reason} | count(rows)
        for stage in STAGES
        for reason in REASONS
        if len(rows := quarantine[(quarantine["stage"] == stage) & (quarantine["reason"] == reason)])
    ]
    return {
        "found": count(found),
        "steps": steps,
        "included": count(images),
        "classes": {name: count(rows) for name, rows in by_class(images, multilabel).items()},
        "unlabelled": count(images[images["label"].isna()]),
    }


def count(rows: pd.DataFrame) -> dict[str, int]:
    """Images and patients of a table; an image without patient counts for no patient."""
    return {"images": int(rows["image"].nunique()), "patients": int(rows["patient"].nunique())}


def by_class(images: pd.DataFrame, multilabel: bool) -> dict[str, pd.DataFrame]:
    """Images of each class, classes sorted; in a multi-label study an image may be in several or none."""
    labelled = images[images["label"].notna()]
    names = labelled["label"].str.split(SEPARATOR, regex=False) if multilabel else labelled["label"].map(lambda x: [x])
    long = labelled.assign(_class=names).explode("_class")
    return {name: rows for name, rows in long.groupby("_class") if name}
