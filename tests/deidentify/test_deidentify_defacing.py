"""Faces within a run: which files are looked at, that a doubt stops a file, and what the file says afterwards."""

import gzip
import io
import zipfile
from types import MappingProxyType

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from deidentify_cases import Stage, ct, encoded, row
from hard_run import KEY, deidentified

from asclepius.deidentify.dicom.defacing import Faces
from asclepius.deidentify.dicom.reading import read
from asclepius.deidentify.dicom.rewriting import rewrite
from asclepius.deidentify.faces import deface
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.profile.options import PRESETS
from asclepius.deidentify.proof.dicom import prove
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.errors import Rejected


class Found:
    """Stands for a face in the left half of every slice."""

    fill, nothing = -2000.0, False
    quality = MappingProxyType({"ratio": 0.9})

    def on(self, grid):
        mask = np.zeros(grid.GetSize()[::-1], np.uint8)
        mask[:, :, :4] = 1
        return sitk.GetImageFromArray(mask)


def scan(number, part="HEAD", frame="1.2.3.4.5.6.7.8"):
    dataset = ct(number)
    dataset.BodyPartExamined, dataset.FrameOfReferenceUID = part, frame
    return encoded(dataset)


def opener(data):
    class Opened:
        def __enter__(self):
            return data

        def __exit__(self, *_):
            pass

    return Opened


@pytest.fixture
def found(monkeypatch):
    calls = []

    def once(volume, modality):
        calls.append(volume.GetSize())
        return Found()

    monkeypatch.setattr(deface, "deface", once)
    return calls


def released(faces, data):
    source, patient = read(data), Patient.of("x", Pseudonyms(b"k" * 32), Policy(PRESETS["tcia"]))
    written = rewrite(source, patient, "fallback", faces.clean(source, None))
    out = b"".join(written.parts)
    prove(out, patient, written.pixels)
    return pydicom.dcmread(io.BytesIO(out)), written


def test_the_face_goes_from_every_slice_and_nothing_else(found):
    slices = [scan(i) for i in range(10)]
    faces = Faces()
    faces.find([opener(data) for data in slices])
    assert found == [(8, 8, 10)]
    for data in slices:
        before = pydicom.dcmread(io.BytesIO(data)).pixel_array
        after, written = released(faces, data)
        assert (after.pixel_array[:, :4] == -2000).all()
        assert np.array_equal(after.pixel_array[:, 4:], before[:, 4:])
        assert after.RecognizableVisualFeatures == "NO"
        assert "113102" in [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
        assert ("7fe0,0010", "face (ratio 0.9)", "C") in written.audit


def test_a_chest_keeps_its_pixels_and_claims_nothing(found):
    slices = [scan(i, "CHEST") for i in range(10)]
    faces = Faces()
    faces.find([opener(data) for data in slices])
    assert not found
    after, _ = released(faces, slices[0])
    assert after.PixelData == pydicom.dcmread(io.BytesIO(slices[0])).PixelData
    assert "113102" not in [item.CodeValue for item in after.DeidentificationMethodCodeSequence]


def test_a_head_without_a_found_face_is_not_released(monkeypatch):
    def doubtful(volume, modality):
        raise Rejected("face", "the head could not be located beyond doubt")

    monkeypatch.setattr(deface, "deface", doubtful)
    slices = [scan(i) for i in range(10)]
    faces = Faces()
    faces.find([opener(data) for data in slices])
    with pytest.raises(Rejected, match="beyond doubt"):
        faces.clean(read(slices[0]), None)


def test_one_volume_serves_its_frame_of_reference_and_no_other(found):
    large, small = [scan(i) for i in range(12)], encoded(_series(scan(1), "1.2.3.4.5.6.7.8"))
    elsewhere = encoded(_series(scan(1), "1.2.3.4.5.6.7.9"))
    faces = Faces()
    faces.find([opener(data) for data in [*large, small, elsewhere]])
    assert found == [(8, 8, 12)]
    after, _ = released(faces, small)
    blanked = after.pixel_array[:, :4]
    assert (blanked == pydicom.dcmread(io.BytesIO(small)).pixel_array.min()).all(), "its own darkest value"
    with pytest.raises(Rejected, match="too few slices"):
        faces.clean(read(elsewhere), None)


def test_the_mask_lies_on_the_grid_of_the_released_series(found):
    """Voxel by voxel what was blanked, where nibabel finds the slices to be; time points share their slice."""
    slices = [scan(i) for i in (3, 1, 2, 9, 4, 5, 6, 7, 8, 10)]
    again = pydicom.dcmread(io.BytesIO(scan(4)))
    again.SOPInstanceUID = "1.2.3.4.5.77"
    faces = Faces()
    faces.find([opener(data) for data in [*slices, encoded(again)]])
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(faces.mask(read(slices[0]))))
    assert image.shape == (8, 8, 10)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    for data in slices:
        before = pydicom.dcmread(io.BytesIO(data))
        after, _ = released(faces, data)
        x, y, z = before.ImagePositionPatient
        index = np.linalg.solve(image.affine, [-x, -y, z, 1])[:3]
        assert np.allclose(index, index.round())
        blanked = np.asarray(image.dataobj)[:, :, int(index[2].round())].T > 0
        assert np.array_equal(blanked, after.pixel_array == -2000)


def test_the_folder_command_writes_the_mask_once_beside_the_series(found, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(10):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(scan(number))
    result = deidentified(tmp_path / "in", tmp_path, "tcia")
    assert result.released == 10
    (path,) = result.out.rglob("*_defacemask.nii.gz")
    assert path.with_name(path.name.removesuffix("_defacemask.nii.gz")).is_dir()
    mask = np.asarray(nibabel.load(path).dataobj)
    assert mask.shape == (8, 8, 10)
    assert mask[:4].all()
    assert not mask[4:].any()


def test_the_stage_writes_the_mask_beside_the_slices(found, tmp_path):
    names = [f"{number}.dcm" for number in range(10)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(scan(number))
    key = tmp_path / "master.key"
    key.write_text(KEY)
    key.chmod(0o600)
    stage = Stage(tmp_path, key, preset="tcia").run([row("series", tmp_path, names), row("slice", tmp_path, names[:1])])
    released = zipfile.ZipFile(stage.out["release"]).namelist()
    assert len(released) == 12
    assert sum(name.endswith("/00000_defacemask.nii.gz") for name in released) == 1


def test_a_stripped_brain_keeps_its_pixels_but_a_head_beside_it_does_not(found, monkeypatch):
    monkeypatch.setattr(Found, "nothing", True)
    brain, head = [scan(i) for i in range(10)], encoded(_series(scan(1), "1.2.3.4.5.6.7.8"))
    faces = Faces()
    faces.find([opener(data) for data in [*brain, head]])
    after, _ = released(faces, brain[0])
    assert after.PixelData == pydicom.dcmread(io.BytesIO(brain[0])).PixelData
    assert not np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(faces.mask(read(brain[0])))).dataobj).any()
    after, _ = released(faces, head)
    assert (after.pixel_array[:, :4] == after.pixel_array.min()).all()


def test_there_is_no_mask_without_a_head(found):
    slices = [scan(i, "CHEST") for i in range(10)]
    faces = Faces()
    faces.find([opener(data) for data in slices])
    assert faces.mask(read(slices[0])) is None


def _series(data, frame):
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = f"{frame}.99", frame
    return dataset
