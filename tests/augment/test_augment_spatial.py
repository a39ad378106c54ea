import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("keras")
from asclepius.augment.spatial import Pose, displacement, warp

SHAPES = [(6, 6), (5, 8), (4, 5, 6)]
RANDOM = np.random.default_rng(7)


def images(shape, n=2, channels=1):
    return RANDOM.random((n, *shape, channels), dtype=np.float32)


def matrices(shape, n=2, flip=(), angle=0.0, shift=None, zoom=1.0, spacing=None):
    """`angle`: of 3D, about z alone or about z, y and x."""
    pose = Pose.still(n, len(shape))
    pose.flip[:, list(flip)] = True
    pose.angle[:, : np.size(angle)] = angle
    pose.shift[:] = 0 if shift is None else shift
    pose.scale[:] = zoom
    return pose.matrices(shape, spacing)


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


@pytest.mark.parametrize(("turn", "axes"), [((90, 0, 0), (1, 2)), ((0, 90, 0), (0, 2)), ((0, 0, 90), (0, 1))])
def test_a_volume_turns_about_each_axis(turn, axes):
    before = images((5, 5, 5), channels=2)
    found = np.array(warp(before, matrices((5, 5, 5), angle=turn)))
    np.testing.assert_array_equal(found, np.rot90(before, 1, axes=(axes[0] + 1, axes[1] + 1)))


def test_a_flat_volume_is_warped_as_the_image_it_is():
    before = images((7, 9))
    flat = np.array(warp(before, matrices((7, 9), angle=17, zoom=1.1, shift=[1, -2])))
    deep = np.array(warp(before[:, None], matrices((1, 7, 9), angle=17, zoom=1.1, shift=[0, 1, -2])))
    np.testing.assert_allclose(deep[:, 0], flat, atol=1e-5)


def test_a_turned_volume_keeps_its_form_in_millimetres():
    """A rod of 5 slices of 6 mm, turned about y, is 15 pixels of 2 mm long; were all pixels alike, it would be 5."""
    rod = np.zeros((1, 9, 3, 25, 1), np.float32)
    rod[:, 2:7, :, 12] = 1
    turned = np.array(warp(rod, matrices((9, 3, 25), 1, angle=(0, 90, 0), spacing=(6.0, 2.0, 2.0)), order=0))
    assert turned[0, 4, 1, :, 0].sum() == pytest.approx(15, abs=1)
    assert turned[0, 3, 1, :, 0].sum() == turned[0, 5, 1, :, 0].sum() == 0


@settings(max_examples=20, deadline=None)
@given(shape=st.sampled_from(SHAPES), axis=st.integers(0, 2))
def test_the_same_flip_twice_changes_nothing(shape, axis):
    axis %= len(shape)
    before = images(shape)
    once = np.array(warp(before, matrices(shape, flip=[axis])))
    np.testing.assert_array_equal(np.array(warp(once, matrices(shape, flip=[axis]))), before)


@pytest.mark.parametrize("shape", [(20, 30), (9, 14, 11)])
def test_an_elastic_field_is_smooth_bounded_and_follows_its_points(shape):
    d, points = len(shape), 5
    control = RANDOM.uniform(-2, 2, (2, d, *(points + 2,) * d)).astype(np.float32)
    field = np.array(displacement(control, shape)).reshape(2, d, *shape)
    assert np.abs(field).max() <= 2
    for axis, size in enumerate(shape):
        assert np.abs(np.diff(field, axis=axis + 2)).max() < 4 * (points - 1) / (size - 1) + 1e-5
    one = np.zeros((1, d, *(points + 2,) * d), np.float32)
    one[(0, 0, 1, *(3,) * (d - 1))] = 1  # at the first pixel of the first axis, in the middle of the others
    bump = np.array(displacement(one, shape)).reshape(d, *shape)
    assert np.unravel_index(bump[0].argmax(), shape)[0] == 0
    assert bump[1:].max() == 0
    assert bump[0].max() == pytest.approx((2 / 3) ** d, rel=0.05)
    np.testing.assert_allclose(displacement(np.ones_like(one), shape), 1, atol=1e-6)


def test_an_elastic_warp_reads_where_the_field_points():
    shape = (24, 24)
    control = np.zeros((1, 2, 7, 7), np.float32)
    control[:, 1] = 3.0
    before = images(shape, 1)
    found = np.array(warp(before, matrices(shape, 1), control))
    np.testing.assert_allclose(found[:, :, :-3], before[:, :, 3:], atol=1e-5)


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
