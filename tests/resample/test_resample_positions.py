"""Real DICOM series: every voxel lies where SimpleITK and nibabel say, to 1e-3 mm."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from resample_cases import shared

from asclepius.resample import dicom

PADDED = -1000.0
SERIES = [
    "brain_tumor_mr_dicom/PGBM-001/1991-11-19/FLAIRreg",
    "brain_tumor_mr_dicom/PGBM-001/1991-11-19/MaskTumor",
    "brain_tumor_mr_dicom/PGBM-001/1991-11-19/T1post",
    "head_mr_face/dicom_t1_sag",
    "dicom_seg/ct-3slice",
]


@pytest.mark.parametrize("folder", SERIES)
def test_a_series_lies_where_simpleitk_puts_it(folder):
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(shared(folder)))
    peer = sitk.ReadImage(names)
    scan = dicom.read([Path(name).read_bytes() for name in names], PADDED, 2)
    assert scan.notes == []
    same = sitk.GetArrayFromImage(peer)
    last = np.array(scan.grid.shape[::-1]) - 1
    for corner in np.ndindex(2, 2, 2):
        here = scan.grid.affine[:3, :3] @ (last * corner) + scan.grid.affine[:3, 3]
        index = np.array(peer.TransformPhysicalPointToContinuousIndex(here))
        np.testing.assert_allclose((index - np.rint(index)) * peer.GetSpacing(), 0, atol=1e-3)
        z, y, x = np.rint(index).astype(int)[::-1]
        assert scan.pixels[tuple((last * corner)[::-1])][0] in (same[z, y, x], PADDED)
    upward = peer.TransformIndexToPhysicalPoint((0, 0, 1)) - np.array(peer.GetOrigin())
    turned = same if upward @ scan.grid.affine[:3, 2] > 0 else same[::-1]
    here = scan.pixels[..., 0]
    np.testing.assert_array_equal(here, np.where(here == PADDED, PADDED, turned))


@pytest.mark.filterwarnings("ignore:The DICOM readers are highly experimental")
@pytest.mark.parametrize("folder", [*SERIES, "dicom_faulty_series/gantrytilting", "dicom_faulty_series/sliceincrement"])
def test_each_slice_lies_where_nibabel_puts_it(folder):
    from nibabel.nicom import dicomwrappers  # warns when imported

    paths = sorted(shared(folder).rglob("*.dcm"))
    scan = dicom.read([path.read_bytes() for path in paths], -1000.0, 2)
    origins = scan.planes.origins
    found = set()
    for path in paths:
        affine = dicomwrappers.wrapper_from_file(path).affine
        distance = np.linalg.norm(origins - affine[:3, 3], axis=1)
        assert distance.min() < 1e-3
        found.add(int(distance.argmin()))
        # nibabel counts rows first.
        np.testing.assert_allclose(affine[:3, [1, 0]], scan.grid.affine[:3, :2], atol=1e-5)
    assert len(found) == len(paths)
