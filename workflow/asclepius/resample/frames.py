"""Where a frame of a DICOM object lies: its own functional group, else the shared one, else the object's header."""

import numpy as np
from pydicom import Dataset


def attribute(dataset: Dataset, number: int, sequence: str, keyword: str) -> object:
    """An attribute of a frame: its own functional group, else the shared one, else the object's (PS3.3 C.7.6.16)."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    groups = [own[number]] if number < len(own) else []
    for group in [*groups, *(dataset.get("SharedFunctionalGroupsSequence") or [])]:
        items = group.get(sequence)
        if items and keyword in items[0]:
            return items[0].get(keyword)
    return dataset.get(keyword)


def number_of(value: object, default: float) -> float:
    """A value as a float; the default if it is absent or empty."""
    return default if value in (None, "") else float(value)


def _numbers(value: object, count: int) -> np.ndarray | None:
    """A multi-valued attribute as floats; None if absent, incomplete or not finite."""
    try:
        found = np.array([float(item) for item in value], dtype=float)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None


def position(dataset: Dataset, number: int) -> np.ndarray | None:
    """LPS of the first pixel's centre, mm."""
    return _numbers(attribute(dataset, number, "PlanePositionSequence", "ImagePositionPatient"), 3)


def orientation(dataset: Dataset, number: int) -> np.ndarray | None:
    """(2, 3) direction cosines of a row and of a column."""
    cosines = _numbers(attribute(dataset, number, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    if cosines is None:
        return None
    pair = cosines.reshape(2, 3)
    norms = np.linalg.norm(pair, axis=1, keepdims=True)
    # Headers round cosines to a few digits; anything beyond that is no orientation.
    return pair / norms if (np.abs(norms - 1) < 0.01).all() and abs(pair[0] @ pair[1]) < 0.01 else None


def spacing(dataset: Dataset, number: int) -> tuple[float, float] | None:
    """(y, x) in mm, at the patient where the header tells it, else at the detector."""
    found = _numbers(attribute(dataset, number, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if found is None:
        found = _numbers(dataset.get("ImagerPixelSpacing"), 2)
        if found is not None:
            found = found / max(number_of(dataset.get("EstimatedRadiographicMagnificationFactor"), 1.0), 1.0)
    if found is None:
        found = _numbers(dataset.get("NominalScannedPixelSpacing"), 2)
    return (float(found[0]), float(found[1])) if found is not None and found.min() > 0 else None
