"""Two intensity scales in one real set: which normalisation brings them together, fitted on half of it alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from asclepius.resample import nifti
from asclepius.resample.settings import ResampleSettings
from asclepius.resample.stored import to_stored
from asclepius.task import Task
from asclepius.train.preprocess import Preprocess
from asclepius.train.settings import TrainSettings

pytestmark = pytest.mark.study
GRID = ResampleSettings(size=[36, 48, 36], spacing=[1.0, 1.0, 1.0], dtype="float32")
TASK = Task("binary", ("no", "yes"), "yes")
LARGE = 1e5  # highest value of an image of the second scale
ARMS = {
    "standardise": {"normalise": "standardise"},
    "scale": {"normalise": "scale"},
    "zscore": {"normalise": "zscore"},
    "percentile": {"normalise": "percentile"},
    "nyul": {"normalise": "nyul"},
    "harmonise site, then standardise": {"normalise": "standardise", "harmonise": "site"},
    "harmonise site, then zscore": {"normalise": "zscore", "harmonise": "site"},
}


@pytest.fixture(scope="module")
def hippocampi(real_data):
    """Images (100, z, y, x, 1), masks of the hippocampus, and which scale each image has."""
    arrays, masks, scales = [], [], []
    for path in sorted((real_data / "hippocampus_msd" / "images").iterdir()):
        scan = nifti.read(path.read_bytes())
        mask = nifti.read((path.parents[1] / "labels" / path.name).read_bytes())
        stored = to_stored(scan, mask, [], GRID, 0.0)
        arrays.append(stored.array)
        masks.append(stored.mask[..., 0] > 0)
        scales.append("large" if scan.pixels.max() > LARGE else "small")
    return np.stack(arrays), np.stack(masks), np.array(scales)


def distances(images, masks, scales):
    """Kolmogorov-Smirnov distance of the two scales' values inside the hippocampus, and among halves of one scale."""
    inside = [image[mask] for image, mask in zip(images[..., 0], masks, strict=True)]
    small, large = ([inside[i] for i in np.flatnonzero(scales == name)] for name in ("small", "large"))
    between = ks_2samp(np.concatenate(small), np.concatenate(large)).statistic
    return between, ks_2samp(np.concatenate(small[::2]), np.concatenate(small[1::2])).statistic


def test_two_scales_of_the_hippocampus_set_become_one(hippocampi, capsys):
    images, masks, scales = hippocampi
    assert (len(images), (scales == "large").sum()) == (100, 15)
    # Every other image of each scale is test.
    test = np.zeros(100, bool)
    for name in ("small", "large"):
        test[np.flatnonzero(scales == name)[1::2]] = True
    table = pd.DataFrame({"image": np.arange(100).astype(str), "label": "no", "modality": "MR", "site": scales})
    table["label"] = ["no", "yes"] * 50
    table["scanner"] = None
    train = table[~test]
    found = {}
    for name, options in ARMS.items():
        preprocess = Preprocess.fit(
            TrainSettings(**options), lambda: iter(np.array_split(images[~test], 5)), train, images.shape[1:], TASK
        )
        mapped = preprocess.apply(images[test], table[test])
        found[name] = distances(mapped, masks[test], scales[test])
    with capsys.disabled():
        print("\nKolmogorov-Smirnov distance inside the hippocampus, test images: two scales, and halves of one")
        for name, (between, within) in found.items():
            print(f"{name:34s} {between:.3f} {within:.3f}")
    assert min(found[name][0] for name in ("standardise", "scale")) > 0.9
    for name in ("zscore", "nyul", "harmonise site, then standardise"):
        assert found[name][0] < 0.25, name
