"""An epoch of the train stage, augmentation on, beside plain `model.fit` of the same network on arrays in memory."""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

EPOCHS = 5  # measured, after one that is not
LIMIT = 1.15


@pytest.mark.bench
@pytest.mark.parametrize(
    ("name", "shape", "n", "batch_size"), [("28 px", (28, 28, 1), 4708, 64), ("28^3", (28, 28, 28, 1), 1188, 32)]
)
def test_an_epoch_costs_no_more_than_plain_fit(tmp_path, capsys, name, shape, n, batch_size):
    keras = pytest.importorskip("keras")
    from train_study import BINARY, make

    from asclepius import tables
    from asclepius.augment.settings import AugmentSettings
    from asclepius.models.registry import build
    from asclepius.models.settings import ModelSettings
    from asclepius.quality.schema import IMAGES
    from asclepius.split.schema import FOLDS
    from asclepius.store import Store
    from asclepius.train import device
    from asclepius.train.examples import Pixels, load_fold
    from asclepius.train.network import prepared
    from asclepius.train.outcome import Run
    from asclepius.train.preprocess import Preprocess
    from asclepius.train.settings import TrainSettings

    settings = TrainSettings(batch_size=batch_size, keep="last")
    device.start(settings)
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    arrays = random.integers(0, 255, (n, *shape)).astype(np.uint8)
    labels = ["yes" if i % 3 else "no" for i in range(n)]
    study = make(tmp_path, arrays, labels, [["train"] * n], shards=8)
    images = tables.read(tmp_path / "images.parquet", IMAGES)
    pixels = Pixels(Store(study.stores[0].parent), images)
    fold = load_fold(images, tables.read(tmp_path / "folds.parquet", FOLDS), pixels, study.tables[0], BINARY)
    preprocess = Preprocess.fit(settings, fold.real.chunks, fold.real.table, shape, BINARY)
    light = AugmentSettings(flip=["x"], rotate=[-10, 10], shift=[-0.1, 0.1])
    ours = prepared(Run("bench", 0, 1), build(ModelSettings(), shape, BINARY, 1), light, settings, fold, preprocess)

    plain = build(ModelSettings(), shape, BINARY, 1)
    plain.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", jit_compile=False)
    x, y, weight = preprocess.apply(arrays), fold.training.targets, fold.training.weights

    seconds = {"plain": [], "ours": []}
    for epoch in range(1, EPOCHS + 2):
        begin = time.perf_counter()
        plain.fit(x, y, sample_weight=weight, batch_size=batch_size, epochs=1, verbose=0)
        middle = time.perf_counter()
        ours.fit_epoch(epoch)
        seconds["plain"].append(middle - begin)
        seconds["ours"].append(time.perf_counter() - middle)
    said, least = [], {}
    for who, found in seconds.items():
        least[who] = min(found[1:])  # what other work on the machine disturbed least
        said.append(f"{who} median {statistics.median(found[1:]):.2f} s, {least[who]:.2f} to {max(found[1:]):.2f}")
    ratio = least["ours"] / least["plain"]
    with capsys.disabled():
        print(f"\n{name}, {n} images: {'; '.join(said)}; ratio of the shortest {ratio:.2f}")
    assert ratio <= LIMIT
