"""Which normalisation suits a cohort, and why."""

from dataclasses import dataclass

import pandas as pd

from asclepius.train.settings import Method, TrainSettings

SEVERAL = 10  # images that make a scanner one of several
XRAY = frozenset({"CR", "DX", "DR", "RG", "MG", "IO", "PX", "RF", "XA"})


@dataclass(frozen=True)
class Choice:
    """A method with the sentence that gives its reason."""

    method: Method
    why: str


def choose(settings: TrainSettings, table: pd.DataFrame) -> Choice:
    """The method asked for, or for `auto` the one that suits the modality of the training images.

    Args:
        table: rows of quality/images of the training images: modality, scanner.
    """
    if settings.normalise != "auto":
        return Choice(settings.normalise, "as the config says")
    found = sorted(table["modality"].dropna().unique())
    if len(found) > 1:
        return Choice("zscore", f"{', '.join(found)}: each modality has a scale of its own")
    modality = found[0] if found else None
    if modality == "CT" and settings.window:
        return Choice("window", "CT: Hounsfield units mean the same on every scanner, and a window is given")
    if modality == "CT":
        return Choice("scale", "CT: Hounsfield units mean the same on every scanner, so one scale serves all")
    if modality == "MR":
        counts = table["scanner"].value_counts()
        scanners = int((counts >= SEVERAL).sum())
        if scanners > 1:
            return Choice("nyul", f"MR of {scanners} scanners: arbitrary units, and contrasts that differ in shape")
        return Choice("zscore", "MR: arbitrary units that change from scan to scan")
    if modality in ("PT", "NM"):
        return Choice("percentile", f"{modality}: counts depend on dose and time")
    if modality in XRAY:
        return Choice("scale", f"{modality}: detector values share one scale")
    return Choice("scale", f"{modality or 'pictures'}: grey values share one scale")
