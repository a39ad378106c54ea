"""Interpolation along the axes, of images and of masks, and the foreground that cropping keeps."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from asclepius.resample.axes import FWHM, axis, part
from asclepius.resample.foreground import crop, foreground
from asclepius.resample.geometry import Grid, between, target
from asclepius.resample.interpolate import resample, resample_mask

RANDOM = np.random.default_rng(1)


def grid(shape, spacing=(1.0, 1.0, 1.0)) -> Grid:
    return Grid(shape, np.diag([*spacing[::-1], 1.0]))


def peer(values, source, goal, method, fill):
    """SimpleITK on the same grids."""
    image, reference = sitk.GetImageFromArray(values), sitk.Image(goal.shape[::-1], sitk.sitkFloat32)
    for here, place in ((image, source), (reference, goal)):
        here.SetSpacing(place.spacing[::-1])
        here.SetOrigin(place.affine[:3, 3].tolist())
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), method, fill))


def off_the_border(source, goal):
    """Voxels of the goal that are not exactly on the outer face of the source: rounding decides about those."""
    mapping = between(goal, source)
    sure = []
    for axis_number, (old, new) in enumerate(zip(source.shape[::-1], goal.shape[::-1], strict=True)):
        places = mapping[axis_number, 3] + mapping[axis_number, axis_number] * np.arange(new)
        sure.append(np.abs(np.abs(places - (old - 1) / 2) - old / 2) > 1e-5)
    return np.ix_(*sure[::-1])


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 12)] * 3),
    size=st.tuples(*[st.integers(1, 14)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 1.4)] * 3),
    channels=st.integers(1, 2),
)
def test_linear_is_simpleitks_whatever_the_grid(shape, size, spacing, channels):
    values = np.random.default_rng(3).integers(-999, 999, (*shape, channels)).astype(np.int16)
    source = grid(shape)
    goal = target(source, list(size), list(spacing), "stretch")
    found = resample(values, source, goal, "linear", -5.0)
    sure = off_the_border(source, goal)
    for channel in range(channels):
        expected = peer(values[..., channel].astype(np.float32), source, goal, sitk.sitkLinear, -5.0)
        np.testing.assert_allclose(found[..., channel][sure], expected[sure], atol=0.01)


def test_bspline_is_simpleitks():
    values = RANDOM.normal(size=(14, 15, 16, 1)).astype(np.float32)
    source = grid((14, 15, 16))
    goal = target(source, [20, 20, 20], [0.55, 0.6, 0.65], "stretch")
    expected = peer(values[..., 0], source, goal, sitk.sitkBSpline, 0.0)
    found = resample(values, source, goal, "bspline", 0.0)[..., 0]
    np.testing.assert_allclose(found[2:-2, 2:-2, 2:-2], expected[2:-2, 2:-2, 2:-2], atol=2e-3)


@pytest.mark.parametrize("old", [1, 2, 3, 9])
@pytest.mark.parametrize("method", ["nearest", "linear", "bspline"])
def test_a_constant_stays_constant_and_samples_stay_what_they_are(old, method):
    for new, start, step in ((7, -0.4, old / 7.5), (old, 0.0, 1.0), (3, -0.3, old / 3)):
        one = axis(old, new, start, step, method)
        if one.weights is not None:
            np.testing.assert_allclose(one.weights.sum(axis=1), 1, rtol=1e-5)
    values = RANDOM.normal(size=old)
    same = axis(old, 2 * old - 1, 0.0, 0.5, method)
    got = values if same.weights is None else same.weights @ values
    np.testing.assert_allclose(got[::2], values, atol=1e-4)


def test_smoothing_is_the_gaussian_of_the_lost_resolution():
    values = RANDOM.normal(size=60)
    weights = axis(60, 20, 1.0, 3.0, "linear").weights
    smooth = gaussian_filter1d(values, np.sqrt(3.0**2 - 1) / FWHM, mode="nearest")
    np.testing.assert_allclose(weights @ values, smooth[1::3], atol=1e-5)


def test_a_part_of_an_axis_is_the_axis_where_all_else_is_zero():
    values = np.zeros(40)
    values[12:20] = RANDOM.normal(size=8)
    whole = axis(40, 50, -3.0, 0.9, "linear")
    piece = part(whole, slice(12, 20))
    expected, found = np.zeros(50), np.zeros(50)
    expected[whole.inside] = whole.weights @ values
    found[piece.inside] = piece.weights @ values[12:20]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_thick_slices_may_be_interpolated_apart():
    """A bright slice: a cubic curve undershoots beside it."""
    values = np.zeros((9, 12, 12, 1), np.float32)
    values[4] = 100
    values[:, 6] += 50
    for spacing, thick in (((3.5, 1.0, 1.0), True), ((2.9, 1.0, 1.0), False)):
        source = grid((9, 12, 12), spacing)
        goal = target(source, [30, 12, 12], None, "stretch")
        same, apart = (resample(values, source, goal, "bspline", 0.0, how) for how in ("same", "linear"))
        assert same.min() < -5
        assert (apart.min() > -1e-3) == thick
    source = grid((9, 12, 12), (3.5, 1.0, 1.0))
    goal = target(source, [9, 24, 24], None, "stretch")
    np.testing.assert_array_equal(
        resample(values, source, goal, "bspline", 0.0, "linear"), resample(values, source, goal, "bspline", 0.0)
    )  # within the slices nothing changes


def test_views_and_types_make_no_difference():
    values = RANDOM.integers(-999, 999, (11, 12, 13, 1)).astype(np.int16)
    source = grid((11, 12, 13))
    goal = target(source, [7, 8, 9], [1.3, 1.2, 1.1], "stretch")
    flipped = np.ascontiguousarray(values[:, ::-1, ::-1])[:, ::-1, ::-1]
    expected = resample(values.astype(np.float32), source, goal, "linear", 0.0)
    np.testing.assert_array_equal(resample(flipped, source, goal, "linear", 0.0), expected)


# --- masks ----------------------------------------------------------------------------------------------------------


def balls(shape, spacing=(1.0, 1.0, 1.0)) -> np.ndarray:
    """Two touching balls of classes 1 and 2, and a third class within the first, about one middle in mm."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True))
    z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
    labels = np.zeros(shape, np.uint8)
    labels[z**2 + y**2 + (x + 5) ** 2 < 36] = 1
    labels[z**2 + y**2 + (x - 6) ** 2 < 30] = 2
    labels[z**2 + y**2 + (x + 5) ** 2 < 6] = 7
    return labels


def dice(first, second, number):
    return 2 * ((first == number) & (second == number)).sum() / ((first == number).sum() + (second == number).sum())


def test_smooth_masks_beat_nearest_on_a_finer_grid_and_make_no_class():
    coarse, source = balls((12, 12, 18), (2.0, 2.0, 2.0)), grid((12, 12, 18), (2.0, 2.0, 2.0))
    goal = target(source, [48, 48, 72], [0.5] * 3, "stretch")
    truth = balls(goal.shape, goal.spacing)
    nearest, linear = (resample_mask(coarse, source, goal, method) for method in ("nearest", "linear"))
    assert set(np.unique(linear)) == set(np.unique(nearest)) == {0, 1, 2, 7}
    for number in (1, 2):
        assert dice(linear, truth, number) > dice(nearest, truth, number)


def test_smooth_masks_are_the_vote_of_all_classes():
    labels, source = balls((12, 14, 18)), grid((12, 14, 18))
    goal = target(source, [17, 20, 25], [0.7, 0.8, 0.75], "stretch")
    shares = [
        resample((labels == number)[..., None].astype(np.float32), source, goal, "linear", float(number == 0))[..., 0]
        for number in (0, 1, 2, 7)
    ]
    best = np.max(shares, axis=0)
    found = resample_mask(labels, source, goal, "linear")
    for number, share in zip((0, 1, 2, 7), shares, strict=True):
        assert (share[found == number] >= best[found == number] - 1e-5).all()


def test_a_mask_on_turned_axes_is_simpleitks():
    labels, source = balls((12, 14, 18)), grid((12, 14, 18))
    turn = np.array(sitk.Euler3DTransform((9, 7, 6), 0.2, 0.1, 0.3).GetMatrix()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = turn
    goal = Grid((15, 15, 15), affine)
    mapping = between(goal, source)
    found = resample_mask(labels, source, goal, "nearest")
    points = (
        np.stack(np.meshgrid(*[np.arange(15)] * 3, indexing="ij"), axis=-1)[..., ::-1] @ mapping[:3, :3].T
        + mapping[:3, 3]
    )
    index = np.rint(points).astype(int)
    inside = ((index >= 0) & (index < np.array([18, 14, 12]))).all(axis=-1)
    index = np.clip(index, 0, np.array([17, 13, 11]))
    expected = np.where(inside, labels[index[..., 2], index[..., 1], index[..., 0]], 0)
    assert (found == expected).mean() > 0.999


# --- foreground -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "low", "high"), [("CT", -1000, 40), ("MR", 3, 400), (None, 0.0, 0.6)])
def test_the_foreground_is_the_largest_bright_part(modality, low, high):
    volume = np.full((40, 150, 200, 1), low, np.float32)
    volume[10:30, 20:110, 60:150] = high
    volume[35:37, 140:145, 5:9] = high  # a table, a wire
    volume += RANDOM.normal(0, abs(high - low) / 50, volume.shape)
    box = foreground(volume, modality)
    for span, start, stop in zip(box, (10, 20, 60), (30, 110, 150), strict=True):
        assert span.start <= start <= span.start + 5
        assert span.stop - 5 <= stop <= span.stop


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_an_image_of_one_value_has_no_foreground(modality):
    assert foreground(np.full((4, 9, 9, 1), -1000.0, np.float32), modality) is None


def test_a_cropped_image_keeps_its_place():
    whole = grid((10, 20, 30), (3.0, 1.0, 2.0))
    pixels, kept = crop(np.zeros((10, 20, 30, 1)), whole, (slice(2, 6), slice(5, 9), slice(10, 20)))
    assert pixels.shape[:3] == kept.shape == (4, 4, 10)
    np.testing.assert_allclose(kept.affine[:3, 3], [20, 5, 6])
    assert kept.spacing == whole.spacing


def test_tissue_counts_as_foreground_in_ct_beside_denser_bone():
    volume = np.full((20, 60, 60, 1), -1000, np.float32)
    volume[4:16, 10:50, 10:50] = 30
    volume[4:16, 25:35, 25:35] = 3000
    _, rows, columns = foreground(volume, "CT")
    assert (rows.start, rows.stop, columns.start, columns.stop) == (9, 51, 9, 51)
