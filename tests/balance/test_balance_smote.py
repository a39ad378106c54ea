"""SMOTE: the parents are the true ones, the samples are imbalanced-learn's, the memory is that of one class."""

import json
import time
import tracemalloc

import numpy as np
import pytest
from balance_fold import Study
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE

from asclepius import store
from asclepius.balance.pairs import Interpolated
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.synthesis import make


def apart(study):
    """Its classes, brighter one after the other."""
    step = {np.dtype(np.int16): 100, np.dtype(np.uint8): 15}[study.pixels.dtype]
    number = np.unique(study.labels.astype(str), return_inverse=True)[1].reshape(-1, *[1] * (study.pixels.ndim - 1))
    study.pixels = (study.pixels // 3 + step * number).astype(study.pixels.dtype)
    for shard, path in enumerate(study.stores):
        store.write(path, study.pixels[shard::2], study.pixels.shape[1:], study.pixels.dtype)
    return study


KINDS = ("smote", "borderline_smote", "svm_smote", "adasyn", "smote_tomek", "smote_enn")


@pytest.mark.parametrize("method", KINDS)
@pytest.mark.parametrize(("shape", "dtype"), [((6, 5, 1), np.int16), ((3, 4, 5, 1), np.int16), ((6, 5, 3), np.uint8)])
def test_every_synthetic_image_is_one_of_its_parents_and_a_step_towards_or_from_the_other(
    tmp_path, method, shape, dtype
):
    labels = ["a"] * 100 + ["b"] * 30 + ["c"] * 20
    study = apart(Study(tmp_path, labels, ("a", "b", "c"), "multiclass", shape, dtype))
    table, out = study.balance(method=method)
    synthetic = np.load(out / "synthetic.npy").astype(float)
    made = table[table["source"] == "synthetic"]
    assert len(made) == len(synthetic) == json.loads((out / "recipe.json").read_text())["synthetic"]
    steps = []
    for row, label, parents in made[["row", "label", "parents"]].itertuples(index=False):
        numbers = [int(token, 16) for token in json.loads(parents)]
        assert set(numbers) <= set(study.training(label))
        a, b = study.pixels[numbers].astype(float)
        difference = (b - a).ravel()
        step = difference @ (synthetic[row] - a).ravel() / (difference @ difference)
        expected = np.clip(a + step * (b - a), np.iinfo(dtype).min, np.iinfo(dtype).max)
        if dtype is np.uint8 and step < 0:  # what is cut at the type's end has no step of its own
            continue
        assert np.abs(expected - synthetic[row]).max() <= 1  # rounded to the store's type
        steps.append(step)
    assert set(made["label"]) == {"b", "c"}
    assert (-0.51 if method == "svm_smote" else -0.01) <= min(steps)
    assert max(steps) <= 1.01
    assert np.ptp(steps) > (0.4 if method == "svm_smote" else 0.7)


def fold(seed=3, common=60, rare=24, width=12, apart=0.6):
    """Two classes that overlap, in an order of their own: samples, classes."""
    random = np.random.default_rng(seed)
    samples = random.normal(0, 1, (common + rare, width)).astype(np.float32)
    classes = random.permutation(np.arange(common + rare) >= common).astype(int)
    samples[classes == 1, :3] += apart
    return samples, classes


PEERS = {
    "smote": (SMOTE, {"k_neighbors": 4}),
    "borderline_smote": (BorderlineSMOTE, {"k_neighbors": 4, "m_neighbors": 9}),
    "svm_smote": (SVMSMOTE, {"k_neighbors": 4, "m_neighbors": 9}),
    "adasyn": (ADASYN, {"n_neighbors": 4}),
}


@pytest.mark.parametrize("method", PEERS)
@pytest.mark.parametrize("data", [{}, {"apart": 2.5}, {"seed": 5, "common": 200, "width": 40}])
def test_the_samples_are_those_of_imbalanced_learn(monkeypatch, method, data):
    monkeypatch.setattr("asclepius.balance.neighbours.SEARCHED", 29 * 4 * 12)  # neighbours are searched in many blocks
    samples, classes = fold(**data)
    settings = BalanceSettings(method=method, k_neighbors=4, m_neighbors=9)
    made = make(settings, samples, classes, ("a", "b"), [1], "here")
    sampler, options = PEERS[method]
    expected, _ = sampler(random_state=made.states[1], **options).fit_resample(samples, classes)
    found = Interpolated(samples, made.pairs[1])[:]
    np.testing.assert_array_equal(found, expected[len(samples) :])
    assert len(found) > 10


@pytest.mark.parametrize(("method", "peer"), [("smote_tomek", SMOTETomek), ("smote_enn", SMOTEENN)])
@pytest.mark.parametrize("data", [{"width": 4}, {"seed": 5, "common": 150, "width": 3, "apart": 0.0}])
def test_what_cleaning_leaves_is_what_imbalanced_learn_leaves(monkeypatch, method, peer, data):
    monkeypatch.setattr("asclepius.balance.neighbours.SEARCHED", 100 * 4 * 3)
    samples, classes = fold(**data)
    made = make(BalanceSettings(method=method, k_neighbors=4), samples, classes, ("a", "b"), [1], "here")
    smote = SMOTE(random_state=made.states[1], k_neighbors=4)
    expected, labels = peer(smote=smote).fit_resample(samples, classes)
    found = np.concatenate([samples[made.real], Interpolated(samples, made.pairs[1])[:]])
    raised = np.concatenate([classes[made.real], np.ones(len(made.pairs[1]), int)])

    def ordered(rows, of):  # the library goes class by class
        return np.concatenate([rows[of == number][np.lexsort(rows[of == number].T)] for number in (0, 1)])

    np.testing.assert_array_equal(ordered(found, raised), ordered(expected, labels))
    assert len(found) < 2 * (classes == 0).sum()
    assert made.dropped[1] == (classes == 0).sum() - (classes == 1).sum() - len(made.pairs[1]) >= 0


def test_svm_smote_reaches_beyond_its_images_and_stays_within_the_type(tmp_path):
    study = Study(tmp_path, ["a"] * 100 + ["b"] * 30, dtype=np.uint8)
    study.pixels = np.where(study.pixels > 128, 255, 0).astype(np.uint8)
    for shard, path in enumerate(study.stores):
        store.write(path, study.pixels[shard::2], (6, 5, 1), np.uint8)
    table, out = study.balance(method="svm_smote")
    synthetic = np.load(out / "synthetic.npy")
    beyond = 0
    for image, parents in zip(synthetic, table["parents"].dropna(), strict=True):
        a, b = study.pixels[[int(token, 16) for token in json.loads(parents)]].astype(float)
        same = a == b
        assert (image[same] == a[same]).all()
        assert (np.abs(image - a) <= np.abs(b - a)).all()
        beyond += bool(((image - a) * (b - a) < 0).any())
    assert (synthetic.min(), synthetic.max()) == (0, 255)  # nothing wrapped round


def test_neighbours_are_the_nearest_of_the_class():
    samples, classes = fold(rare=30)
    made = make(BalanceSettings(method="smote", k_neighbors=3), samples, classes, ("a", "b"), [1], "here")
    mine, pairs = np.flatnonzero(classes == 1), made.pairs[1]
    distance = np.linalg.norm(samples[mine][:, None] - samples[mine][None], axis=2)
    rank = np.argsort(np.argsort(distance, axis=1), axis=1)
    assert set(rank[np.searchsorted(mine, pairs.base), np.searchsorted(mine, pairs.neighbour)]) == {1, 2, 3}


def traced_peak(study, **settings) -> int:
    """Bytes of arrays at the most."""
    tracemalloc.start()
    study.balance(**settings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def many(folder, common, rare, side=64):
    """Images of three shades of light; the classes overlap."""
    study = Study(folder, ["b"] * rare + ["a"] * common, shape=(1, 1, 1), dtype=np.uint8)  # stored anew below
    random = np.random.default_rng(1)
    light = random.normal(0, 1, (common + rare, 3)) + 0.8 * (study.labels == "b")[:, None]
    shades = random.normal(0, 1, (3, side * side))
    for shard, path in enumerate(study.stores):
        images = ((128 + 12 * each @ shades).clip(0, 255).reshape(side, side, 1) for each in light[shard::2])
        store.write(path, images, (side, side, 1), np.uint8)
    study.pixels = None
    return study


def test_memory_stays_under_twice_the_small_class(tmp_path):
    many(tmp_path / "warm", 40, 20, 8).balance(method="smote")  # imports are not the data's memory
    study = many(tmp_path / "large", 2400, 1200)
    peak, allowed = traced_peak(study, method="smote"), 2 * 0.8 * 1200 * 64 * 64 * 4
    assert peak < allowed, f"{peak / 2**20:.0f} MiB, allowed {allowed / 2**20:.0f}"


@pytest.mark.parametrize("method", KINDS[1:5])  # the last two clean alike
def test_memory_of_those_that_search_the_large_class_stays_under_twice_the_fold(tmp_path, monkeypatch, method):
    monkeypatch.setattr("asclepius.balance.neighbours.SEARCHED", 4 * 2**20)  # as small beside this fold as 32 MB are
    many(tmp_path / "warm", 40, 20, 8).balance(method=method, k_neighbors=3)  # beside one of 15,000 images
    study = many(tmp_path / "large", 900, 150)
    peak, allowed = traced_peak(study, method=method), 2 * 0.8 * 1050 * 64 * 64 * 4
    assert peak < allowed, f"{peak / 2**20:.0f} MiB, allowed {allowed / 2**20:.0f}"


def test_real_chest_x_rays_are_balanced_quickly(tmp_path, real_data):
    arrays = np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz")
    labels = np.where(arrays["train_labels"].ravel() == 1, "b", "a")
    study = Study(tmp_path, labels, shape=(28, 28, 1), dtype=np.uint8)
    study.role[:] = "train"
    study.write_folds()
    for shard, path in enumerate(study.stores):
        store.write(path, arrays["train_images"][shard::2, ..., None], (28, 28, 1), np.uint8)
    start = time.process_time()
    table, out = study.balance(method="smote")
    seconds = time.process_time() - start  # of all cores, so that a busy machine fails no test
    assert table["label"].value_counts().to_dict() == {"a": 3494, "b": 3494}
    assert seconds < 2
    assert np.load(out / "synthetic.npy", mmap_mode="r").shape == (2280, 28, 28, 1)
