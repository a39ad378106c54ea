"""Measures of single images: each answers to its fault and to nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_planted import lettered
from scipy.ndimage import gaussian_filter

from asclepius.quality.measures import NOT_SOUGHT, measure, noise, sharpness, without_padding
from asclepius.quality.outliers import Peers, deviation
from asclepius.quality.views import SIDE, miniature, picture, picture_shape


def smooth(shape, seed=0, width=3.0):
    random = np.random.default_rng(seed)
    values = gaussian_filter(random.normal(size=shape), width)
    return (values / values.std() * 50 + 200).astype(np.float32)


def measured(values):
    low, high = np.percentile(values, (1, 99))
    return measure(values.astype(np.float32), low, high, text=False)


@settings(max_examples=25, deadline=None)
@given(st.floats(2, 30), st.integers(0, 99))
def test_noise_is_told_whatever_the_anatomy(sigma, seed):
    image = smooth((96, 96), seed) + np.random.default_rng(seed).normal(size=(96, 96)) * sigma
    assert noise(image) == pytest.approx(sigma, rel=0.1, abs=0.3)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(-1000, 1000), st.integers(0, 99))
def test_sharpness_falls_with_blur_and_not_with_contrast(gain, offset, seed):
    image = smooth((64, 64), seed, width=1.5)
    assert sharpness(image * gain + offset) == pytest.approx(sharpness(image), rel=0.05)
    assert sharpness(gaussian_filter(image, 1.5)) < 0.8 * sharpness(image)


def test_padding_changes_no_measure():
    image = smooth((40, 40)) + np.random.default_rng(1).normal(size=(40, 40)) * 5
    padded = np.pad(image, ((8, 12), (0, 9)), constant_values=image.min())
    assert without_padding(padded).shape == (40, 40)
    low, high = np.percentile(image, (1, 99))
    assert measure(padded, low, high, text=False) == measure(image, low, high, text=False)


def test_a_blank_image_has_no_noise_rather_than_a_warning():
    found = measured(np.full((30, 30), 7.0))
    assert np.isnan(found.noise)
    assert np.isnan(found.sharpness)
    assert found.at_minimum == 1.0


def test_a_volume_is_judged_by_its_inner_slices():
    volume = smooth((20, 48, 48)) + np.random.default_rng(0).normal(size=(20, 48, 48)) * 10
    volume[:2] = volume[-2:] = volume.min()  # empty at both ends
    found = measured(volume)
    low, high = np.percentile(volume, (1, 99))
    assert found.noise * (high - low) == pytest.approx(10, rel=0.15)
    assert found.text == NOT_SOUGHT


def test_text_is_sought_where_letters_can_be_drawn():
    image = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 9) * 900 + 90
    image = image.clip(0, 200).astype(np.uint8)
    written = lettered(image, np.random.default_rng(0)).astype(np.float32)
    assert measure(image.astype(np.float32), 0, 200, text=True).text == 0
    assert measure(written, 0, 200, text=True).text > 0
    assert measure(written[:128, :128], 0, 200, text=True).text == NOT_SOUGHT


def test_views_keep_what_is_up():
    volume = np.zeros((16, 24, 32), dtype=np.float32)
    volume[12:] = 1  # upper end of the body
    small = miniature(volume, 0, 1)
    assert small.shape == (3, SIDE, SIDE)
    assert small[1, -1].mean() > small[1, 0].mean()  # in the order of z
    shown = picture(volume, 0, 1)
    assert shown.shape == picture_shape(volume.shape)
    assert shown[0, -1] > shown[-1, -1]  # head up
    assert picture_shape((28, 28)) == (28, 28)
    assert picture_shape((512, 256)) == (96, 48)


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256), dtype=np.float32)
    stripes[::2] = 1
    assert np.ptp(miniature(stripes, 0, 1)[0, 2:-2].astype(int)) <= 8


def test_where_a_site_has_few_images_all_of_the_modality_are_peers():
    kind = pd.Series(["CT"] * 8 + ["MR"] * 2)
    site = pd.Series(["A"] * 5 + ["B"] * 3 + [None] * 2)
    values = pd.Series([1.0, 1, 1, 1, 1, 9, 9, 9, 5, 5])
    peers = Peers.of(kind, site, few=4)
    assert peers.known.tolist() == [True] * 8 + [False] * 2
    assert peers.typical(values)[:5].tolist() == [1.0] * 5
    assert peers.typical(values)[5:8].tolist() == [1.0] * 3  # of all eight, not of the three
    assert peers.typical(values)[8:].isna().all()
    assert [len(members) for members in peers.groups()] == [8, 5]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40), st.floats(0.1, 10), st.floats(-100, 100))
def test_deviation_does_not_depend_on_units(values, gain, offset):
    values = pd.Series(np.round(values, 3))
    group = pd.Series("all", index=values.index)
    one, other = deviation(values, group), deviation(values * 4, group)
    assert np.allclose(one, other, equal_nan=True)
    assert (one[values == values.median()] == 0).all()


def test_one_side_s_tail_does_not_hide_the_other():
    values = pd.Series([*np.linspace(0.9, 1.0, 50), *np.linspace(1.0, 9.0, 50), 0.2])
    assert deviation(values, pd.Series("a", index=values.index)).iloc[-1] < -3.5
