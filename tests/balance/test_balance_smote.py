"""SMOTE: the parents are the true ones, the samples are imbalanced-learn's, the memory is that of one class."""

import json
import time
import tracemalloc

import numpy as np
import pytest
from balance_fold import Study
from imblearn.over_sampling import SMOTE

from asclepius import store
from asclepius.balance.smote import TracedSMOTE, interpolate


@pytest.mark.parametrize(("shape", "dtype"), [((6, 5, 1), np.int16), ((3, 4, 5, 1), np.uint8), ((6, 5, 3), np.uint8)])
def test_every_synthetic_image_lies_between_its_parents(tmp_path, shape, dtype):
    study = Study(tmp_path, ["a"] * 100 + ["b"] * 30, shape=shape, dtype=dtype)
    table, out = study.balance(method="smote")
    synthetic = np.load(out / "synthetic.npy").astype(float)
    made = table[table["source"] == "synthetic"]
    assert len(made) == len(synthetic) == 56
    steps = []
    for row, parents in zip(made["row"], made["parents"], strict=True):
        numbers = [int(token, 16) for token in json.loads(parents)]
        assert set(numbers) <= set(study.training("b"))
        a, b = study.pixels[numbers].astype(float)
        difference = (b - a).ravel()
        step = difference @ (synthetic[row] - a).ravel() / (difference @ difference)
        assert -0.01 <= step <= 1.01
        assert np.abs(a + step * (b - a) - synthetic[row]).max() <= 1  # rounded to the store's type
        steps.append(step)
    assert np.ptp(steps) > 0.7


def test_the_samples_are_those_of_imbalanced_learn():
    random = np.random.default_rng(3)
    rare, common = (random.normal(0, 1, (n, 12)).astype(np.float32) for n in (20, 50))
    made, _ = SMOTE(random_state=7, k_neighbors=4).fit_resample(
        np.concatenate([common, rare]), np.array([0] * 50 + [1] * 20)
    )
    pairs = TracedSMOTE(random_state=7, k_neighbors=4).draw(rare, 30)
    np.testing.assert_array_equal(np.stack(list(interpolate(rare, pairs, np.dtype(np.float32)))), made[70:])


def test_neighbours_are_the_nearest_of_the_class():
    random = np.random.default_rng(3)
    samples = random.normal(0, 1, (30, 8)).astype(np.float32)
    pairs = TracedSMOTE(random_state=1, k_neighbors=3).draw(samples, 200)
    distance = np.linalg.norm(samples[:, None] - samples[None], axis=2)
    rank = np.argsort(np.argsort(distance, axis=1), axis=1)
    assert set(rank[pairs.base, pairs.neighbour]) == {1, 2, 3}


def test_memory_stays_under_twice_the_small_class(tmp_path):
    study = Study(tmp_path, ["a"] * 12 + ["b"] * 10)
    n, side = 1200, 64
    labels = np.array(["b"] * n + ["a"] * 2 * n, dtype=object)
    study = Study(tmp_path / "warm", ["a"] * 40 + ["b"] * 20)
    study.balance(method="smote")  # imports are not the data's memory
    study = Study(tmp_path / "large", labels, shape=(side, side, 1), dtype=np.uint8)
    study.pixels = None
    tracemalloc.start()
    study.balance(method="smote")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    small = 0.8 * n * side * side * 4
    assert peak < 2 * small, f"{peak / 2**20:.0f} MiB, the class as float32 is {small / 2**20:.0f}"


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
