"""MedMNIST: one .npz with images and labels of an official split (Yang et al., Scientific Data 10, 41, 2023)."""

import zipfile

import numpy as np
import pandas as pd

from asclepius.cohort.inventory import Inventory, Rejects, images
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import StudyError

SPLITS = {"train": "train", "val": "validation", "test": "test"}
LOOKED_FOR = "the arrays train_images, train_labels, val_images, val_labels, test_images, test_labels"


def read(settings: SourceSettings) -> Inventory:
    """One row per image; reads the labels, and of the images their header alone.

    Raises:
        StudyError: no MedMNIST file, counts that disagree, or labels that the settings do not foresee.
    """
    path = settings.path
    if path is None or not path.is_file():
        raise StudyError(f"{path}: not a file; cohort.path must name the .npz of a MedMNIST set")
    parts = []
    try:
        with zipfile.ZipFile(path) as archive:
            for short, role in SPLITS.items():
                if f"{short}_images.npy" in archive.namelist():
                    parts.append(_part(archive, short, role, settings))
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
        raise StudyError(f"{path}: not a readable MedMNIST .npz ({error}); download it again") from None
    if not parts:
        raise StudyError(f"{path}: no images found; looked for {LOOKED_FOR}")
    return Inventory(pd.concat(parts, ignore_index=True), Rejects().frame())


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        return read_header[version](file)[0]


def _part(archive: zipfile.ZipFile, short: str, role: str, settings: SourceSettings) -> pd.DataFrame:
    count = _shape(archive, f"{short}_images")[0]
    with archive.open(f"{short}_labels.npy") as file:
        values = np.lib.format.read_array(file, allow_pickle=False)
    if len(values) != count:
        raise StudyError(f"{settings.path}: {count} {short} images but {len(values)} labels; download it again")
    rows = np.arange(count)
    digits = max(6, len(str(count - 1)))
    names = f"{short}/" + pd.Series(rows).astype("str").str.zfill(digits)
    return images(
        count,
        source=names,
        root=str(settings.path),
        member=f"{short}_images",
        row=rows,
        format="npz",
        official=role,
        label=_labels(values.reshape(count, -1), settings),
        file=names,
    )


def _labels(values: np.ndarray, settings: SourceSettings) -> pd.Series:
    """Class names of integer labels (n, 1), or of 0/1 flags (n, class), several joined by labels.separator.

    labels.classes names the numbers in order, unless labels.merge speaks of the numbers themselves.
    """
    labels, path = settings.labels, settings.path
    flags = values.shape[1] > 1
    if flags and not labels.multilabel:
        raise StudyError(f"{path}: its labels are {values.shape[1]} flags per image; set labels.multilabel: true")
    number = values.shape[1] if flags else int(values.max(initial=0)) + 1
    if values.size and int(values.min()) < 0:
        raise StudyError(f"{path}: a label is negative; labels are class numbers from 0")
    names = [str(i) for i in range(number)]
    if labels.classes is not None and not labels.merge:
        if number > len(labels.classes):
            raise StudyError(
                f"{path}: labels go up to {number - 1} but labels.classes names {len(labels.classes)}; "
                f"name all {number}, in order, or merge numbers with labels.merge"
            )
        names = labels.classes
    if not flags:
        return pd.Series(np.array(names, dtype=object)[values[:, 0].astype(np.int64)], dtype="str")
    patterns, inverse = np.unique(values.astype(bool), axis=0, return_inverse=True)
    joined = [labels.separator.join(name for name, on in zip(names, row, strict=False) if on) for row in patterns]
    return pd.Series(np.array(joined, dtype=object)[inverse.reshape(-1)], dtype="str")
