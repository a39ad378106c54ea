"""N4 takes out a field that was put in, and leaves what is no field."""

import numpy as np
import pytest
from resample_cases import item, series

from asclepius.resample.bias import corrected
from asclepius.resample.geometry import Grid


def head(shape=(20, 32, 32)):
    """Two tissues in a ball, on air; and a shading that varies threefold over it."""
    axes = np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    tissue = np.where(radius < 0.5, 300.0, 200.0) * (radius < 0.9)
    noise = np.random.default_rng(0).normal(0, 3, shape)
    return (tissue + noise).clip(0)[..., None], np.exp(0.45 * axes[2] + 0.3 * axes[1])[..., None], radius < 0.85


@pytest.mark.parametrize(("flat", "share"), [(False, 0.2), (True, 0.7)])
def test_a_planted_field_is_taken_out(flat, share):
    image, field, inside = head()
    if flat:
        image, field, inside = (part[10:11] for part in head((20, 64, 64)))
    found, note = corrected(image * field, Grid.of_pixels(image.shape[:3], flat=flat))
    assert note is None
    assert (found.shape, found.dtype) == (image.shape, np.float32)
    left = np.log(found[inside] / image[inside])
    assert left.std() < share * np.log(field)[inside].std()


def test_an_image_without_foreground_is_left_and_said():
    blank = np.full((8, 20, 20, 1), 7, np.int16)
    found, note = corrected(blank, Grid.of_pixels((8, 20, 20), flat=False))
    np.testing.assert_array_equal(found, blank)
    assert "no foreground" in note


def test_the_stage_corrects_where_asked(stage):
    image, field, inside = head()
    volume = (image * field)[..., 0].astype(np.int16)
    entry = item("a", "dicom", series(volume), modality="MR")
    spreads = {}
    for bias in ("none", "n4"):
        done = stage([entry], size=[20, 32, 32], bias_field=bias)
        stored = done.store[0, ..., 0]
        spreads[bias] = np.log(stored[inside].clip(1) / image[..., 0][inside]).std()
    assert spreads["n4"] < 0.3 * spreads["none"]
