"""The hard matrix of defacing: more than 99 % of the face goes, no voxel of the brain, and no failure is silent."""

import gzip

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from faces_cases import brain_of, hard_cases, like, read, tissue
from scipy import ndimage

from asclepius.deidentify.faces.deface import deface
from asclepius.deidentify.faces.nifti import deface_nifti
from asclepius.deidentify.faces.series import volume_of
from asclepius.deidentify.faces.template import GROWTH
from asclepius.errors import Rejected

pytestmark = pytest.mark.study
HEADS = {"T1_head": ((0, 25, 35), 1), "dicom_t1_sag": ((0, 20, 25), 4)}  # mm to MNI, roughly; one of n headers
# Refused, not passed: too little of the head is in view to be sure.
MAY_BE_REFUSED = {"neck alone", "vertex alone", "CT from the orbits up", "field of view (2, 0.4, 0.75)"}


def _head(name, real_data):
    folder = real_data / "head_mr_face"
    if name == "T1_head":
        image = read(folder / "T1_head.nii.gz")
    else:
        image = sitk.Cast(
            volume_of([pydicom.dcmread(path) for path in (folder / name).glob("*.dcm")]), sitk.sitkFloat32
        )
    brain = brain_of(image, real_data / "brain_template", HEADS[name][0])
    # The easiest pose tells the face: what was blanked there, less the growth of the mask, was looked at by eye.
    blanked = sitk.GetArrayFromImage(deface(image, "MR").mask) > 0
    inner = ndimage.distance_transform_edt(np.pad(blanked, 1, "edge"), sampling=image.GetSpacing()[::-1])[
        1:-1, 1:-1, 1:-1
    ]
    return image, like(((inner > GROWTH) & tissue(image)).astype(np.uint8), image), brain


@pytest.mark.parametrize("name", list(HEADS))
def test_matrix(name, real_data, capsys):
    wrong, lines, refused = [], [], []
    for case, modality, (image, face, brain) in hard_cases(_head(name, real_data), HEADS[name][1]):
        try:
            found = deface(image, modality)
        except Rejected as error:
            refused.append(case)
            lines.append(f"{case:32s} refused: {error.sentence}")
            if case not in MAY_BE_REFUSED:
                wrong.append(lines[-1])
            continue
        blanked, face, brain = (sitk.GetArrayFromImage(one) > 0 for one in (found.mask, face, brain))
        gone = (blanked & face).sum() / max(face.sum(), 1)
        touched = int((blanked & brain).sum())
        lines.append(f"{case:32s} face gone {gone:.2%}, brain voxels {touched}, {found.quality}")
        if (gone <= 0.99 and face.any()) or touched:
            wrong.append(lines[-1])
    with capsys.disabled():
        print("", name, *lines, f"{len(lines)} cases, {len(refused)} refused, {len(wrong)} wrong", sep="\n")
    assert not wrong


def test_two_runs_agree_to_the_bit_whatever_the_threads(real_data):
    image = read(real_data / "head_mr_face" / "T1_head.nii.gz")
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    for threads in (1, 2):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        found.append(deface(image, "MR"))
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    one, other = found
    assert np.array_equal(sitk.GetArrayFromImage(one.mask), sitk.GetArrayFromImage(other.mask))
    assert one.quality == other.quality
    assert one.transform.GetParameters() == other.transform.GetParameters()


@pytest.mark.parametrize("name", ["T1", "T1POST", "T2", "FLAIR"])
def test_a_stripped_brain_passes_untouched(name, real_data):
    path = real_data / "ms_lesion_mri" / "patient07" / f"{name}_regtoMNI.nii.gz"
    data = gzip.decompress(path.read_bytes())
    out, mask, quality = deface_nifti(data)
    assert quality["stripped"] == 1
    assert out == data
    assert not np.asarray(nibabel.Nifti1Image.from_bytes(mask).dataobj).any()


def test_what_is_no_head_is_refused(real_data):
    z, y, x = np.ogrid[-1:1:80j, -1:1:90j, -1:1:90j]
    ball = ((z / 0.9) ** 2 + (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1).astype(np.float32)
    noise = np.random.default_rng(0).random((60, 60, 60)).astype(np.float32)
    for values, spacing in ((ball, 2.5), (noise, 2.0), (np.zeros((80, 80, 80), np.float32), 2.0)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing([spacing] * 3)
        with pytest.raises(Rejected):
            deface(image, "MR")
