"""The files are what a hospital's archive would accept, in the patient's geometry."""

import json
import stat

import nibabel
import numpy as np
import pytest
import SimpleITK
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from asclepius.phantom.anatomy import AIR
from asclepius.phantom.grid import Grid
from asclepius.phantom.patients import SITES

# Type 1 and 2 attributes of the CT Image IOD's mandatory modules (DICOM PS3.3, A.3.3).
TYPE_1 = [
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImageType",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "RescaleIntercept",
    "RescaleSlope",
    "PatientPosition",
]
TYPE_2 = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "PositionReferenceIndicator",
    "Manufacturer",
    "InstanceNumber",
    "SliceThickness",
    "KVP",
    "AcquisitionNumber",
]


def test_ct_objects_are_lawful(cohort):
    seen = set()
    for row in cohort.rows:
        for path, header in cohort.series[row["SeriesInstanceUID"]]:
            assert header.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
            assert header.SOPClassUID == CTImageStorage
            for keyword in TYPE_1:
                assert header.get(keyword) not in (None, ""), (keyword, path)
            for keyword in TYPE_2:
                assert keyword in header, (keyword, path)
            assert len(header.SOPInstanceUID) <= 64
            assert header.SOPInstanceUID.is_valid
            assert header.HighBit == header.BitsStored - 1
            if "(1)" not in str(path):
                assert header.SOPInstanceUID not in seen
                seen.add(header.SOPInstanceUID)
            tags = [element.tag for element in header]
            assert tags == sorted(tags)


def test_elements_stand_in_ascending_order_in_the_file(cohort):
    """pydicom sorts what it reads; other readers refuse a file whose tags descend."""
    path, _ = cohort.series[cohort.rows[0]["SeriesInstanceUID"]][0]
    data, place, tags = path.read_bytes(), 132, []
    while place < len(data):
        group, element = (int.from_bytes(data[place + i : place + i + 2], "little") for i in (0, 2))
        tags.append((group, element))
        kind = data[place + 4 : place + 6]
        if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
            length, start = int.from_bytes(data[place + 8 : place + 12], "little"), place + 12
        else:
            length, start = int.from_bytes(data[place + 6 : place + 8], "little"), place + 8
        if length == 0xFFFFFFFF:
            length = data.index(b"\xfe\xff\xdd\xe0", start) + 8 - start
        place = start + length
    assert tags == sorted(set(tags))
    assert tags[-1] == (0x7FE0, 0x0010)


def test_names_keep_their_script(cohort):
    by_charset = {}
    for files in cohort.series.values():
        header = files[0][1]
        charset = header.SpecificCharacterSet
        by_charset["\\".join(charset) if not isinstance(charset, str) else charset] = str(header.PatientName)
    assert set(by_charset) == {"ISO_IR 100", "GB18030", "ISO_IR 144", "ISO_IR 126", "\\ISO 2022 IR 87"}
    assert by_charset["\\ISO 2022 IR 87"] == "Higashiyama^Sakurako=東山^桜子=ひがしやま^さくらこ"
    assert "Ковалевцов" in by_charset["ISO_IR 144"]
    assert any(ord(letter) > 0x4E00 for letter in by_charset["GB18030"])


def test_file_names_do_not_tell_the_order(cohort):
    for row in cohort.intact():
        heights = [float(header.ImagePositionPatient[2]) for _, header in cohort.series[row["SeriesInstanceUID"]]]
        assert heights != sorted(heights)
        assert heights != sorted(heights, reverse=True)


def test_only_the_owner_reads_it(cohort):
    for path in [cohort.folder, *cohort.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def _volume(cohort, row) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    files = {header.ImagePositionPatient[2]: str(path) for path, header in cohort.series[row["SeriesInstanceUID"]]}
    reader.SetFileNames([files[height] for height in sorted(files)])
    return reader.Execute()


def test_masks_and_boxes_lie_on_the_nodules(cohort):
    """SimpleITK reads series and mask independently; both must put the nodule at one place in the patient."""
    checked = 0
    for row in cohort.intact():
        if not row["mask"]:
            assert (row["diagnosis"], row["boxes"]) == ("healthy", "")
            continue
        volume, mask = _volume(cohort, row), SimpleITK.ReadImage(str(cohort.folder / row["mask"]))
        inside = SimpleITK.GetArrayFromImage(mask) > 0
        assert inside.any()
        corners = [(0, 0, 0), tuple(n - 1 for n in mask.GetSize()), (3, 7, 2)]
        for corner in corners:
            assert mask.TransformIndexToPhysicalPoint(corner) == pytest.approx(
                volume.TransformIndexToPhysicalPoint(corner), abs=0.02
            )
        boxes = json.loads(row["boxes"])
        covered = np.zeros_like(inside)
        for x0, y0, z0, x1, y1, z1 in boxes:
            assert inside[z0:z1, y0:y1, x0:x1].any(axis=(0, 1)).all()
            covered[z0:z1, y0:y1, x0:x1] = True
        assert not (inside & ~covered).any()
        around = _dilated(inside) & ~inside
        hu = SimpleITK.GetArrayFromImage(volume)
        assert hu[inside].mean() > hu[around].mean() + 40
        checked += 1
    assert checked >= 4


def _dilated(inside: np.ndarray) -> np.ndarray:
    wide = inside.copy()
    for axis in (1, 2):
        for step in (-2, -1, 1, 2):
            wide |= np.roll(inside, step, axis)
    return wide


def test_a_prone_patient_keeps_the_geometry(tmp_path):
    """Rows and columns run against the patient's axes; the mask's affine must follow."""
    grid = Grid((100.0, 80.0, -40.0), (2.0, 3.0, 7.0), (5, 6, 4), facing=-1)
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 6, 5), np.uint8), grid.affine()), path)
    image = SimpleITK.ReadImage(str(path))
    x, y, z = grid.axes()
    assert image.TransformIndexToPhysicalPoint((3, 2, 1)) == pytest.approx((x[3], y[2], z[1]), abs=1e-3)


def test_tissues_have_their_hounsfield_units(cohort):
    site_means = {}
    for row in cohort.intact():
        volume = _volume(cohort, row)
        hu = SimpleITK.GetArrayFromImage(volume).astype(float)
        middle = hu[hu.shape[0] // 2]
        n = middle.shape[0]
        yy, xx = np.mgrid[:n, :n] - (n - 1) / 2
        body = np.hypot(xx * 1.0, yy * 1.4) < 0.26 * n
        lung = middle[body & (middle < -600) & (middle > -970)]
        assert -930 < np.median(lung) < -780
        muscle = middle[body & (middle > 0) & (middle < 120)]
        assert 10 < np.median(muscle) < 75
        assert (hu > 180).sum() > 50  # bone
        assert -1030 < np.median(hu[:, : n // 12, n // 3 : 2 * n // 3]) < -940  # air
        site_means.setdefault(row["site"], []).append(np.median(hu[:, : n // 12, n // 3 : 2 * n // 3]))
    for site in SITES:  # air reads as the site's calibration says
        assert np.mean(site_means[site.name]) == pytest.approx(AIR + site.scanner.offset, abs=4)
