"""Each method on one training fold: what the table says, and what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from balance_fold import Study
from hypothesis import given
from hypothesis import strategies as st

from asclepius.balance.sampling import over, under
from asclepius.balance.weights import class_weights
from asclepius.errors import StudyError
from asclepius.provenance import digest

METHODS = ("none", "class_weight", "random_over", "random_under", "smote")
LABELS = ["a"] * 80 + ["b"] * 20  # 64 and 16 in training


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path, LABELS)


@pytest.mark.parametrize(
    ("method", "ratio", "after"),
    [
        ("none", 1.0, {"a": 64, "b": 16}),
        ("class_weight", 1.0, {"a": 64, "b": 16}),
        ("random_over", 1.0, {"a": 64, "b": 64}),
        ("random_over", 0.5, {"a": 64, "b": 32}),
        ("random_under", 1.0, {"a": 16, "b": 16}),
        ("random_under", 0.5, {"a": 32, "b": 16}),
        ("smote", 1.0, {"a": 64, "b": 64}),
        ("smote", 0.4, {"a": 64, "b": 26}),
    ],
)
def test_classes_have_the_sizes_asked_for(study, method, ratio, after):
    table, out = study.balance(method=method, ratio=ratio)
    assert table["label"].value_counts().to_dict() == after
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["before"] == {"a": 64, "b": 16}
    assert recipe["after"] == after
    assert recipe["prior"] == {"a": 0.8, "b": 0.2}
    assert recipe["settings"].get("ratio", ratio) == ratio
    if ratio == 1.0 and method != "none":
        assert recipe["prior_after"] == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("method", METHODS)
def test_only_training_images_enter_and_every_label_is_theirs(study, method):
    table, _ = study.balance(method=method)
    real = table[table["source"] == "real"]
    number = real["image"].map(lambda token: int(token, 16)).to_numpy()
    assert set(number) <= set(study.training())
    assert (study.labels[number] == real["label"]).all()
    assert table["example"].tolist() == list(range(len(table)))
    assert table["weight"].mean() == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes_and_another_fold_another_draw(study, method):
    names = ("table.parquet", "recipe.json", "synthetic.npy", "fits.json")
    (_, one), (_, two) = (study.balance(name, method=method) for name in ("one", "two"))
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
    if method in ("random_over", "random_under", "smote"):
        other, _ = study.balance("other", method=method, seed=2)
        first, _ = study.balance("one", method=method)
        column = "parents" if method == "smote" else "image"
        assert other[column].tolist() != first[column].tolist()


@pytest.mark.parametrize("method", METHODS)
def test_the_synthetic_store_always_fits_the_array_store(study, method):
    table, out = study.balance(method=method)
    synthetic = np.load(out / "synthetic.npy")
    assert synthetic.shape == ((table["source"] == "synthetic").sum(), 6, 5, 1)
    assert synthetic.dtype == study.pixels.dtype


def test_only_what_is_fitted_is_recorded_as_a_fit(study):
    for method in METHODS:
        _, out = study.balance(method=method)
        found = json.loads((out / "fits.json").read_text())
        tokens = study.images["image"][study.training()]
        smote = {"what": "smote", "roles": ["train"], "images": digest(tokens), "n": 80}
        assert found == {"fold": 0, "fits": [smote] if method == "smote" else []}


def test_several_classes_are_each_raised_or_lowered(tmp_path):
    labels = ["a"] * 50 + ["b"] * 25 + ["c"] * 10
    study = Study(tmp_path, labels, ("a", "b", "c"), "multiclass")
    for method, after in (("random_over", 40), ("smote", 40), ("random_under", 8)):
        table, _ = study.balance(method=method)
        assert table["label"].value_counts().to_dict() == {"a": after, "b": after, "c": after}


def test_weights_are_those_of_the_field():
    targets = np.eye(3, dtype=bool)[[0] * 60 + [1] * 30 + [2] * 10]
    expected = 100 / (3 * np.array([60, 30, 10]))
    assert class_weights(targets, 1.0)[[0, 60, 90]] == pytest.approx(expected)
    half = class_weights(targets, 0.5)
    share = [half[targets[:, c]].sum() for c in range(3)]
    assert np.array(share) / share[0] == pytest.approx([1, 0.5, 0.5])


def test_of_several_labels_rare_findings_gain_and_the_healthy_do_not_lose_their_share():
    targets = np.array([[0, 0]] * 60 + [[1, 0]] * 30 + [[1, 1]] * 6 + [[0, 1]] * 4, dtype=bool)
    weight = class_weights(targets, 1.0)
    assert weight.mean() == pytest.approx(1)
    assert weight[0] < weight[60] < weight[90] < weight[96]
    assert weight[:60].sum() == pytest.approx(100 / 3)  # a third, as of three classes


@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=5, max_size=60),
    st.floats(0.1, 1),
    st.integers(0, 99),
)
def test_over_sampling_several_labels_reaches_the_ratio_and_keeps_every_image(rows, ratio, seed):
    targets = np.array(rows, dtype=bool)
    targets[:3] |= np.eye(3, dtype=bool)
    found = over(targets, ratio, np.random.default_rng(seed))
    assert found[: len(targets)].tolist() == list(range(len(targets)))
    assert (targets[found].sum(axis=0) >= ratio * targets.sum(axis=0).max() - 1e-6).all()


@given(st.lists(st.integers(0, 2), min_size=3, max_size=80), st.floats(0.1, 1), st.integers(0, 99))
def test_under_sampling_reaches_the_ratio_without_repeats(labels, ratio, seed):
    targets = np.eye(3, dtype=bool)[[0, 1, 2, *labels]]
    found = under(targets, ratio, np.random.default_rng(seed))
    assert len(set(found)) == len(found)
    after = targets[found].sum(axis=0)
    assert after.min() == targets.sum(axis=0).min()
    assert after.min() >= ratio * after.max() - 1e-6


@pytest.mark.parametrize("method", ["random_under", "smote"])
def test_methods_that_do_not_suit_several_labels_say_so(tmp_path, method):
    study = Study(tmp_path, ["a", "a|b", "", "b"] * 10, ("a", "b"), "multilabel")
    with pytest.raises(StudyError, match=r"several labels per image.*use class_weight, random_over, "):
        study.balance(method=method)
    study.balance(method="random_over")


def test_a_class_too_small_for_smote_gets_the_number_to_write(tmp_path):
    study = Study(tmp_path, ["a"] * 30 + ["b"] * 5)
    with pytest.raises(StudyError, match=r"'b' has 4 training images.*balance\.k_neighbors: 3.*random_over"):
        study.balance(method="smote")
    table, _ = study.balance(method="smote", k_neighbors=3)
    assert (table["label"] == "b").sum() == 24


def test_a_fold_that_is_not_there_is_named(study):
    with pytest.raises(StudyError, match=r"no training images in fold 3; its folds are \[0\]"):
        study.balance(fold=3)


def test_methods_other_than_smote_do_not_wait_for_scikit_learn():
    code = "import sys, asclepius.balance.command; sys.exit('sklearn' in sys.modules or 'imblearn' in sys.modules)"
    path = [p for p in sys.path if p.endswith("workflow")]
    environment = {"PYTHONPATH": path[0]} if path else None
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
