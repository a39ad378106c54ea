"""Each method on one training fold: what the table says, and what is refused."""

import json
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from balance_fold import Study
from hypothesis import given
from hypothesis import strategies as st

from asclepius import store
from asclepius.balance.sampling import over, under
from asclepius.balance.settings import KNOWN, BalanceSettings, Method
from asclepius.balance.weights import class_weights
from asclepius.errors import StudyError
from asclepius.provenance import digest

METHODS = [name for name in get_args(Method) if name not in ("smote_enn", "latent_smote", "gan")]
MAKING = [name for name in METHODS if BalanceSettings(method=name).interpolates]
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
        ("borderline_smote", 0.5, {"a": 64, "b": 32}),
        ("focal", 1.0, {"a": 64, "b": 16}),
        ("balanced_batches", 1.0, {"a": 64, "b": 16}),
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
    if method in ("class_weight", "random_over", "random_under", "smote") and ratio == 1.0:
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
    if "seed" in KNOWN[method]:
        other, _ = study.balance("other", method=method, seed=2)
        first, _ = study.balance("one", method=method)
        column = "parents" if method in MAKING else "image"
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
        fit = {"what": method, "roles": ["train"], "images": digest(tokens), "n": 80}
        assert found == {"fold": 0, "fits": [fit] if method in MAKING else []}


def test_several_classes_are_each_raised_or_lowered(tmp_path):
    labels = ["a"] * 50 + ["b"] * 25 + ["c"] * 10
    study = Study(tmp_path, labels, ("a", "b", "c"), "multiclass")
    for method, after in (("random_over", 40), ("smote", 40), ("borderline_smote", 40), ("random_under", 8)):
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


@pytest.mark.parametrize("method", ["random_under", *MAKING, "latent_smote"])
def test_methods_that_do_not_suit_several_labels_say_so(tmp_path, method):
    study = Study(tmp_path, ["a", "a|b", "", "b"] * 10, ("a", "b"), "multilabel")
    with pytest.raises(StudyError, match=r"several labels per image.*use class_weight, focal, .* or random_over"):
        study.balance(method=method)
    for other in ("class_weight", "random_over", "balanced_batches", "focal", "logit_adjustment"):
        study.balance(method=other)


@pytest.mark.parametrize("method", [*MAKING, "smote_enn"])
def test_a_class_too_small_to_have_neighbours_gets_the_number_to_write(tmp_path, method):
    study = Study(tmp_path, ["a"] * 30 + ["b"] * 5)
    with pytest.raises(StudyError, match=r"'b' has 4 training images.*balance\.k_neighbors: 3.*random_over"):
        study.balance(method=method)
    if method in ("smote", "adasyn"):
        table, _ = study.balance(method=method, k_neighbors=3)
        assert (table["label"] == "b").sum() == pytest.approx(24, abs=3)


def clusters(tmp_path, labels, centres, spread=3):
    """Images that lie about the centre of their group."""
    study = Study(tmp_path, labels)
    noise = np.random.default_rng(2).integers(-spread, spread + 1, study.pixels.shape)
    study.pixels = (np.array(centres)[:, None, None, None] + noise).astype(np.int16)
    for shard, path in enumerate(study.stores):
        store.write(path, study.pixels[shard::2], study.pixels.shape[1:], np.int16)
    return study


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("borderline_smote", "'b': no image of it lies at the border to other classes; use smote"),
        ("adasyn", "'b': no image of it has a neighbour of another class; use smote"),
    ],
)
def test_classes_far_apart_have_no_border(tmp_path, method, sentence):
    study = clusters(tmp_path, LABELS, [0] * 80 + [500] * 20)
    with pytest.raises(StudyError, match=sentence):
        study.balance(method=method)
    assert (study.balance(method="svm_smote")[0]["label"] == "b").sum() > 16


def test_a_class_lost_among_another_is_told_so(tmp_path):
    centres = [100 * (i % 15) for i in range(100)] + [100 * i for i in range(15)]  # one of b among each group of a
    study = clusters(tmp_path, ["a"] * 100 + ["b"] * 15, centres)
    with pytest.raises(StudyError, match="'b': each of its support vectors lies among other classes"):
        study.balance(method="svm_smote", m_neighbors=5)


def test_a_shortage_of_neighbours_in_the_fold_is_told_as_well(tmp_path):
    study = Study(tmp_path, ["a"] * 8 + ["b"] * 7)
    with pytest.raises(StudyError, match=r"12 training images, 20 neighbours need 21.*m_neighbors: 11"):
        study.balance(method="borderline_smote", m_neighbors=20, k_neighbors=3)


def test_cleaning_leaves_real_images_out_and_says_how_many(study):
    table, out = study.balance(method="smote_enn", k_neighbors=3)
    recipe = json.loads((out / "recipe.json").read_text())
    real = table[table["source"] == "real"]["label"].value_counts()
    assert recipe["removed"]["real"] == {name: recipe["before"][name] - int(real.get(name, 0)) for name in "ab"}
    made = (table["source"] == "synthetic").sum()
    assert recipe["removed"]["synthetic"] == {"b": 48 - made}
    assert sum(recipe["removed"]["real"].values()) > 10


def test_edited_neighbours_that_leave_nothing_of_a_class_stop_the_study(tmp_path):
    study = clusters(tmp_path, ["a", "b"] * 30, [200 * (i // 2) for i in range(60)])  # twins of both classes
    with pytest.raises(StudyError, match=r"every example of class .* none would be left; use balance.method: smote"):
        study.balance(method="smote_enn", ratio=0.1)


@pytest.mark.parametrize("method", ["smote", "latent_smote"])
def test_in_an_embedding_the_train_stage_makes_the_examples(study, method):
    table, out = study.balance(method=method, space="embedding")
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["space"] == "embedding"
    assert (table["source"] == "real").all()
    assert len(table) == 80
    assert json.loads((out / "fits.json").read_text())["fits"] == []


def test_a_recipe_says_how_to_train(study):
    asked = {
        "focal": ({"name": "focal", "gamma": 1.5}, "shuffle"),
        "logit_adjustment": ({"name": "logit_adjusted", "tau": 2.0}, "shuffle"),
        "balanced_batches": ({"name": "crossentropy"}, "balanced"),
        "smote": ({"name": "crossentropy"}, "shuffle"),
    }
    for method, (loss, sampler) in asked.items():
        _, out = study.balance(method=method, gamma=1.5, tau=2.0)
        recipe = json.loads((out / "recipe.json").read_text())
        assert (recipe["loss"], recipe["sampler"], recipe["space"]) == (loss, sampler, "image")


@pytest.mark.parametrize("method", get_args(Method))
def test_options_a_method_does_not_know_change_nothing(method):
    plain = BalanceSettings(method=method)
    for name, value in {"ratio": 0.5, "k_neighbors": 3, "m_neighbors": 7, "gamma": 1.0, "tau": 2.0, "seed": 4}.items():
        other = plain.model_copy(update={name: value})
        assert (other.recipe([], True) == plain.recipe([], True)) == (name not in KNOWN[method])


@pytest.mark.parametrize("method", get_args(Method))
def test_a_logistic_model_refuses_what_needs_a_network(method):
    refusal = BalanceSettings(method=method).refusal("logistic")
    assert bool(refusal) == (method in ("focal", "latent_smote"))
    assert BalanceSettings(method=method).refusal("convnet") is None
    assert bool(BalanceSettings(method=method, space="embedding").refusal("logistic")) == (
        method in ("focal", *MAKING, "smote_enn", "latent_smote")
    )


def test_a_fold_that_is_not_there_is_named(study):
    with pytest.raises(StudyError, match=r"no training images in fold 3; its folds are \[0\]"):
        study.balance(fold=3)


def test_methods_other_than_smote_do_not_wait_for_scikit_learn():
    code = "import sys, asclepius.balance.command; sys.exit('sklearn' in sys.modules or 'imblearn' in sys.modules)"
    path = [p for p in sys.path if p.endswith("workflow")]
    environment = {"PYTHONPATH": path[0]} if path else None
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
