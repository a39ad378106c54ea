"""Files of a series read by comparison give what pydicom gives, whatever differs between them."""

import io

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from resample_cases import dicom_bytes, shared

from asclepius.errors import Rejected
from asclepius.resample.dicom import Reader
from asclepius.resample.native import Series

COMMON = {"Modality": "MR", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [0.7, 0.7]}
# What may differ from file to file; None removes the element.
CHANGES = {
    "RescaleSlope": st.sampled_from([None, 1, 2, -1, 0.5]),
    "RescaleIntercept": st.sampled_from([None, 0, -1024, 0.25]),
    "BitsStored": st.sampled_from([16, 12]),
    "PixelPaddingValue": st.sampled_from([None, 5]),
    "PhotometricInterpretation": st.sampled_from(["MONOCHROME2", "MONOCHROME1"]),
    "PixelSpacing": st.sampled_from([[0.7, 0.7], [0.7, 0.8]]),
    "PixelRepresentation": st.sampled_from([0, 1]),
    "ImageOrientationPatient": st.sampled_from([[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]]),
    "SeriesDescription": st.sampled_from([None, "a", "a longer one"]),
    "ImagePositionPatient": st.tuples(*[st.floats(-500, 500).map(lambda v: round(v, 6))] * 3).map(list),
    "PatientComments": st.sampled_from([None, "x" * 40]),
}
FILES = st.lists(st.fixed_dictionaries({}, optional=CHANGES), min_size=2, max_size=5)


def alone(data: bytes):
    (single,) = Reader(-7.0).slices(data)
    return single


@settings(max_examples=60, deadline=None)
@given(FILES, st.booleans(), st.sampled_from([np.uint16, np.uint8]), st.integers(0, 2**32 - 1))
def test_reading_by_comparison_equals_reading_alone(changes, implicit, kind, seed):
    rng = np.random.default_rng(seed)
    files = []
    for change in changes:
        pixels = rng.integers(0, np.iinfo(kind).max, (3, 5), kind)
        if kind == np.uint8:
            change = {name: value for name, value in change.items() if name != "BitsStored"}
        attributes = {"ImagePositionPatient": [0, 0, 0], **COMMON, **change}
        files.append(dicom_bytes(pixels, syntax=ImplicitVRLittleEndian if implicit else None, **attributes))
    reader = Reader(-7.0)
    for data in files:
        (quick,), slow = reader.slices(data), alone(data)
        assert quick.load().dtype == slow.load().dtype
        np.testing.assert_array_equal(quick.load(), slow.load())
        np.testing.assert_array_equal(quick.position, slow.position)
        np.testing.assert_array_equal(quick.orientation, slow.orientation)
        assert quick.spacing == slow.spacing


def place(z: int) -> dict:
    return {**COMMON, "ImagePositionPatient": [0, 0, z], "RescaleSlope": z, "SeriesDescription": "s" * z}


def test_a_plain_series_is_read_by_comparison_and_others_are_not():
    grey = np.arange(6, dtype=np.int16).reshape(2, 3)
    for syntax, quick in ((None, True), (ImplicitVRLittleEndian, True), (ExplicitVRBigEndian, False)):
        first, second = (dicom_bytes(grey, syntax=syntax, **place(z)) for z in (1, 2))
        found = Series(first, pydicom.dcmread(io.BytesIO(first))).slice(second)
        assert (found is not None) == quick
        if found is not None:
            np.testing.assert_array_equal(found.frame[..., 0], grey)
            assert (found.position[2], found.slope, found.intercept) == (2, 2, 0)


@pytest.mark.parametrize("cut", [1, 7, 60, 300])
def test_a_file_cut_short_is_refused_within_a_series_as_alone(cut):
    grey = np.zeros((4, 4), np.int16)
    first, second = (dicom_bytes(grey, **place(z)) for z in (1, 2))
    reader = Reader(0.0)
    reader.slices(first)
    with pytest.raises(Rejected) as within:
        reader.slices(second[:-cut])
    with pytest.raises(Rejected) as by_itself:
        alone(second[:-cut])
    assert (within.value.reason, within.value.sentence) == (by_itself.value.reason, by_itself.value.sentence)


@pytest.mark.parametrize("folder", ["brain_tumor_mr_dicom/PGBM-001/1991-11-19", "dicom_faulty_series", "head_mr_face"])
def test_real_series_by_comparison_equal_pydicom(folder):
    paths = sorted(path for path in shared(folder).rglob("*.dcm"))
    assert paths
    reader, last = Reader(-7.0), None
    for path in paths[:60]:
        reader, last = (reader if path.parent == last else Reader(-7.0)), path.parent
        data = path.read_bytes()
        for quick, slow in zip(reader.slices(data), Reader(-7.0).slices(data), strict=True):
            np.testing.assert_array_equal(quick.load(), slow.load())
            np.testing.assert_array_equal(quick.position, slow.position)
            np.testing.assert_array_equal(quick.orientation, slow.orientation)
            assert quick.spacing == slow.spacing
