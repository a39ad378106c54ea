"""Slices that form no regular grid: tilted gantries and uneven spacing, straightened and evened out."""

import io
import zipfile

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resample_cases import dicom_bytes, shared

from asclepius.errors import Rejected
from asclepius.resample import dicom
from asclepius.resample.geometry import move_boxes

SLOPES = np.array([3.0, -2.0, 5.0])  # of a field in the patient that is linear, so that linear interpolation is exact


def field(points: np.ndarray) -> np.ndarray:
    return points @ SLOPES + 100


def scan_of_field(places, tilt=0.0, shape=(12, 9), spacing=(1.5, 1.0)) -> tuple[list[bytes], list[np.ndarray]]:
    """Float slices of the field at `places` mm, drifting to the back by tan(tilt); and where their pixels lie."""
    files, where = [], []
    for place in places:
        origin = np.array([-4.0, 7.0 + place * np.tan(np.radians(tilt)), place])
        y, x = np.indices(shape)
        points = origin + np.stack([x * spacing[1], y * spacing[0], 0 * x], axis=-1)
        values = field(points).astype(np.float32)
        files.append(
            dicom_bytes(
                values.view(np.uint32), PixelData=None, FloatPixelData=values.tobytes(), PixelRepresentation=None,
                BitsStored=None, HighBit=None, ImagePositionPatient=[round(float(v), 9) for v in origin],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=list(spacing),
            )
        )  # fmt: skip
        where.append(points)
    return files, where


def voxels(scan) -> np.ndarray:
    """LPS position of every voxel, (z, y, x, 3)."""
    index = np.indices(scan.grid.shape)[::-1].reshape(3, -1).T
    points = index @ scan.grid.affine[:3, :3].T + scan.grid.affine[:3, 3]
    return points.reshape(*scan.grid.shape, 3)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-30, 30),
    st.lists(st.floats(2.5, 5.0), min_size=3, max_size=8),
)
def test_a_linear_field_stays_itself_through_tilt_and_uneven_spacing(tilt, gaps):
    places = np.concatenate([[0], np.cumsum(gaps)])
    files, where = scan_of_field(places, tilt)
    scan = dicom.read(files[::-1], -5000.0, 2)
    values, expected = scan.pixels[..., 0], field(voxels(scan))
    reached = values > -4999
    away = np.diff(np.pad(reached, ((0, 0), (1, 1), (0, 0))), axis=1)  # the border voxel of a moved slice is held
    inner = reached & ~away[:, 1:] & ~away[:, :-1]
    # Values are true where both neighbouring slices reach; beyond the end of one the other is mixed with the fill.
    drift = np.abs(np.tan(np.radians(tilt)) * max(gaps)) / 1.5
    depth = int(np.ceil(drift)) + 1
    # Half a pixel of drift and a twentieth of a slice are rounding, and left.
    tolerance = 0.02 + 1.0 * ("tilt" not in str(scan.notes)) + 1.25 * ("uneven" not in str(scan.notes))
    for z, place in enumerate(voxels(scan)[:, 0, 0, 2]):
        low, high = np.interp(place, places, np.tan(np.radians(tilt)) * places) + np.array([7.0, 7.0 + 1.5 * 11])
        y = voxels(scan)[z, :, 0, 1]
        sure = (y >= low + depth * 1.5) & (y <= high - depth * 1.5)
        np.testing.assert_allclose(values[z, sure], expected[z, sure], atol=tolerance)
    assert inner.any()
    # The grid covers every pixel of every slice.
    inverse = np.linalg.inv(scan.grid.affine)
    for points in where:
        index = points.reshape(-1, 3) @ inverse[:3, :3].T + inverse[:3, 3]
        assert (index > -0.6).all()
        assert (index < np.array(scan.grid.shape[::-1]) - 0.4).all()


def test_tilt_is_noted_with_its_angle_and_outside_is_filled():
    files, _ = scan_of_field(np.arange(5) * 3.0, 20.0)
    scan = dicom.read(files, -5000.0, 2)
    assert scan.notes == ["gantry tilt of 20.0 degrees straightened"]
    assert scan.grid.shape == (5, 15, 9)
    assert (scan.pixels[0, -2:] == -5000).all()
    assert (scan.pixels[-1, :2] == -5000).all()


def test_whole_numbers_stay_whole_and_hold_the_fill():
    planes = [np.full((6, 4), 40000 + z, np.uint16) for z in range(4)]
    files = [
        dicom_bytes(
            plane,
            ImagePositionPatient=[0, 1.3 * z, 2.0 * z],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
        )
        for z, plane in enumerate(planes)
    ]
    scan = dicom.read(files, -1000.0, 2)
    assert scan.pixels.dtype == np.int32
    assert set(np.unique(scan.pixels[2])) == {-1000, 40002}


def test_tilt_is_refused_where_the_config_says_so():
    files, _ = scan_of_field(np.arange(4) * 2.0, 15.0)
    with pytest.raises(Rejected, match=r"geometry: gantry tilt of 15\.0 degrees.*resample\.gantry_tilt"):
        dicom.read(files, 0.0, 2, "refuse")


def test_slices_that_jump_sideways_are_refused():
    files, _ = scan_of_field(np.arange(4) * 2.0)
    jumped, _ = scan_of_field(np.array([8.0, 10.0]), 20.0)
    with pytest.raises(Rejected, match="geometry: slices shifted sideways"):
        dicom.read(files + jumped, 0.0, 2)


def test_a_gap_of_more_than_twice_the_usual_is_refused_in_an_uneven_series():
    files, _ = scan_of_field(np.array([0, 3.0, 6.0, 9.5, 12.5, 20.0]))
    with pytest.raises(Rejected, match=r"geometry: uneven slice spacing: gaps from 3\.00 to 7\.50 mm"):
        dicom.read(files, 0.0, 0)


def test_as_many_planes_as_slices_do_not_make_a_series_even():
    places = np.cumsum([0, 0.4, 0.4, 0.4, 2.0, 2.0, 2.0, 3.0, 3.8])
    files, _ = scan_of_field(places)
    scan = dicom.read(files, 0.0, 2)
    assert scan.grid.shape[0] == len(places)
    np.testing.assert_allclose(scan.pixels[..., 0], field(voxels(scan)), atol=0.02)
    assert scan.planes.boxes([[0, 0, 3, 1, 1, 4]])[0][2] < 2


def test_an_even_grid_is_as_fine_as_the_narrowest_gap_but_not_below_half_the_widest():
    for gaps, step in (([4, 4, 4, 6, 6], 4.0), ([4, 4, 1, 6, 6], 3.0)):
        files, _ = scan_of_field(np.concatenate([[0.0], np.cumsum(gaps)]))
        scan = dicom.read(files, 0.0, 2)
        assert step * 0.8 < scan.grid.spacing[0] <= step
        assert len(scan.notes) == 1


@settings(max_examples=40, deadline=None)
@given(st.floats(-25, 25), st.lists(st.sampled_from([3.0, 4.0, 5.5]), min_size=3, max_size=6), st.data())
def test_boxes_follow_as_a_mask_of_them_does(tilt, gaps, data):
    places = np.concatenate([[0], np.cumsum(gaps)])
    files, _ = scan_of_field(places, tilt, spacing=(1.0, 1.0))
    planes = dicom.read(files, -5000.0, 2).planes
    shape = (int(planes.counted[-1]) + 1, 12, 9)
    low = [data.draw(st.integers(0, side - 1)) for side in shape]
    high = [data.draw(st.integers(first + 1, side)) for first, side in zip(low, shape, strict=True)]
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    acquired = [mask[int(number)][..., None] for number in planes.counted]
    drawn = planes.put(acquired.__getitem__, 0, labels=True)[..., 0]
    (moved,) = move_boxes(planes.boxes([[*low[::-1], *high[::-1]]]), planes.grid, planes.grid)
    there = np.nonzero(drawn)
    if len(there[0]):
        tight = [int(axis.min()) for axis in there[::-1]] + [int(axis.max()) + 1 for axis in there[::-1]]
        np.testing.assert_allclose(moved, tight, atol=1)


def test_a_real_head_of_a_tilted_gantry_and_two_thicknesses_is_straightened():
    with zipfile.ZipFile(shared("head_ct_dicom") / "head_ct_gantry_tilt.zip") as container:
        files = [container.read(name) for name in container.namelist() if not name.endswith("/")]
    scan = dicom.read(files, -1000.0, 2)
    assert scan.grid.shape == (43, 611, 512)
    assert scan.notes == [
        "gantry tilt of 18.5 degrees straightened",
        "uneven slice spacing (1.08 to 7.00 mm) interpolated to 3.43 mm",
    ]
    headers = [pydicom.dcmread(io.BytesIO(data)) for data in files]
    along = [np.cross(*np.reshape(h.ImageOrientationPatient, (2, 3))) @ h.ImagePositionPatient for h in headers]
    inverse = np.linalg.inv(scan.grid.affine)
    for number, header in enumerate(headers[i] for i in np.argsort(along)):
        index = inverse[:3, :3] @ np.array(header.ImagePositionPatient, float) + inverse[:3, 3]
        where = [0.0, scan.planes.shifts[number, 0], scan.planes.places[number]]
        np.testing.assert_allclose(
            index * scan.grid.spacing[::-1], where * np.array(scan.grid.spacing[::-1]), atol=1e-3
        )
        if scan.planes.places[number].is_integer():
            shift = scan.planes.shifts[number, 0]
            low = int(np.ceil(shift)) + 1
            weight = low - shift - np.floor(low - shift)
            first = int(np.floor(low - shift))
            own = header.pixel_array.astype(float)
            expected = own[first] * (1 - weight) + own[first + 1] * weight
            padded = (own[first] == -1500) | (own[first + 1] == -1500)
            found = scan.pixels[int(scan.planes.places[number]), low, :, 0]
            np.testing.assert_allclose(found[~padded], expected[~padded], atol=0.51)
