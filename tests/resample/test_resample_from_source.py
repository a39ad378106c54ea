"""From a folder as a hospital exports it to the store: nothing is lost without a word."""

import io
import json
import zipfile

import numpy as np
import pydicom
import pytest
from resample_cases import dicom_bytes, series, shared
from resample_masks import items, segmentation, structures
from resample_source import through

UIDS = {"StudyInstanceUID": "1.2.3", "FrameOfReferenceUID": "1.2.9", "PatientID": "MRN-1", "PatientName": "Doe^Jane"}
GRID = {"size": [6, 8, 10], "spacing": [2.0, 1.0, 1.5]}


def write(folder, files: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(files):
        (folder / f"{number:03d}").write_bytes(data)


def scan(volume, number: int, **attributes) -> list[bytes]:
    """A series with the UIDs 1.2.3.<number> and 1.2.3.<number>.<slice>."""
    files = []
    for z, data in enumerate(series(volume, SeriesInstanceUID=f"1.2.3.{number}", **(UIDS | attributes))):
        dataset = pydicom.dcmread(io.BytesIO(data))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.{z + 1}"
        stream = io.BytesIO()
        dataset.save_as(stream)
        files.append(stream.getvalue())
    return files


@pytest.fixture
def study(tmp_path, ramp):
    """Run the stages over tmp_path/set/ill, beside a sound series of another class."""

    def call(**options):
        well = UIDS | {"PatientID": "MRN-2", "FrameOfReferenceUID": "1.2.8"}
        write(tmp_path / "set/well", scan(ramp, 99, **well))
        resampled = {name: options.pop(name) for name in ("size", "spacing", "mask_classes") if name in options}
        return through(
            tmp_path / "set",
            tmp_path / "out",
            resample_settings=GRID | resampled,
            labels={"classes": ["ill", "well"]},
            **options,
        )

    return call


@pytest.fixture
def square():
    plane = np.zeros((8, 10), bool)
    plane[2:5, 3:7] = True
    return plane


def drawn(square, way: str) -> bytes:
    """A mask of the square on slice 2 of series 2, as a segmentation or a structure set that refers to it."""
    origin = np.array([-10.0, 5.0, 11.0])
    if way == "segmentation":
        return segmentation(
            [(1, square, origin)], names={1: "Liver"}, SeriesInstanceUID="1.2.4", **UIDS,
            ReferencedSeriesSequence=items(SeriesInstanceUID="1.2.3.2"),
        )  # fmt: skip
    corners = np.array([[2.5 * 1.5, 1.5, 0], [6.5 * 1.5, 1.5, 0], [6.5 * 1.5, 4.5, 0], [2.5 * 1.5, 4.5, 0]])
    (frame,) = items(FrameOfReferenceUID="1.2.9")
    series_of = items(SeriesInstanceUID="1.2.3.2", ContourImageSequence=[])
    frame.RTReferencedStudySequence = items(ReferencedSOPInstanceUID="1.2.3", RTReferencedSeriesSequence=series_of)
    return structures(
        {1: [corners + origin]}, {1: "GTV"}, SeriesInstanceUID="1.2.4", ReferencedFrameOfReferenceSequence=[frame],
        **{name: value for name, value in UIDS.items() if name != "FrameOfReferenceUID"},
    )  # fmt: skip


@pytest.mark.parametrize(("way", "name"), [("segmentation", "Liver"), ("structures", "GTV")])
def test_a_mask_of_one_series_passes_the_wall_and_lies_on_it(study, ramp, square, tmp_path, way, name):
    for number in (1, 2):
        write(tmp_path / f"set/ill/s{number}", scan(ramp, number))
    write(tmp_path / "set/ill/mask", [drawn(square, way)])
    found = study()
    assert found.images["mask"].dropna().tolist() == ["ill/mask/000"]
    assert len(found.rejected) == 0
    row = found.index.loc["ill/s2/1.2.3.2"]
    assert row["note"] == f"mask classes: 1 {name}"
    expected = np.zeros((6, 8, 10), bool)
    expected[2] = square
    np.testing.assert_array_equal(found.masks[row["mask_row"], ..., 0] > 0, expected)
    assert (found.index["mask_row"] >= 0).sum() == 1
    assert b"MRN-1" not in found.release.read_bytes()


def test_the_newest_of_several_masks_is_taken_and_the_others_are_told(study, ramp, square, tmp_path):
    write(tmp_path / "set/ill/s2", scan(ramp, 2))
    for day in ("20200105", "20200301", "20191231"):
        dataset = pydicom.dcmread(io.BytesIO(drawn(square, "segmentation")))
        dataset.ContentDate, dataset.ContentTime = day, "120000"
        dataset.SOPInstanceUID = f"1.2.4.{day}"
        dataset.save_as(tmp_path / f"set/ill/{day}")
    found = study()
    assert found.images["mask"].dropna().tolist() == ["ill/20200301"]
    assert sorted(found.rejected["path"]) == ["ill/20191231", "ill/20200105"]
    assert set(found.rejected["reason"]) == {"excluded"}


def test_a_mask_that_names_no_series_is_found_by_its_frame_of_reference(study, ramp, square, tmp_path):
    write(tmp_path / "set/ill/s2", scan(ramp, 2))
    dataset = pydicom.dcmread(io.BytesIO(drawn(square, "segmentation")))
    del dataset.ReferencedSeriesSequence
    dataset.save_as(tmp_path / "set/ill/mask")
    assert study().images["mask"].notna().tolist() == [True, False]


def test_a_broken_mask_does_not_cost_its_image(study, ramp, square, tmp_path):
    write(tmp_path / "set/ill/s2", scan(ramp, 2))
    write(tmp_path / "set/ill/mask", [drawn(square, "segmentation")[:-7]])
    found = study()
    assert len(found.index) == 2
    assert (found.index["mask_row"] == -1).all()


def test_a_file_is_an_image_and_its_own_mask_with_it(study, square, tmp_path):
    grey = np.zeros((8, 10), np.uint16)
    for number in (1, 2):
        write(
            tmp_path / f"set/ill/{number}",
            [dicom_bytes(grey, SOPInstanceUID=f"1.2.5.{number}", SeriesInstanceUID="1.2.3.2", Modality="DX", **UIDS)],
        )
    instance = items(ReferencedSOPInstanceUID="1.2.5.2", ReferencedSOPClassUID="1.2")
    referred = items(SeriesInstanceUID="1.2.3.2", ReferencedInstanceSequence=instance)
    mask = segmentation([(1, square, None)], SeriesInstanceUID="1.2.4", **UIDS, ReferencedSeriesSequence=referred)
    write(tmp_path / "set/ill/mask", [mask])
    found = study(unit="image", size=[8, 10], spacing=None)
    assert found.images["mask"].dropna().index.tolist() == ["ill/2/000"]
    np.testing.assert_array_equal(found.masks[0, ..., 0] > 0, square)


def test_a_folder_of_slices_is_a_mask(ramp, tmp_path):
    write(tmp_path / "set/a", scan(ramp, 1))
    write(tmp_path / "set/b", scan(ramp, 2, PatientID="MRN-2"))
    write(tmp_path / "set/drawn", scan((ramp > 250).astype(np.uint16), 3))
    table = tmp_path / "labels.csv"
    table.write_text("file,label,mask\na,ill,drawn\nb,well,\n")
    found = through(tmp_path / "set", tmp_path / "out", resample_settings=GRID, labels={"path": table}, mask="mask")
    row = found.index.loc["a/1.2.3.1"]
    np.testing.assert_array_equal(found.masks[row["mask_row"], ..., 0], ramp > 250)


@pytest.mark.parametrize(
    ("folder", "stored", "left"),
    [
        ("dicom_faulty_series", 2, {"wrong-shape": 1}),
        ("brain_tumor_mr_dicom/PGBM-001/1991-11-19", 3, {}),
        ("head_mr_face/dicom_t1_sag", 1, {}),
        ("dicom_seg", 1, {"excluded": 2, "not-an-image": 2, "geometry": 1}),
    ],
)
def test_every_file_of_a_real_set_is_stored_or_left_out_with_a_reason(study, tmp_path, folder, stored, left):
    root = shared(folder)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/ill").symlink_to(root)
    found = study()
    assert len(found.index) == stored + 1
    reasons = [*found.quarantine["reason"], *found.rejected["reason"]]
    assert {reason: reasons.count(reason) for reason in set(reasons)} == left
    paths = {f"ill/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file() and path.suffix != ".md"}
    named = found.files | set(found.images["mask"].dropna()) | set(found.rejected["path"])
    assert paths - named <= {path for path in paths if path.endswith(".zip")}


@pytest.mark.study
def test_every_file_of_the_format_samples_is_stored_or_left_out_with_a_reason(study, tmp_path):
    root = shared("dicom_formats")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/ill").symlink_to(root)
    found = study(unit="image", size=[32, 32], spacing=None)
    paths = {f"ill/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}
    named = found.files | set(found.images["mask"].dropna()) | set(found.rejected["path"])
    # A README is no picture and is passed over; the log counts it.
    assert {path for path in paths - named if not path.endswith((".md", ".txt", "README"))} == set()
    assert len(found.index) >= 60
    # Of all broken and odd files the pixels of none are thought to need a decoder that is not there.
    assert "undecodable" not in set(found.quarantine["reason"])


def enhanced(ramp) -> bytes:
    """Two time points of one stack, frames in disorder; the second is 1000 higher."""
    order = [(z, t) for z in (3, 0, 5, 1, 4, 2) for t in (2, 1)]
    groups = []
    for z, t in order:
        (group,) = items(
            PlanePositionSequence=items(ImagePositionPatient=[-10.0, 5.0, 7.0 + 2.0 * z]),
            FrameContentSequence=items(TemporalPositionIndex=t, StackID="1", InStackPositionNumber=z + 1),
        )
        groups.append(group)
    shared_groups = items(
        PlaneOrientationSequence=items(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=items(PixelSpacing=[1.0, 1.5], SliceThickness=2.0),
        PixelValueTransformationSequence=items(RescaleSlope=1, RescaleIntercept=-24, RescaleType="US"),
    )
    return dicom_bytes(
        np.stack([ramp[z] + 1000 * (t - 1) for z, t in order]).astype(np.uint16),
        NumberOfFrames=len(order), SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1", Modality="MR",
        SharedFunctionalGroupsSequence=shared_groups, PerFrameFunctionalGroupsSequence=groups,
        SeriesInstanceUID="1.2.3.7", **UIDS,
    )  # fmt: skip


def test_each_time_point_of_an_enhanced_object_is_an_image(study, ramp, tmp_path):
    write(tmp_path / "set/ill/e", [enhanced(ramp)])
    found = study()
    assert sorted(found.images["row"]) == [-1, 0, 1]
    rows = found.index[found.index.index.str.contains("ill")]["row"]
    assert len(rows) == 2
    stored = sorted((found.store[row, ..., 0] for row in rows), key=lambda volume: volume.mean())
    np.testing.assert_array_equal(stored[0], ramp.astype(int) - 24)
    np.testing.assert_array_equal(stored[1], ramp.astype(int) + 976)


def test_real_radiographs_are_flat_images(study, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/ill").symlink_to(shared("cxr_dicom"))
    found = study(unit="image", size=[64, 64], spacing=None)
    assert found.index.index.str.contains("test").sum() == 3
    assert len(found.quarantine) == 0
    assert set(found.index["original_shape"]) == {"[1024, 1024]", "[8, 10]"}


def test_a_real_tumour_drawn_as_a_series_is_the_mask_of_its_scan(tmp_path):
    root = shared("brain_tumor_mr_dicom") / "PGBM-001/1991-11-19"
    table = tmp_path / "labels.csv"
    table.write_text("file,label,mask\nFLAIRreg,ill,MaskTumor\nT1post,well,\n")
    native = {"size": [25, 320, 260], "spacing": [6.4, 0.6875, 0.6875]}
    found = through(root, tmp_path / "out", resample_settings=native, labels={"path": table}, mask="mask")
    row = found.index[found.index["mask_row"] >= 0].iloc[0]
    assert json.loads(row["original_shape"]) == native["size"]
    headers = [pydicom.dcmread(path) for path in (root / "MaskTumor").glob("*.dcm")]
    headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    drawn = [int((header.pixel_array > 0).sum()) for header in headers]
    assert (found.masks[row["mask_row"]] > 0).sum(axis=(1, 2, 3)).tolist() == drawn
    assert sum(drawn) == 2641


@pytest.mark.study
def test_a_real_head_of_a_tilted_gantry_reaches_the_store(study, tmp_path):
    with zipfile.ZipFile(shared("head_ct_dicom") / "head_ct_gantry_tilt.zip") as archive:
        archive.extractall(tmp_path / "set/ill")
    found = study(size=[40, 128, 128], spacing=[3.5, 2.0, 2.0])
    (note,) = found.index["note"].dropna()
    assert note.startswith("gantry tilt of 18.5 degrees straightened; uneven slice spacing (1.08 to 7.00 mm)")
    assert len(found.index) == 2
    assert len(found.quarantine) == 0
