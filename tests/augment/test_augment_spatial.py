import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("keras")
from asclepius.augment.spatial import affine, warp

SHAPES = [(6, 6), (5, 8), (4, 5, 6)]
RANDOM = np.random.default_rng(7)


def images(shape, n=2, channels=1):
    return RANDOM.random((n, *shape, channels), dtype=np.float32)


def matrices(shape, n=2, flip=(), angle=0.0, shift=None, zoom=1.0):
    d = len(shape)
    flips = np.zeros((n, d), bool)
    flips[:, list(flip)] = True
    shifts = np.zeros((n, d)) if shift is None else np.tile(np.asarray(shift, float), (n, 1))
    return affine(flips, np.full(n, float(angle)), shifts, np.full(n, float(zoom)), shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_asked_changes_no_bit(shape):
    before = images(shape, channels=2)
    np.testing.assert_array_equal(np.array(warp(before, matrices(shape))), before)


@pytest.mark.parametrize(("shape", "axis"), [(s, a) for s in SHAPES for a in range(len(s))])
def test_flips_are_exact(shape, axis):
    before = images(shape)
    found = np.array(warp(before, matrices(shape, flip=[axis])))
    np.testing.assert_array_equal(found, np.flip(before, axis + 1))


@pytest.mark.parametrize("shape", [(6, 6), (5, 5), (3, 6, 6)])
@pytest.mark.parametrize("quarters", [1, 2, -1])
def test_quarter_turns_of_a_square_are_exact(shape, quarters):
    before = images(shape)
    found = np.array(warp(before, matrices(shape, angle=90 * quarters)))
    np.testing.assert_array_equal(found, np.rot90(before, quarters, axes=(-3, -2)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shift_by_whole_pixels_moves_the_picture_and_repeats_the_border(shape):
    before = images(shape)
    found = np.array(warp(before, matrices(shape, shift=[0] * (len(shape) - 1) + [2])))
    np.testing.assert_array_equal(found[..., 2:, :], before[..., :-2, :])
    np.testing.assert_array_equal(found[..., :2, :], np.repeat(before[..., :1, :], 2, axis=-2))


def test_zoom_above_one_makes_the_picture_grow():
    before = np.zeros((1, 9, 9, 1), np.float32)
    before[:, 3:6, 3:6] = 1
    assert np.array(warp(before, matrices((9, 9), 1, zoom=1.5))).sum() > before.sum()


@settings(max_examples=30, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    angle=st.floats(-180, 180),
    zoom=st.floats(0.5, 1.5),
    flip=st.booleans(),
    shift=st.floats(-2, 2),
)
def test_any_warp_stays_within_the_values_and_masks_within_the_classes(shape, angle, zoom, flip, shift):
    found = matrices(shape, flip=[0] if flip else [], angle=angle, zoom=zoom, shift=[shift] * len(shape))
    before = images(shape)
    after = np.array(warp(before, found))
    assert np.isfinite(after).all()
    assert after.min() >= before.min() - 1e-6
    assert after.max() <= before.max() + 1e-6
    mask = RANDOM.choice(np.array([0, 3, 7], np.uint8), size=before.shape)
    moved = np.array(warp(mask, found, order=0))
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) <= {0, 3, 7}


@pytest.mark.parametrize("shape", [(17, 21), (11, 13, 12)])
def test_linear_values_agree_with_scipy(shape):
    from scipy.ndimage import affine_transform

    found = matrices(shape, n=1, angle=17, zoom=1.1, shift=[1.5] * len(shape), flip=[1])
    before = images(shape, n=1)
    d = len(shape)
    expected = affine_transform(before[0, ..., 0], found[0, :, :d], found[0, :, d], order=1, mode="nearest")
    np.testing.assert_allclose(np.array(warp(before, found))[0, ..., 0], expected, atol=1e-4)


def test_a_mask_follows_its_image():
    image = np.zeros((1, 24, 24, 1), np.float32)
    image[:, 6:12, 9:18] = 1
    found = matrices((24, 24), 1, angle=25, zoom=1.2, shift=[2, -3], flip=[1])
    moved, mask = np.array(warp(image, found)), np.array(warp(image, found, order=0))
    np.testing.assert_array_equal(moved > 0.5, mask > 0.5)
