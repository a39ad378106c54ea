"""Masks and boxes go where their images go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.augment.settings import AugmentSettings

pytest.importorskip("keras")
from asclepius.augment.augmenter import Augmenter

MOVING = AugmentSettings(
    flip=["x", "y"], rotate=[-40, 40], shift=[-0.3, 0.3], zoom=[0.7, 1.3], crop=[0.6, 1.0], elastic=[0, 0.08],
    affine={"scale": [0.8, 1.2], "shear": [-15, 15]},
)  # fmt: skip
CUT = MOVING.model_copy(update={"cutout": AugmentSettings(cutout=[0.3, 0.6]).cutout})
SHAPES = [(12, 15, 1), (6, 8, 10, 1)]
BATCH = 3


@pytest.fixture(scope="module")
def augmenters():
    return {(shape, name): Augmenter(one, shape, BATCH) for shape in SHAPES for name, one in
            (("moving", MOVING), ("cut", CUT))}  # fmt: skip


def inside(box, shape):
    """A mask of a box [x0, y0, z0, x1, y1, z1]."""
    mask = np.zeros(shape, np.uint8)
    cut = tuple(slice(box[2 - axis], box[5 - axis]) for axis in range(3))
    mask[cut[-len(shape[:-1]) :]] = 1
    return mask


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(SHAPES), name=st.sampled_from(["moving", "cut"]), seed=st.integers(0, 10**6),
    index=st.integers(0, 10**6),
)  # fmt: skip
def test_boxes_are_those_of_the_warped_masks_and_those_that_vanish_are_told(augmenters, shape, name, seed, index):
    augmenter, random = augmenters[shape, name], np.random.default_rng(seed)
    augmenter.start(seed, 1)
    side = np.array([*shape[:-1][::-1], 1])[:3]
    lower = random.integers(0, side, (4, 3))
    upper = np.minimum(lower + random.integers(1, 5, (4, 3)), side)
    boxes = np.concatenate([lower, upper], axis=1)
    moved, kept = augmenter.boxes([boxes], np.array([index]))[0]
    assert len(moved) == len(kept)
    found = dict(zip(kept.tolist(), moved, strict=True))
    for number, box in enumerate(boxes):
        mask = augmenter.masks(inside(box, shape)[None], np.array([index]))[0]
        if number in found:
            where = np.argwhere(mask[..., 0])
            low, high = where.min(axis=0)[::-1], where.max(axis=0)[::-1] + 1
            d = len(low)
            np.testing.assert_array_equal(found[number][:d], low)
            np.testing.assert_array_equal(found[number][3 : 3 + d], high)
        else:
            assert not mask.any()


@settings(max_examples=20, deadline=None)
@given(shape=st.sampled_from(SHAPES), name=st.sampled_from(["moving", "cut"]), seed=st.integers(0, 10**6))
def test_masks_gain_no_value_and_keep_their_type(augmenters, shape, name, seed):
    augmenter, random = augmenters[shape, name], np.random.default_rng(seed)
    augmenter.start(seed, 2)
    masks = random.choice(np.array([0, 3, 200], np.uint8), (2, *shape))
    moved = augmenter.masks(masks, np.array([4, 0]))
    assert moved.dtype == np.uint8
    assert moved.shape == masks.shape
    assert set(np.unique(moved)) <= {0, 3, 200}


def test_a_mask_lies_where_its_image_does(augmenters):
    augmenter = augmenters[SHAPES[0], "moving"]
    squares = np.zeros((2, *SHAPES[0]), np.float32)
    squares[:, 3:9, 4:11] = 1
    indices, nothing = np.array([4, 9]), (np.zeros((2, 1), np.float32), np.ones(2, np.float32))
    for seed in range(6):
        augmenter.start(seed, 1)
        moved = np.array(augmenter(squares, *nothing, indices, 0)[0])
        masks = augmenter.masks(squares.astype(np.uint8), indices)
        # Of two values, linear interpolation is above a half where the nearest pixel is the upper one, but for corners.
        assert (masks.astype(bool) == (moved > 0.5)).mean() > 0.97


def test_a_cut_box_is_cut_out_of_the_mask_too():
    augmenter = Augmenter(AugmentSettings(cutout=0.4), (10, 10, 1), BATCH)
    augmenter.start(1, 1)
    image = np.random.default_rng(0).normal(size=(1, 10, 10, 1)).astype(np.float32)
    changed = np.array(augmenter(image, np.zeros((1, 1)), np.ones(1), np.array([7]), 0)[0]) != image
    mask = augmenter.masks(np.ones((1, 10, 10, 1), np.uint8), np.array([7]))
    np.testing.assert_array_equal(mask == 0, changed)
    assert changed.sum() == 16


def test_without_geometry_masks_and_boxes_stay():
    augmenter = Augmenter(AugmentSettings(noise=0.1), (10, 10, 1), BATCH)
    masks, boxes = np.ones((2, 10, 10, 1), np.uint8), np.array([[1, 2, 0, 3, 4, 1]])
    assert augmenter.masks(masks, np.arange(2)) is masks
    moved, kept = augmenter.boxes([boxes, boxes[:0]], np.arange(2))[0]
    np.testing.assert_array_equal(moved, boxes)
    assert kept.tolist() == [0]
