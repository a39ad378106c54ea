"""What each normalisation adds to an epoch of training, beside the plainest one, in the same process.

In processor time of all threads, which other work on the machine disturbs less than the clock.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

EPOCHS = 3  # after the first, in which every image is measured
LIMIT = 1.2
METHODS = {
    "standardise": {},
    "zscore": {"normalise": "zscore"},
    "percentile": {"normalise": "percentile"},
    "nyul": {"normalise": "nyul"},
    "clahe": {"normalise": "clahe"},
    "harmonise": {"harmonise": "site"},
}


@pytest.mark.bench
@pytest.mark.parametrize(
    ("name", "shape", "n", "batch_size"),
    [("96 px", (96, 96, 1), 256, 32), ("32^3", (32, 32, 32, 1), 64, 16)],
)
def test_normalisation_is_not_what_an_epoch_waits_for(tmp_path, capsys, name, shape, n, batch_size):
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

    device.start(TrainSettings())
    keras.utils.set_random_seed(1)
    arrays = np.random.default_rng(0).gamma(2, 200, (n, *shape)).astype(np.int16)
    study = make(tmp_path, arrays, ["yes" if i % 3 else "no" for i in range(n)], [["train"] * n], shards=4)
    images = tables.read(tmp_path / "images.parquet", IMAGES).assign(site=["a", "b"] * (n // 2))
    pixels = Pixels(Store(study.stores[0].parent), images)
    fold = load_fold(images, tables.read(tmp_path / "folds.parquet", FOLDS), pixels, study.tables[0], BINARY)
    light = AugmentSettings(flip=["x"], rotate=[-10, 10], shift=[-0.1, 0.1])
    trainers, fitting = {}, {}
    for method, options in METHODS.items():
        settings = TrainSettings(batch_size=batch_size, keep="last", **options)
        begin = time.process_time()
        preprocess = Preprocess.fit(settings, fold.real.chunks, fold.real.table, shape, BINARY)
        fitting[method] = time.process_time() - begin
        network = build(ModelSettings(), shape, BINARY, 1)
        trainers[method] = prepared(Run("bench", 0, 1), network, light, settings, fold, preprocess)
    seconds = {method: [] for method in METHODS}
    for epoch in range(1, EPOCHS + 2):
        for method, trainer in trainers.items():
            begin = time.process_time()
            trainer.fit_epoch(epoch)
            seconds[method].append(time.process_time() - begin)
    least = {method: min(found[1:]) for method, found in seconds.items()}
    with capsys.disabled():
        print(f"\n{name}, {n} images: processor seconds to fit, of the first and of the shortest later epoch; ratio")
        for method, found in seconds.items():
            ratio = least[method] / least["standardise"]
            print(f"{method:12s} {fitting[method]:6.2f} {found[0]:6.2f} {least[method]:6.2f} {ratio:5.2f}")
    for method, found in least.items():
        assert found <= LIMIT * least["standardise"], method
