"""Labels change hands, patients keep their images, and nothing else moves."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from canary_cohort import table
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asclepius.balance.settings import BalanceSettings
from asclepius.canary.settings import METHODS, CanarySettings
from asclepius.canary.shuffle import chosen, groups_of, moved, shuffled
from asclepius.errors import StudyError
from asclepius.task import Task

TASK = Task("binary", ("a", "b"), "b")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["a", "b", "a|c", ""])), min_size=2, max_size=30),
       st.integers(0, 99))  # fmt: skip
def test_whole_patients_get_a_whole_other_label(patients, number):
    sizes, labels = zip(*patients, strict=True)
    images = table(np.repeat(np.arange(len(sizes)), sizes), np.repeat(labels, sizes))
    found = shuffled(images, CanarySettings(), number)
    assert found.drop(columns="label").equals(images.drop(columns="label"))
    by_patient = found.groupby("patient")["label"]
    assert (by_patient.nunique() == 1).all()
    # As many patients of each label as before: several labels of an image move as one.
    assert Counter(by_patient.first()) == Counter(labels)
    assert shuffled(images, CanarySettings(), number).equals(found)


def test_each_shuffle_and_seed_is_another():
    images = table(range(60), ["a", "b"] * 30)
    found = {
        tuple(shuffled(images, CanarySettings(seed=seed), number)["label"]) for seed in (1, 2) for number in (0, 1)
    }
    assert len(found) == 4


def test_patients_who_share_an_image_get_one_label():
    content = [f"{i:064x}" for i in range(40)]
    content[3] = content[31]
    images = table(range(40), ["a", "b"] * 20, content=content)
    for number in range(20):
        labels = shuffled(images, CanarySettings(), number)["label"]
        assert labels[3] == labels[31]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999))
def test_labels_of_a_mixed_patient_are_dealt_as_often_as_they_come(seed):
    codes = np.array([0, 0, 1, 2, 2, 2, 2])  # patient 0 has 0, 0, 1; patient 1 has four 2
    group = np.array([0, 0, 0, 1, 1, 1, 1])
    out = moved(codes, group, np.array([1, 0]), np.random.default_rng(seed))
    assert (out[:3] == 2).all()
    assert Counter(out[3:]) in (Counter({0: 3, 1: 1}), Counter({0: 2, 1: 2}))


def test_the_order_of_a_mixed_patients_labels_is_lost():
    """Else the slice that shows a finding would tell its label by its place in the body."""
    codes, group = np.tile([0, 1, 0, 0, 0], 2), np.repeat([0, 1], 5)
    random = np.random.default_rng(0)
    places = Counter(int(np.argmax(moved(codes, group, np.array([1, 0]), random)[:5])) for _ in range(200))
    assert set(places) == set(range(5))


def test_few_patients_and_neighbours_of_each_take_part():
    patient = np.repeat(np.arange(100), 9)
    label = np.where(patient % 5 == 0, "b", "a").astype(object)
    label[patient == 7] = None
    official = np.where(patient == 8, "external", None)
    images = table(patient, label, official=official)
    found = chosen(images, TASK, CanarySettings(patients=40, images=4))
    by_patient = found.groupby("patient")
    assert by_patient.ngroups == 40
    assert all(sorted(of["position"] % 9) == [2, 3, 4, 5] for _, of in by_patient)
    assert (by_patient["label"].first() == "b").sum() in (8, 9)
    assert {f"P-{p:010x}" for p in (7, 8)}.isdisjoint(found["patient"])
    assert groups_of(found).max() == 39
    everyone = chosen(images, TASK, CanarySettings())
    assert everyone["patient"].nunique() == 98


def test_without_labels_there_is_nothing_to_shuffle():
    with pytest.raises(StudyError, match="no labelled image"):
        chosen(table(range(10), [None] * 10), TASK, CanarySettings())


def test_every_method_of_the_balance_room_joins_by_itself():
    assert CanarySettings().designs(multilabel=False)["fair"] == list(METHODS)
    assert {"none", "smote"} <= set(METHODS)
    assert "smote" not in CanarySettings().designs(multilabel=True)["fair"]
    assert CanarySettings(methods=["smote"]).designs(multilabel=False) == {"fair": ["smote"], "naive": ["none"]}
    made = CanarySettings(balance={"k_neighbors": 2}).balanced(BalanceSettings(ratio=0.5, method="none"), "smote")
    assert (made.method, made.k_neighbors, made.ratio) == ("smote", 2, 0.5)


def test_an_unknown_method_is_named():
    with pytest.raises(ValidationError, match="'smoot' is no balance method; known: none"):
        CanarySettings(methods=["smoot"])


def test_the_two_designs_differ_in_the_split_alone():
    fair, naive = (CanarySettings(seed=3).split(design, 1) for design in ("fair", "naive"))
    assert fair.model_dump() | {"method": "naive"} == naive.model_dump()
    assert fair.method == "kfold"
    assert pd.Series([CanarySettings().split("fair", s).seed for s in range(9)]).is_unique
