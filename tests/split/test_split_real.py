"""The real sets that leak if nobody looks."""

import hashlib

import numpy as np
import pandas as pd
from split_cohort import table

from asclepius.split.command import dropped_table, fold_table
from asclepius.split.folds import make_folds
from asclepius.split.groups import Cohort
from asclepius.split.settings import SplitSettings
from asclepius.task import Task


def split(images, classes, **values):
    cohort = Cohort.of(images, Task("binary", classes, classes[-1]))
    made = make_folds(cohort, SplitSettings.model_validate(values))
    return cohort, fold_table(cohort, made), dropped_table(cohort, made)


def test_pneumoniamnist_training_copies_of_validation_images_leave(real_data):
    arrays = np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz")
    pixels = np.concatenate([arrays[f"{part}_images"] for part in ("train", "val", "test")])
    labels = np.concatenate([arrays[f"{part}_labels"].ravel() for part in ("train", "val", "test")])
    official = ["train"] * 4708 + ["validation"] * 524 + ["test"] * 624
    digests = pd.factorize(np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]))[0]
    images = table(range(len(labels)), np.where(labels == 1, "p", "n"), digests, official=official)
    _, folds, dropped = split(images, ("n", "p"), method="official")
    roles = folds["role"].value_counts().to_dict()
    assert roles == {"train": 4708 - len(dropped), "validation": 524, "test": 624}
    shared = set(digests[:4708]) & set(digests[4708:])
    assert len(dropped) == np.isin(digests[:4708], list(shared)).sum() >= 8
    assert set(dropped["sentence"]) == {"the same pixels as a validation image"}


def test_covid_patients_who_share_images_stay_together(real_data):
    rows = pd.read_csv(real_data / "covid_chest_xray" / "metadata.csv", dtype=str)
    label = np.where(rows["finding"].str.contains("COVID"), "covid", "other")
    names, patients = pd.factorize(rows["filename"])[0], rows["patientid"]
    cohort, folds, _ = split(
        table(pd.factorize(patients)[0], label, names), ("other", "covid"), method="kfold", folds=4
    )
    assert cohort.groups == patients.nunique() - 2
    group = pd.Series(cohort.group, index=patients).groupby(level=0).first()
    assert group["285"] == group["339"]
    assert group["287"] == group["340"]
    tested = folds[folds["role"] == "test"]
    assert np.ptp(tested.groupby("fold")["group"].nunique()) <= 1
    assert np.ptp(tested["fold"].value_counts()) <= 12
