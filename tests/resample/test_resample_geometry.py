"""Grids: where stored voxels lie, how boxes and masks follow."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from resample_cases import series, shared

from asclepius.errors import Rejected
from asclepius.resample import dicom, nifti
from asclepius.resample.geometry import Grid, canonical, move_boxes, target
from asclepius.resample.interpolate import resample, resample_mask


def located(shape, spacing, rotation=(0.0, 0.0, 0.0)) -> Grid:
    """An oblique grid of `spacing` (z, y, x)."""
    turn = np.array(sitk.Euler3DTransform((0, 0, 0), *rotation).GetMatrix()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing[::-1])
    affine[:3, 3] = (-20.0, 13.0, 4.0)
    return Grid(shape, affine)


def world(grid: Grid, voxel) -> np.ndarray:
    return grid.affine[:3, :3] @ np.array(voxel) + grid.affine[:3, 3]


def test_a_spacing_keeps_the_middle_of_the_volume_and_the_axes():
    grid = located((10, 20, 30), (3.0, 0.5, 0.7), (0.2, 0.1, -0.3))
    goal = target(grid, [8, 8, 8], [2.0, 1.0, 1.0], "stretch")
    np.testing.assert_allclose(goal.centre, grid.centre, atol=1e-9)
    assert goal.spacing == pytest.approx((2.0, 1.0, 1.0))


def test_stretching_covers_the_same_extent():
    grid = located((10, 20, 30), (3.0, 0.5, 0.7))
    goal = target(grid, [5, 10, 40], None, "stretch")
    assert np.multiply(goal.spacing, goal.shape) == pytest.approx(np.multiply(grid.spacing, grid.shape))


def test_padding_keeps_the_aspect_in_mm():
    grid = located((10, 20, 30), (3.0, 0.5, 0.7))
    goal = target(grid, [8, 8, 8], None, "pad")
    assert goal.spacing == pytest.approx((3.75, 3.75, 3.75))


def test_an_equal_grid_is_the_grid_itself_and_values_stay_exact():
    grid = located((3, 4, 5), (2.0, 1.0, 1.0))
    pixels = np.random.default_rng(1).integers(-1000, 1000, (3, 4, 5, 1)).astype(np.int16)
    goal = target(grid, [3, 4, 5], [2.0, 1.0, 1.0], "stretch")
    assert goal is grid
    assert resample(pixels, grid, goal, "bspline", 0.0) is pixels


def test_a_spacing_without_knowing_ones_own_is_refused():
    with pytest.raises(Rejected, match="geometry: the image does not tell its spacing"):
        target(Grid.of_pixels((1, 8, 8), flat=True), [4, 4], [1.0, 1.0], "stretch")


@pytest.mark.parametrize("affine", [np.diag([1.0, 0.0, 1.0, 1.0]), np.diag([1.0, np.nan, 1.0, 1.0])])
def test_a_grid_without_extent_is_refused(affine):
    with pytest.raises(Rejected, match="not a number or zero"):
        Grid((3, 3, 3), affine).check()


def test_a_sheared_grid_is_refused_with_its_angle():
    affine = np.eye(4)
    affine[1, 2] = np.tan(np.radians(10))
    with pytest.raises(Rejected, match=r"10\.0 degrees off a right angle"):
        Grid((3, 3, 3), affine).check()


def test_values_are_simpleitks_own():
    """Resampling from voxel to voxel equals SimpleITK with origin, spacing and direction."""
    grid = located((12, 16, 18), (3.0, 0.8, 0.8), (0.3, 0.1, 0.2))
    pixels = np.random.default_rng(1).normal(size=(*grid.shape, 1)).astype(np.float32)
    goal = target(grid, [20, 12, 14], [1.7, 0.9, 1.0], "stretch")
    image, reference = sitk.GetImageFromArray(pixels[..., 0]), sitk.Image(14, 12, 20, sitk.sitkFloat32)
    for here, place in ((image, grid), (reference, goal)):
        here.SetSpacing(place.spacing[::-1])
        here.SetOrigin(place.affine[:3, 3].tolist())
        here.SetDirection((place.affine[:3, :3] / np.array(place.spacing)[::-1]).ravel().tolist())
    peer = sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -5.0))
    np.testing.assert_allclose(resample(pixels, grid, goal, "linear", -5.0)[..., 0], peer, atol=1e-4)


@pytest.mark.parametrize("method", ["linear", "bspline"])
def test_a_ramp_stays_a_ramp(method):
    """Linear data at new positions are known exactly (inside; B-splines bend at the border)."""
    grid = located((18, 24, 10), (1.0, 1.0, 1.0))
    tall = np.broadcast_to(np.arange(10), grid.shape)
    goal = target(grid, [18, 24, 20], None, "stretch")
    found = resample(tall[..., None].astype(np.float32), grid, goal, method, 0.0)[9, 12, :, 0]
    expected = (np.arange(20) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(found[6:14], expected[6:14], atol=0.02)


def test_shrinking_does_not_alias():
    """A checkerboard finer than the new grid becomes its mean, not a false pattern."""
    board = np.indices((1, 64, 64)).sum(axis=0)[..., None].astype(np.float32) % 2 * 100
    grid = Grid.of_pixels((1, 64, 64), flat=True)
    found = resample(board, grid, target(grid, [13, 13], None, "stretch"), "linear", 0.0)
    np.testing.assert_allclose(found[:, 2:-2, 2:-2], 50, atol=2)


def test_an_axis_that_hardly_shrinks_is_not_smoothed():
    noise = np.random.default_rng(1).normal(size=(1, 30, 30, 1)).astype(np.float32)
    grid = Grid.of_pixels((1, 30, 30), flat=True)
    found = resample(noise, grid, target(grid, [10, 20], None, "stretch"), "linear", 0.0)
    alone = resample(noise, grid, target(grid, [30, 20], None, "stretch"), "linear", 0.0)
    np.testing.assert_allclose(
        alone[0, :, 0::2, 0], noise[0, :, 0::3, 0] * 0.75 + noise[0, :, 1::3, 0] * 0.25, atol=1e-6
    )
    assert found.std() < alone.std() / 1.5


sides = st.integers(12, 28)
steps = st.floats(0.5, 3.0)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(sides, sides, sides),
    spacing=st.tuples(steps, steps, steps),
    rotation=st.tuples(*[st.floats(-0.4, 0.4)] * 3),
    size=st.tuples(st.integers(8, 24), st.integers(8, 24), st.integers(8, 24)),
    fit=st.sampled_from(["stretch", "pad", "spacing"]),
    data=st.data(),
)
def test_boxes_follow_as_a_mask_of_them_does(shape, spacing, rotation, size, fit, data):
    """A box drawn as a mask, turned and resampled, fills the mapped box within a voxel."""
    low = [data.draw(st.integers(0, n - 4)) for n in shape]
    high = [data.draw(st.integers(a + 4, n)) for a, n in zip(low, shape, strict=True)]
    grid = located(shape, spacing, rotation)
    labels = np.zeros((*shape, 1), dtype=np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    turned, upright = canonical(labels, grid)
    wanted = [1.5, 1.2, 1.1] if fit == "spacing" else None
    goal = target(upright, list(size), wanted, "pad" if fit == "pad" else "stretch")
    mask = resample_mask(turned[..., 0], upright, goal, "nearest")
    boxes = move_boxes([[*low[::-1], *high[::-1]]], grid, goal)
    if not mask.any():
        return
    filled = np.argwhere(mask)
    drawn = [*filled.min(axis=0)[::-1], *(filled.max(axis=0)[::-1] + 1)]
    np.testing.assert_allclose(boxes[0], drawn, atol=1)


def test_a_box_off_the_stored_grid_is_dropped_and_one_across_its_border_cut():
    grid = located((10, 10, 10), (1.0, 1.0, 1.0))
    goal = target(grid, [4, 4, 4], [1.0, 1.0, 1.0], "stretch")
    assert move_boxes([[0, 0, 0, 2, 2, 2], [2, 2, 2, 5, 5, 5]], grid, goal) == [[0, 0, 0, 2, 2, 2]]


@pytest.mark.parametrize("cosines", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 1, 0)])
def test_dicom_and_nifti_of_one_scan_give_one_array(ramp, cosines):
    """Axial, sagittal, coronal and mirrored series against SimpleITK's NIfTI of the same voxels."""
    scan = dicom.read(series(ramp, cosines=cosines), 0.0, 2)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.grid.affine
    image = nibabel.Nifti1Image(np.moveaxis(scan.pixels[..., 0], (0, 1, 2), (2, 1, 0)), ras)
    image = image.as_reoriented([[2, -1], [0, 1], [1, -1]])  # another storage order of the same voxels
    first, place = canonical(scan.pixels, scan.grid)
    same = nifti.read(image.to_bytes())
    second, there = canonical(same.pixels, same.grid)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(place.affine, there.affine, atol=1e-4)
    assert (np.diag(place.affine)[:3] > 0).all()


def test_real_nifti_voxels_lie_where_nibabel_and_simpleitk_say():
    folder = shared("hippocampus_msd")
    path = sorted((folder / "images").glob("*.nii.gz"))[0]
    scan = nifti.read(path.read_bytes())
    pixels, grid = canonical(scan.pixels, scan.grid)
    peer, image = sitk.ReadImage(str(path)), nibabel.load(path)
    values = image.get_fdata()
    for voxel in [(0, 0, 0), (5, 7, 3), tuple(n - 1 for n in grid.shape[::-1])]:
        here = world(grid, voxel)
        index = peer.TransformPhysicalPointToContinuousIndex(here.tolist())
        np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
        ras = nibabel.affines.apply_affine(np.linalg.inv(image.affine), here * [-1, -1, 1])
        np.testing.assert_allclose(ras, np.rint(ras), atol=1e-3)
        assert pixels[tuple(voxel[::-1])][0] == pytest.approx(values[tuple(round(v) for v in ras)])


def test_a_real_dicom_series_lies_where_simpleitk_says():
    folder = shared("brain_tumor_mr_dicom") / "PGBM-001" / "1991-11-19" / "T1post"
    files = sorted(folder.glob("*.dcm"))
    scan = dicom.read([path.read_bytes() for path in files], 0.0, 2)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    peer = reader.Execute()
    x, y, z = (n - 1 for n in scan.grid.shape[::-1])
    for voxel in [(0, 0, 0), (x, 0, 0), (0, y, z), (x, y, z)]:
        np.testing.assert_allclose(world(scan.grid, voxel), peer.TransformIndexToPhysicalPoint(voxel), atol=1e-3)
    np.testing.assert_array_equal(scan.pixels[..., 0], sitk.GetArrayFromImage(peer))
