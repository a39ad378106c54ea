"""Numbers, names and paths as they are written."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius.report.evidence import Estimate
from asclepius.report.gallery import pair
from asclepius.report.wording import (
    count,
    full,
    interval,
    listed,
    number,
    percent,
    plural,
    signed,
    without_home,
    wrapped,
)


@given(st.floats(), st.integers(0, 4))
def test_a_number_never_reads_nan_or_minus_zero(value, digits):
    text = number(value, digits)
    assert "n" not in text
    assert text.strip("−0.") or not text.startswith("−")
    if math.isfinite(value) and abs(value) < 1e6:
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.51 * 10**-digits)


def test_signs_percentages_and_counts():
    assert signed(0.0124) == "+0.012"
    assert signed(-0.0001) == "0.000"
    assert percent(0.053).replace("\N{NO-BREAK SPACE}", " ") == "5.3 %"
    assert percent(0.5).replace("\N{NO-BREAK SPACE}", " ") == "50 %"
    assert count(12345) == "12 345"
    assert count(2.5) == "2.5"
    assert [plural(n, "study") for n in (1, 2)] == ["1 study", "2 studies"]
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_an_unknown_interval_is_left_out():
    assert full(Estimate(0.5, math.nan, math.nan)) == "0.500"
    assert interval(Estimate(0.5, 0.4, math.nan)) == ""
    assert full(Estimate(0.5, 0.4, 0.6)) == "0.500 [0.400, 0.600]"


@given(st.text(alphabet="abc_- ", min_size=1, max_size=80), st.integers(5, 30))
def test_wrapping_keeps_every_letter(name, width):
    lines = wrapped(name, width)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": {"path": "/home/someone/data"}}, {"a": {"path": "…/data"}}),
        (["~/keys/x.key"], ["…/x.key"]),
        ("C:\\Users\\someone\\scans", "…/scans"),
        ("data/scans", "data/scans"),
        (0.5, 0.5),
        (None, None),
    ],
)
def test_absolute_paths_lose_their_folders(value, shown):
    assert without_home(value) == shown


@pytest.mark.parametrize("shape", [(28, 28), (64, 48), (300, 200), (40, 40, 3)])
def test_a_pair_shows_any_image(shape):
    random = np.random.default_rng(0)
    image = random.normal(-500, 300, shape)
    image[0, 0] = np.nan
    mask = np.zeros(shape[:2], bool)
    mask[10:20, 10:20] = True
    pixels = pair(image, random.random(shape[:2]), mask)
    assert pixels.dtype == np.uint8
    assert max(pixels.shape[0], (pixels.shape[1] - 4) // 2) == 176
    assert (pixels == (0, 255, 255)).all(axis=-1).any(), "the mask's outline is drawn"


def test_a_constant_image_is_no_error():
    assert pair(np.zeros((8, 8)), np.zeros((8, 8)), None).shape == (176, 356, 3)
