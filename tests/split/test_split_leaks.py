"""No patient and no picture on two sides of a split, whatever the data and the method."""

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from split_cohort import table

from asclepius.errors import StudyError
from asclepius.split.command import dropped_table, fold_table
from asclepius.split.folds import make_folds
from asclepius.split.groups import Cohort, group_numbers
from asclepius.split.settings import SplitSettings
from asclepius.task import Task

TASK = Task("binary", ("a", "b"), "b")
SIDE = {"train": 0, "unlabelled": 0, "validation": 1, "test": 2, "external": 2}


@st.composite
def cohorts(draw):
    """Patients with several images, copies, near-duplicates, sites, years, an official and an external part."""
    n = draw(st.integers(30, 90))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    patients = random.integers(0, max(12, n // draw(st.integers(1, 3))), n)
    content = np.arange(n)
    copies = random.random(n) < draw(st.sampled_from([0, 0.1]))
    content[copies] = random.integers(0, n, copies.sum())
    label = random.choice(np.array(["a", "b", None], dtype=object), n, p=[0.5, 0.45, 0.05])
    official = random.choice(["train", "train", "validation", "test", "external"], n)
    if draw(st.booleans()):
        official[official == "validation"] = "train"
    alike = np.where(
        random.random(n) < draw(st.sampled_from([0, 0.1])), random.integers(0, n // 8, n).astype(str), None
    )
    return table(patients, label, content, official=official, site=random.choice(["S-1", "S-2"], n),
                 x_year=random.integers(2000, 2008, n), duplicates=alike)  # fmt: skip


METHODS = st.sampled_from(
    [
        dict(method="official"),
        dict(method="holdout", test=0.3),
        dict(method="kfold", folds=3),
        dict(method="leave_one_site_out", folds=2),
        dict(method="temporal", order="x_year", test=0.3),
    ]
)


def split(images, **values):
    cohort = Cohort.of(images, TASK)
    made = make_folds(cohort, SplitSettings.model_validate(values))
    return fold_table(cohort, made), dropped_table(cohort, made)


@settings(max_examples=150, deadline=None)
@given(cohorts(), METHODS)
def test_patients_and_pictures_never_cross_folds(images, values):
    try:
        folds, dropped = split(images, **values)
    except StudyError:
        assume(False)
    found = folds.merge(images[["image", "content", "duplicates", "label", "official"]], on="image")
    found["side"] = found["role"].map(SIDE)
    for name in ("patient", "group", "content", "duplicates"):
        assert (found.groupby([name, "fold"])["side"].nunique() == 1).all(), name
    # Every image has, in each fold, either a role or a reason for having none.
    count = SplitSettings.model_validate(values).count
    places = pd.concat([folds[["image", "fold"]], dropped[["image", "fold"]]])
    assert len(places) == len(images) * count
    assert not places.duplicated().any()
    assert set(folds["fold"]) == set(range(count))
    # Labels decide who may learn and be tested; the external source is tested in each fold.
    assert (found["role"].eq("unlabelled") == found["label"].isna()).all()
    assert (found["role"].eq("external") == found["official"].eq("external")).all()
    tested = found[found["role"] == "test"]["image"].value_counts()
    usable = images[images["label"].notna() & (images["official"] != "external")]
    if values["method"] in ("kfold", "leave_one_site_out"):
        assert (tested.reindex(usable["image"], fill_value=0) == 1).all()
    if values["method"] == "official":
        assert set(tested.index) == set(usable[usable["official"] == "test"]["image"])
    for fold in range(count):
        for role in ("train", "validation"):
            assert set(found[(found["fold"] == fold) & (found["role"] == role)]["label"]) == {"a", "b"}


@settings(max_examples=60, deadline=None)
@given(cohorts(), METHODS, st.integers(0, 2**31))
def test_other_pseudonyms_give_the_same_folds(images, values, seed):
    def roles(images):
        try:
            folds, _ = split(images, **values)
        except StudyError:
            return None
        return folds.merge(images[["image", "position"]], on="image")[["position", "fold", "role"]].values.tolist()

    random = np.random.default_rng(seed)
    other = images.copy()
    for name in ("patient", "image", "site"):
        known = images[name].unique()
        other[name] = images[name].map(dict(zip(known, random.permutation(known), strict=True)))
    other = other.sample(frac=1, random_state=int(seed))
    assert roles(images) == roles(other)


SHARED = st.one_of(st.none(), st.integers(0, 5))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15), SHARED), min_size=1, max_size=30))
def test_groups_are_the_chains_of_shared_images(rows):
    patients, contents, alike = zip(*rows, strict=True)
    found = group_numbers(pd.Series(patients), pd.Series(contents), pd.Series(alike, dtype=object))
    parent = list(range(len(rows)))
    for i in range(len(rows)):
        for j in range(i):
            same_look = alike[i] is not None and alike[i] == alike[j]
            if patients[i] == patients[j] or contents[i] == contents[j] or same_look:
                old, new = parent[i], parent[j]
                parent = [new if p == old else p for p in parent]
    expected = pd.factorize(np.array(parent))[0]
    assert found.tolist() == expected.tolist()


def test_training_near_copies_of_official_test_images_give_way_and_are_counted():
    rows = 24
    official = ["train"] * 16 + ["validation"] * 4 + ["test"] * 4
    alike, content, patients = [None] * rows, list(range(rows)), list(range(rows))
    alike[0] = alike[20] = "1"  # near-copy of a test image
    alike[1] = alike[16] = "2"  # of a validation image
    alike[2] = alike[3] = "3"  # within training: stays
    content[4] = content[21]  # an exact copy
    patients[5] = patients[0]  # the patient of the near-copy
    images = table(patients, ["a", "b"] * 12, content, official=official, duplicates=alike)
    folds, dropped = split(images, method="official")
    place = {image: number for number, image in enumerate(images["image"])}
    reasons = {place[image]: reason for image, reason in zip(dropped["image"], dropped["reason"], strict=True)}
    assert reasons == {0: "near-copy", 1: "near-copy", 4: "copy", 5: "patient"}
    sentences = dict(zip(dropped["image"].map(place), dropped["sentence"], strict=True))
    assert sentences[0] == "looks the same as a test image; the test set is never touched"
    assert sentences[1] == "looks the same as a validation image"
    assert (folds["role"] == "test").sum() == 4
    assert folds.set_index("image")["group"][images["image"][2]] == images["patient"][2]
    assert folds.set_index("image")["group"][images["image"][3]] == images["patient"][2]
