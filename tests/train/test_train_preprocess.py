import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asclepius.errors import StudyError
from asclepius.task import Task
from asclepius.train.preprocess import Preprocess
from asclepius.train.settings import TrainSettings

TASK = Task("binary", ("no", "yes"), "yes")


def table_of(n, **columns):
    """Rows of quality/images, as far as preprocessing reads them."""
    given = {"image": [f"i{i}" for i in range(n)], "label": ["no", "yes"] * (n // 2) + ["no"] * (n % 2)}
    return pd.DataFrame(given | {"modality": None, "site": None, "scanner": None, "age": np.nan, "sex": None} | columns)


def fit(normalise, arrays, pieces=3, table=None, **options):
    return Preprocess.fit(
        TrainSettings(normalise=normalise, **options),
        lambda: iter(np.array_split(arrays, pieces)),
        table_of(len(arrays)) if table is None else table,
        arrays.shape[1:],
        TASK,
    )


@settings(max_examples=30, deadline=None)
@given(offset=st.floats(-1e4, 1e4), spread=st.floats(0.1, 1e3), pieces=st.integers(1, 5))
def test_standardised_channels_have_mean_0_and_deviation_1_however_they_are_streamed(offset, spread, pieces):
    arrays = (np.random.default_rng(3).normal(offset, spread, (12, 5, 5, 2)) * [1, 3]).astype(np.float32)
    found = fit("standardise", arrays, pieces).apply(arrays)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=0.02)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1, rtol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_scale_takes_the_1st_to_the_99th_percentile_to_0_and_1(dtype):
    random = np.random.default_rng(0)
    arrays = (random.gamma(2, 20, (40, 10, 10, 1)) - (100 if dtype in (np.int16, np.float32) else 0)).astype(dtype)
    found = fit("scale", arrays)
    low, high = np.percentile(arrays.astype(float), [1, 99], method="inverted_cdf")
    step = 1e-9 if np.issubdtype(dtype, np.integer) else (float(arrays.max()) - float(arrays.min())) / 65535
    linear = found.steps[0]
    assert linear.offset[0] == pytest.approx(low, abs=step)
    assert linear.offset[0] + linear.scale[0] == pytest.approx(high, abs=2 * step)
    values = found.apply(arrays)
    assert (values.min(), values.max()) == (0, 1)


def test_a_window_is_fitted_to_nothing():
    arrays = np.array([-2000, -1000, -300, 400, 3000], np.int16).reshape(5, 1, 1, 1)
    found = fit("window", arrays, window=(-1000, 400))
    np.testing.assert_allclose(found.apply(arrays).ravel(), [0, 0, 0.5, 1, 1])
    assert (found.images, found.n) == (None, 0)


def test_a_constant_channel_becomes_zero_not_nan():
    arrays = np.full((4, 3, 3, 1), 7, np.uint8)
    for normalise in ("standardise", "scale"):
        np.testing.assert_array_equal(fit(normalise, arrays).apply(arrays), 0)


def test_what_is_written_is_read_back(tmp_path):
    found = fit("scale", np.random.default_rng(0).integers(0, 9, (6, 4, 4, 3)).astype(np.uint8))
    found.write(tmp_path / "preprocess.json")
    assert Preprocess.read(tmp_path / "preprocess.json") == found


def test_images_of_another_shape_are_refused():
    found = fit("standardise", np.ones((4, 3, 3, 1), np.uint8))
    with pytest.raises(StudyError, match=r"shape \[3, 3, 1\], found \[4, 4, 1\]"):
        found.apply(np.ones((2, 4, 4, 1), np.uint8))


@pytest.mark.parametrize("given_window", [None, (400, -1000)])
def test_a_window_must_be_given_and_in_order(given_window):
    with pytest.raises(ValidationError, match="lower"):
        TrainSettings(normalise="window", window=given_window)
