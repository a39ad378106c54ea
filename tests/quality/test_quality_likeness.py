"""Orientation and body part from what the images show."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from quality_planted import FAULTS, described
from scipy.ndimage import gaussian_filter

from asclepius.quality.flags import flags
from asclepius.quality.likeness import better_turned, strangeness, turned
from asclepius.quality.settings import QualitySettings
from asclepius.quality.views import miniature


def kind(number, seed, side=48):
    """Images of one body part: a layout without symmetry, and structures of their own."""
    random = np.random.default_rng(seed)
    layout = gaussian_filter(random.normal(size=(side, side)), 6)
    own = gaussian_filter(random.normal(size=(number, side, side)), (0, 2, 2))
    texture = random.normal(size=(number, side, side))
    return (120 + 40 * layout / layout.std() + 12 * own / own.std() + 2 * texture).clip(0, 255).astype(np.uint8)


def test_every_orientation_of_a_volume_is_tried():
    volume = np.random.default_rng(0).normal(size=(33, 33, 33)).astype(np.float32)
    low, high = volume.min(), volume.max()
    tried = list(turned(miniature(volume, low, high).astype(int)))
    assert len(tried) == 48
    assert (tried[0] == miniature(volume, low, high)).all()
    for axes, steps in product([(0, 2, 1), (2, 0, 1), (1, 0, 2)], product((1, -1), repeat=3)):
        moved = volume.transpose(axes)[tuple(slice(None, None, step) for step in steps)]
        seen = miniature(np.ascontiguousarray(moved), low, high).astype(int)
        assert min(np.abs(seen - each).max() for each in tried) <= 1


def test_turned_images_are_told_and_others_are_not():
    images = kind(60, seed=1)
    wrong = [np.rot90(images[0]), images[1][::-1], images[2][:, ::-1], kind(1, seed=9)[0]]
    _, small = described(np.stack([*images[4:], *wrong])[..., None], text=False)
    gain = better_turned(small)
    assert (gain[:56] < 0.1).all()
    assert (gain[56:59] > 0.3).all()
    assert gain[59] < 0  # another body part is not a turned one


def test_another_body_part_is_far_from_its_neighbours():
    images = np.concatenate([kind(60, seed=1), kind(60, seed=2), kind(4, seed=3)])  # two usual views
    _, small = described(images[..., None], text=False)
    distance = strangeness(small)
    assert distance[120:].min() > distance[:120].max()


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "burned_in_text"])
def test_each_planted_fault_raises_its_flag(name):
    random = np.random.default_rng(2)
    images = kind(60, seed=4)
    planted = np.stack([*images[:56], *(FAULTS[name](image, random) for image in images[56:])])
    table, small = described(planted[..., None], text=False)
    found = flags(table, small, QualitySettings())
    assert found[name].tolist() == [False] * 56 + [True] * 4
    assert found.loc[:55].drop(columns="judged").to_numpy().sum() <= 1


def test_spacing_is_judged_among_images_of_as_many_axes():
    images = kind(60, seed=4)
    table, small = described(images[..., None], text=False)
    table["original_spacing"] = ["[0.5, 0.5]"] * 28 + ["[5.0, 0.5, 0.5]"] * 30 + ["[0.5, 0.5, 20.0]", None]
    found = flags(table, small, QualitySettings())
    assert found.index[found["foreign_spacing"]].tolist() == [58]


def test_a_rare_body_part_of_the_header_is_flagged():
    images = kind(60, seed=4)
    table, small = described(images[..., None], text=False)
    table["x_part"] = pd.Series(["CHEST"] * 40 + ["HAND"] * 2 + [None] * 18, dtype=object)
    found = flags(table, small, QualitySettings(body_part="x_part"))
    assert found.index[found["wrong_body_part"]].tolist() == [40, 41]
    assert not flags(table, small, QualitySettings())["wrong_body_part"].any()
