"""Defacing: the face goes, the brain stays, all other bytes stay, and what cannot be located is never passed."""

import gzip
from importlib import metadata

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from faces_cases import header, landmarks, read, rotate
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage
from scipy.spatial.transform import Rotation

from asclepius.deidentify.faces import nifti, template
from asclepius.deidentify.faces.deface import Defaced, deface, doubt, is_head
from asclepius.deidentify.faces.register import Registered
from asclepius.deidentify.faces.search import rotations
from asclepius.deidentify.faces.series import planes, series_mask, slice_masks, volume_of
from asclepius.errors import Rejected, StudyError


def test_face_removed_and_brain_kept_in_a_turned_head_with_a_wrong_header(real_data):
    """45° of pitch and a header that calls the feet left: what one start got wrong without a word."""
    head = read(real_data / "head_mr_face" / "T1_head.nii.gz")
    face, brain = landmarks(head)
    turned = [header(rotate(image, (45, 0, 0), 2.4), (2, 0, 1), (1, -1, 1)) for image in (head, face, brain)]
    found = deface(turned[0], "MR")
    blanked, face, brain = (sitk.GetArrayFromImage(image) > 0 for image in (found.mask, *turned[1:]))
    assert (blanked & face).sum() > 0.99 * face.sum()
    assert not (blanked & brain).any()
    assert found.quality["brain"] == 0
    assert found.fill == sitk.GetArrayFromImage(turned[0]).min()


GOOD = {"ratio": 0.75, "shared": 0.9, "rival": 0.5, "support": 1.0, "scales": (0.95, 0.97, 0.99)}


@pytest.mark.parametrize(
    "change",
    [{"ratio": 0.2}, {"shared": 0.2}, {"rival": 0.98}, {"support": 0.5}, {"scales": (0.6, 0.9, 1.0)},
     {"scales": (1.0, 1.2, 1.8)}, {"ratio": float("nan")}],
)  # fmt: skip
def test_each_doubt_alone_stops_a_pass(change):
    affine = sitk.AffineTransform(3)
    assert not doubt(Registered(affine, **GOOD))
    assert doubt(Registered(affine, **(GOOD | change)))


def test_a_few_slices_are_refused():
    with pytest.raises(Rejected, match="too thin") as refused:
        deface(sitk.Image([256, 256, 5], sitk.sitkInt16), "MR")
    assert refused.value.reason == "face"


@pytest.mark.parametrize(
    ("part", "description", "head"),
    [("HEAD", "", True), ("", "t1_mprage_sag", True), ("CHEST", "Neck and thorax", True), ("CHEST", "CT thorax", False),
     ("KNEE", "pd_tse_sag", False), ("", "", True), ("", "Gehirn / Kopf", True), ("LSPINE", "L_SPINE t2", False),
     ("CSPINE", "", True), ("", "surface coil", True)],
)  # fmt: skip
def test_words_decide_and_unsure_means_head(part, description, head):
    assert is_head(part, description, sitk.Image([200, 200, 200], sitk.sitkUInt8)) is head


def test_a_small_cutout_holds_no_face_but_one_large_slice_may():
    assert not is_head("", "", sitk.Image([35, 50, 35], sitk.sitkUInt8))
    assert is_head("", "localizer", sitk.Image([256, 256, 1], sitk.sitkUInt8))


def test_template_never_asks_to_blank_brain():
    known = template.template()
    face, brain = (sitk.GetArrayFromImage(image) > 0 for image in (known.face, known.brain))
    assert face.any()
    assert brain.sum() * template.SPACING**3 > 1.3e6  # mm³
    assert not (face & brain).any()
    assert not (ndimage.distance_transform_edt(~face)[brain] * template.SPACING < 1).any()


def test_missing_or_other_template_stops_the_study(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patched:
        patched.setattr(metadata, "distribution", missing)
        with pytest.raises(StudyError, match="pip install --no-deps pydeface"):
            template._read("facemask.nii.gz")
    monkeypatch.setitem(template.FILES, "facemask.nii.gz", "0" * 64)
    with pytest.raises(StudyError, match="another than tested"):
        template._read("facemask.nii.gz")


def test_every_orientation_is_near_a_rotation_that_is_tried():
    tried = rotations()
    asked = np.random.default_rng(1).normal(size=(300, 4))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    cosines = np.einsum("nij,mij->nm", Rotation.from_quat(asked).as_matrix(), tried)
    assert np.degrees(np.arccos(np.clip((cosines.max(1) - 1) / 2, -1, 1))).max() < 30


# NIfTI: the pose is given, so that only the bytes are looked at.


def _given(fill: str):
    def found(volume: sitk.Image, modality: str) -> Defaced:
        values = sitk.GetArrayFromImage(volume)
        mask = np.zeros(values.shape, np.uint8)
        mask[:2, 1:3] = 1
        image = sitk.GetImageFromArray(mask)
        image.CopyInformation(volume)
        low, high = float(values.min()), float(values.max())
        quality = {"stripped": 0.0, "tissue": 1.0}
        return Defaced(image, low if fill == "dark" else high, quality, sitk.AffineTransform(3))

    return found


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    dtype=st.sampled_from(["u1", "<i2", ">i2", "<u2", "<f4", ">f4", "<f8"]),
    times=st.integers(0, 3),
    extension=st.booleans(),
    fill=st.sampled_from(["dark", "bright"]),
    scaled=st.booleans(),
)
def test_nifti_bytes_outside_the_mask_stay(kind, dtype, times, extension, fill, scaled):
    shape = (5, 6, 4) + ((times,) if times else ())
    values = np.random.default_rng(0).integers(1, 200, shape).astype(dtype)
    image = kind(values, np.diag([-2.0, 3, 4, 1]), kind.header_class(endianness="<"))
    image = kind(values, image.affine, kind.header_class(endianness=">" if dtype[0] == ">" else "<"))
    image.header.set_data_dtype(dtype)
    if extension:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"left alone here"))
    if scaled:
        image.header.set_slope_inter(2.0, -10.0)
    data = image.to_bytes() + b"behind"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(nifti, "deface", _given(fill))
        out, mask_file, _ = nifti.deface_nifti(data, "MR")
    before, after = (kind.from_bytes(one) for one in (data, out))
    mask = np.asarray(kind.from_bytes(mask_file).dataobj) > 0
    start = before.dataobj.offset
    assert out[:start] == data[:start]
    assert out.endswith(b"behind")
    assert len(out) == len(data)
    raw, blanked = before.dataobj.get_unscaled(), after.dataobj.get_unscaled()
    assert np.array_equal(raw[~mask], blanked[~mask])
    assert (blanked[mask] == (raw.min() if fill == "dark" else raw.max())).all()
    assert mask.sum() == 2 * 2 * 5
    assert np.array_equal(kind.from_bytes(mask_file).affine, before.affine)


def test_nifti_without_three_axes_or_cut_short_is_refused():
    flat = nibabel.Nifti1Image(np.zeros((64, 64), np.uint8), np.eye(4)).to_bytes()
    whole = nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), np.eye(4)).to_bytes()
    for data, reason in ((flat, "face"), (whole[:-10], "truncated"), (gzip.compress(whole), "unreadable")):
        with pytest.raises(Rejected) as refused:
            nifti.deface_nifti(data)
        assert refused.value.reason == reason


# DICOM: a ball at a known place of the patient.

BALL = np.array([10.0, -20.0, 30.0])


def _slice(position, axes, spacing=2.0, size=64) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows = dataset.Columns = size
    dataset.PixelSpacing = [spacing, spacing]
    dataset.ImagePositionPatient = [round(float(number), 6) for number in position]
    dataset.ImageOrientationPatient = [float(number) for number in np.ravel(axes)]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    steps = np.arange(size) * spacing
    points = np.asarray(position) + steps[None, :, None] * axes[0] + steps[:, None, None] * axes[1]
    ball = np.linalg.norm(points - BALL, axis=-1) < 15
    dataset.add_new(0x7FE00010, "OW", (ball * 1000).astype("<u2").tobytes())
    return dataset


def _series(tilt: float, gaps) -> list[Dataset]:
    """Slices stacked along the table, their planes tilted against it."""
    angle = np.radians(tilt)
    axes = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)]])
    heights = -10 + np.concatenate([[0], np.cumsum(gaps)])
    return [_slice((-54, -80, height), axes) for height in heights]


@pytest.mark.parametrize(("tilt", "gaps"), [(0, [4] * 19), (18.5, [4] * 19), (20, [4] * 8 + [7, 1, 4] + [5] * 6)])
def test_series_in_any_order_tilted_or_uneven_becomes_a_true_volume(tilt, gaps):
    datasets = _series(tilt, gaps)
    volume = volume_of(datasets[::-1][::2] + datasets[::-1][1::2])
    inside = np.argwhere(sitk.GetArrayFromImage(volume) > 500)
    middle = volume.TransformContinuousIndexToPhysicalPoint(inside.mean(0)[::-1].tolist())
    assert np.linalg.norm(np.subtract(middle, BALL)) < 1.5
    assert len(inside) * np.prod(volume.GetSpacing()) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.1)


def test_masks_go_back_to_where_each_instance_lies():
    """Axial, tilted and enhanced images of one frame of reference get the same mask in space."""
    known = template.template()
    shift = sitk.AffineTransform(3)
    shift.SetTranslation([0.0, -60.0, -100.0])
    found = Defaced(sitk.Image([1, 1, 1], sitk.sitkUInt8), 0.0, {}, shift)
    datasets = [*_series(0, [4] * 3), *_series(25, [7, 3])[::-1]]
    for dataset, mask in zip(datasets, slice_masks(found, datasets), strict=True):
        (plane,) = planes(dataset)
        assert mask.shape == (1, 64, 64)
        for row, column in ((0, 0), (10, 30), (30, 33), (60, 5)):
            point = plane.position + column * plane.spacing[0] * plane.axes[0] + row * plane.spacing[1] * plane.axes[1]
            index = known.face.TransformPhysicalPointToIndex(shift.TransformPoint(point.tolist()))
            index = [int(np.clip(k, 0, n - 1)) for k, n in zip(index, known.face.GetSize(), strict=True)]
            assert mask[0, row, column] == known.face[index]
    assert any(mask.any() for mask in slice_masks(found, datasets))


@pytest.mark.parametrize("tilt", [0, 20])
def test_the_mask_of_a_series_is_that_of_its_slices(tilt):
    shift = sitk.AffineTransform(3)
    shift.SetTranslation([0.0, -60.0, -100.0])
    found = Defaced(sitk.Image([1, 1, 1], sitk.sitkUInt8), 0.0, {}, shift)
    datasets = _series(tilt, [4] * 9)
    frames = [(plane, 64, 64) for dataset in datasets for plane in planes(dataset)]
    mask, affine = series_mask(found, [*frames[::-1], frames[3]])
    order = np.argsort([plane.depth for plane, _, _ in frames])
    slices = list(slice_masks(found, datasets))
    assert np.array_equal(mask, np.concatenate([slices[number] for number in order]))
    assert mask.any()
    for place, number in enumerate(order):
        plane = frames[number][0]
        corner = plane.position + 63 * plane.spacing[0] * plane.axes[0] + 7 * plane.spacing[1] * plane.axes[1]
        assert np.allclose(affine @ [63, 7, place, 1], [*corner, 1])


def test_enhanced_frames_are_placed_one_by_one():
    single = _series(10, [4] * 9)
    enhanced = _slice((0, 0, 0), np.eye(3)[:2])
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(enhanced, keyword)
    order = [3, 0, 9, 1, 2, 8, 7, 4, 6, 5]
    enhanced.NumberOfFrames = len(order)
    enhanced[0x7FE00010].value = b"".join(single[k].PixelData for k in order)
    shared, measures, turn = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = single[0].PixelSpacing
    turn.ImageOrientationPatient = single[0].ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turn]
    enhanced.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k in order:
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = single[k].ImagePositionPatient
        group.PlanePositionSequence = [place]
        groups.append(group)
    enhanced.PerFrameFunctionalGroupsSequence = groups
    one, many = volume_of([enhanced]), volume_of(single)
    assert one.GetOrigin() == many.GetOrigin()
    assert np.array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(many))


def test_a_series_without_places_or_of_several_orientations_is_refused():
    lost, other = _series(0, [4])
    del lost.ImagePositionPatient
    other.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    for datasets in ([lost], [_series(0, [4])[0], other]):
        with pytest.raises(Rejected) as refused:
            volume_of(datasets)
        assert refused.value.reason == "face"
