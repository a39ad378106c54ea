"""What is shown: size, scale, slice, overlap, and files that do not depend on the clock."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius.explain.display import hottest, overlap, resized, shade, write_npz


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_heat_takes_the_image_size_and_zero_to_one(y, x, tall, wide):
    heat = np.random.default_rng(0).random((y, x))
    large = resized(heat, (max(tall, y), max(wide, x)))
    assert large.shape == (max(tall, y), max(wide, x))
    assert large.min() >= 0
    assert large.max() == pytest.approx(1)


def test_heat_keeps_its_place():
    heat = np.zeros((4, 4, 4))
    heat[0, 3, 1] = 2.0
    large = resized(heat, (16, 32, 32))
    centre = [
        (large.sum(axis=tuple({0, 1, 2} - {a})) * np.arange(large.shape[a])).sum() / large.sum() for a in range(3)
    ]
    # Middle of the cell; at the border the cell's outer half does not fade.
    assert centre == pytest.approx([1.5, 27.5, 11.5], abs=2.5)
    assert (resized(np.zeros((2, 2)), (8, 8)) == 0).all()


def test_shade_runs_from_black_to_white_whatever_the_unit():
    ct = np.random.default_rng(1).normal(-500, 300, (20, 20, 1))
    grey = shade(ct)
    assert (grey.min(), grey.max()) == (0, 1)
    assert shade(ct * 7 + 3) == pytest.approx(grey, abs=1e-5)
    assert (shade(np.full((5, 5, 3), 9.0)) == 0).all()


def test_overlap_is_the_share_inside():
    heat, mask = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.uint8)
    heat[0, 0], heat[3, 3] = 3, 1
    assert np.isnan(overlap(heat, mask))
    mask[0, 0] = 1
    assert overlap(heat, mask) == pytest.approx(0.75)
    assert np.isnan(overlap(np.zeros_like(heat), mask))


def test_hottest_slice():
    heat = np.zeros((5, 3, 3))
    assert hottest(heat) == 2
    heat[4, 1, 1] = 0.1
    assert hottest(heat) == 4


def test_npz_bytes_do_not_depend_on_the_time(tmp_path, monkeypatch):
    arrays = {"image": np.random.default_rng(2).random((2, 5, 5)), "mask": np.zeros((2, 5, 5), np.uint8)}
    write_npz(tmp_path / "a.npz", arrays)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_npz(tmp_path / "b.npz", arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as found:
        assert (found["image"] == arrays["image"]).all()
