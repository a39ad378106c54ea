"""DICOM series: order, repeats, gaps, tilt, mixed series, and where voxels lie."""

import random

import numpy as np
import pytest
import SimpleITK as sitk
from resample_cases import dicom_bytes, series, shared

from asclepius.errors import Rejected
from asclepius.resample import dicom


def read(files, missing_slices=2):
    return dicom.read(files, -1000.0, missing_slices)


def test_order_comes_from_positions_not_from_names_or_instance_numbers(ramp):
    files = series(ramp)
    random.Random(1).shuffle(files)
    scan = read(files)
    np.testing.assert_array_equal(scan.pixels[..., 0], ramp)
    assert scan.notes == []


def test_descending_positions_give_the_same_volume(ramp):
    np.testing.assert_array_equal(read(series(ramp)[::-1]).pixels[..., 0], ramp)


def test_a_missing_slice_is_interpolated_exactly_on_a_ramp_and_noted(ramp):
    scan = read([data for z, data in enumerate(series(ramp)) if z != 3])
    np.testing.assert_array_equal(scan.pixels[..., 0], ramp)
    assert scan.notes == ["1 missing slice interpolated"]
    assert scan.grid.spacing == pytest.approx((2.0, 1.0, 1.5))


def test_a_gap_wider_than_allowed_is_refused(ramp):
    tall = np.concatenate([ramp, ramp + 600, ramp + 1200])
    files = [data for z, data in enumerate(series(tall)) if z not in (5, 6, 7)]
    with pytest.raises(Rejected, match=r"geometry: 3 slices missing in one gap, 2 may be"):
        read(files)
    np.testing.assert_array_equal(read(files, missing_slices=3).pixels[..., 0], tall)


def test_repeated_slices_are_dropped_and_noted(ramp):
    files = series(ramp)
    scan = read([*files, files[2], files[2]])
    np.testing.assert_array_equal(scan.pixels[..., 0], ramp)
    assert scan.notes == ["2 of 8 slices are repeats and were dropped"]


def test_two_phases_in_one_series_are_refused(ramp):
    with pytest.raises(Rejected, match="different slices at one position"):
        read([*series(ramp), *series(ramp + 1)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PixelSpacing": [1.0, 2.0]}, "geometry: slices of different pixel spacing"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}, "geometry: slices lie at different angles"),
        ({"ImagePositionPatient": None}, "geometry: 1 of 6 slices have no position"),
    ],
)
def test_a_series_of_unlike_slices_is_refused(ramp, change, message):
    common = {"ImagePositionPatient": [-10.0, 5.0, 17.0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    odd = dicom_bytes(ramp[5], **({"PixelSpacing": [1.0, 1.5]} | common | change))
    with pytest.raises(Rejected, match=message):
        read([*series(ramp)[:5], odd])


def test_slices_of_two_sizes_are_refused(ramp):
    odd = series(ramp[:, :4])[5]
    with pytest.raises(Rejected, match=r"wrong-shape: slices of different sizes .*4 x 10, 8 x 10"):
        read([*series(ramp)[:5], odd])


def test_two_slices_are_no_volume(ramp):
    with pytest.raises(Rejected, match="wrong-shape: 2 slices are too few"):
        read(series(ramp)[:2])


def test_voxels_lie_where_simpleitk_says(ramp, tmp_path):
    """An oblique series, to 1e-3 mm."""
    rotation = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)
    cosines = [round(float(v), 10) for v in (*rotation[:, 0], *rotation[:, 1])]
    names = []
    for z, data in enumerate(series(ramp, cosines=cosines)):
        names.append(str(tmp_path / f"{z}.dcm"))
        (tmp_path / f"{z}.dcm").write_bytes(data)
    peer = sitk.ReadImage(names)
    scan = read(series(ramp, cosines=cosines))
    for voxel in [(0, 0, 0), (9, 0, 0), (0, 7, 0), (0, 0, 5), (9, 7, 5)]:
        here = scan.grid.affine[:3, :3] @ voxel + scan.grid.affine[:3, 3]
        np.testing.assert_allclose(here, peer.TransformIndexToPhysicalPoint(voxel), atol=1e-3)


def test_a_real_series_of_two_slices_is_refused():
    path = shared("dicom_faulty_series") / "slicecount"
    with pytest.raises(Rejected, match="too few for a volume"):
        read([file.read_bytes() for file in sorted(path.rglob("*.dcm"))])


def test_a_real_tilted_series_is_straightened():
    path = shared("dicom_faulty_series") / "gantrytilting"
    scan = read([file.read_bytes() for file in sorted(path.rglob("*.dcm"))])
    assert [note for note in scan.notes if note.startswith("gantry tilt of")]


def test_a_real_series_with_a_missing_slice_is_repaired():
    path = shared("dicom_faulty_series") / "sliceincrement"
    scan = read([file.read_bytes() for file in sorted(path.rglob("*.dcm"))])
    assert scan.notes == ["1 missing slice interpolated"]
    assert scan.grid.shape[0] == 5
    assert scan.grid.spacing[0] == pytest.approx(5.0, abs=1e-3)
