import json
import os

import pytest

from asclepius.errors import StudyError

FOLDERS = {"classes": ["ill", "well"]}


def two_patients(series_folder, root):
    series_folder(root / "ill/p1", "1.2.3.1", PatientID="MRN-1")
    series_folder(root / "well/p2", "1.2.3.2", PatientID="MRN-2", StudyInstanceUID="1.2.4", PatientAge="018M")


def test_a_series_is_a_volume_with_slices_along_the_normal(cohort, series_folder, slice_file, tmp_path):
    root = tmp_path / "set"
    for number, place in ((1, 30.0), (2, 10.0), (3, 20.0)):
        slice_file(
            root / f"ill/{number}.dcm",
            SeriesInstanceUID="1.2.3.1",
            InstanceNumber=number,
            ImageOrientationPatient=[0, 1, 0, 0, 0, -1],  # sagittal: the normal is -x
            ImagePositionPatient=[place, 0, 0],
        )
    series_folder(root / "well", "1.2.3.2", PatientID="MRN-2")
    images = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS).images
    assert json.loads(images["files"][0]) == ["ill/1.dcm", "ill/3.dcm", "ill/2.dcm"]
    first = images.iloc[0]
    assert (first["patient"], first["visit"], first["date"]) == ("MRN-1", "1.2.3", "2020-01-31")
    assert (first["site"], first["scanner"], first["modality"]) == ("Hospital", "Maker One B30f", "CT")
    assert (first["age"], first["sex"]) == (61.0, "F")


def test_one_file_is_one_image_without_volumes(cohort, series_folder, tmp_path):
    two_patients(series_folder, tmp_path / "set")
    images = cohort(source="dicom", unit="slice", path=tmp_path / "set", labels=FOLDERS).images
    assert len(images) == 6
    assert sorted(images["age"].unique()) == [1.5, 61.0]


def test_a_second_copy_is_kept_once(cohort, series_folder, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    series_folder(root / "zz_backup", "1.2.3.1", PatientID="MRN-1")
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS)
    assert len(found.images) == 2
    assert found.reasons() == {"duplicate": 1}
    assert all("backup" not in files for files in found.images["files"])


def test_a_copy_under_another_patient_stays(cohort, series_folder, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    series_folder(root / "ill/again", "1.2.3.1", PatientID="MRN-3")
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS)
    assert found.images["patient"].tolist() == ["MRN-3", "MRN-1", "MRN-2"]


def test_one_uid_for_different_pictures_is_no_copy(cohort, slice_file, tmp_path):
    for name, value in (("ill/1", b"\1\0"), ("ill/2", b"\2\0"), ("well/3", b"\3\0"), ("well/4", b"\3\0")):
        slice_file(
            tmp_path / f"set/{name}.dcm",
            SOPInstanceUID="1.2.3.9",
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
            PixelData=value * 16,
        )
    found = cohort(source="dicom", path=tmp_path / "set", labels=FOLDERS)
    assert len(found.images) == 3
    assert found.reasons() == {"duplicate": 1}


def test_what_is_no_image_is_told_from_what_is_broken(cohort, series_folder, slice_file, picture, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    slice_file(root / "ill/sr", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Rows=None, Columns=None, PixelData=None)
    slice_file(root / "ill/seg", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", SOPInstanceUID="1.9.1")
    picture(root / "ill/snap.png")
    (root / "notes.txt").write_text("nothing")
    (root / "ill/empty.dcm").touch()
    (root / "ill/noise.dcm").write_bytes(bytes(range(256)))
    slice_file(root / "ill/short", SeriesInstanceUID="1.2.3.7", cut=20)
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS, max_rejected=0.9)
    assert found.reasons() == {"not-an-image": 2, "excluded": 1, "empty": 1, "unreadable": 1, "truncated": 1}
    assert not found.rejected["sentence"].str.contains("ill|MRN|Doe").any()


def test_one_slice_cut_short_costs_the_whole_volume(cohort, series_folder, slice_file, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    series_folder(root / "ill/p3", "1.2.3.3", PatientID="MRN-3")
    slice_file(root / "ill/p3/IM0004", SeriesInstanceUID="1.2.3.3", InstanceNumber=4, PatientID="MRN-3", cut=9)
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS, max_rejected=0.5)
    assert set(found.images["patient"]) == {"MRN-1", "MRN-2"}
    assert found.reasons() == {"truncated": 1}


def test_localisers_and_other_modalities_are_set_aside(cohort, series_folder, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    series_folder(root / "ill/scout", "1.2.3.4", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    series_folder(root / "ill/pet", "1.2.3.5", Modality="PT")
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS, modality=["CT"])
    assert found.reasons() == {"wrong-modality": 2}
    assert len(found.images) == 2


def test_a_series_of_two_echoes_is_two_volumes(cohort, series_folder, slice_file, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    for echo in (1, 2):
        for number in (1, 2, 3):
            slice_file(
                root / f"ill/echo/{echo}-{number}",
                SeriesInstanceUID="1.2.3.6",
                SOPInstanceUID=f"1.2.3.6.{echo}.{number}",
                InstanceNumber=10 * echo + number,
                ImagePositionPatient=[0, 0, number],
                EchoTime=10 * echo,
            )
    images = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS).images
    echoes = images[images["source"].str.contains("echo")]
    assert [len(json.loads(cell)) for cell in echoes["files"]] == [3, 3]
    assert all(len({name.split("/")[-1][0] for name in json.loads(cell)}) == 1 for cell in echoes["files"])


def test_slices_at_one_place_that_nothing_separates_are_refused(cohort, series_folder, slice_file, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    for number in (1, 2, 3, 4):
        slice_file(
            root / f"ill/{number}",
            SeriesInstanceUID="1.2.3.6",
            InstanceNumber=number,
            ImagePositionPatient=[0, 0, number // 2],
        )
    assert cohort(source="dicom", unit="volume", path=root, labels=FOLDERS, max_rejected=0.5).reasons() == {
        "geometry": 1
    }


def test_no_patient_at_all_makes_each_image_its_own(cohort, slice_file, tmp_path):
    for name in ("ill/1", "ill/2", "well/3"):
        slice_file(tmp_path / f"set/{name}", PatientID="", PatientName="", SOPInstanceUID=f"1.5.{name[-1]}")
    images = cohort(source="dicom", path=tmp_path / "set", labels=FOLDERS).images
    assert images["patient"].tolist() == images["source"].tolist()


def test_a_name_stands_in_for_a_missing_identifier(cohort, slice_file, tmp_path):
    for name, person in (("ill/1", "Müller^Jörg"), ("well/2", "王^小明")):
        slice_file(
            tmp_path / f"set/{name}",
            SpecificCharacterSet="ISO_IR 192" if "1" in name else "GB18030",
            PatientID="",
            PatientName=person,
            SOPInstanceUID=f"1.5.{name[-1]}",
        )
    images = cohort(source="dicom", path=tmp_path / "set", labels=FOLDERS).images
    assert images["patient"].tolist() == ["Müller^Jörg", "王^小明"]


def test_labels_by_study_series_and_patient(cohort, series_folder, table, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    for key, values in {
        "series": ["1.2.3.1", "1.2.3.2"],
        "study": ["1.2.3", "1.2.4"],
        "patient": ["MRN-1", "MRN-2"],
        "file": ["ill/p1", "p2"],
    }.items():
        labels = table(tmp_path / f"{key}.csv", **{key: values}, label=["yes", "no"])
        found = cohort(key, source="dicom", unit="volume", path=root, labels={"path": labels, "key": key})
        assert found.images["label"].tolist() == ["yes", "no"], key


def test_folders_of_patients_never_become_classes_by_themselves(cohort, series_folder, tmp_path):
    two_patients(series_folder, tmp_path / "set")
    with pytest.raises(StudyError, match=r"cohort\.labels\.path"):
        cohort(source="dicom", unit="volume", path=tmp_path / "set")


def test_the_phantom_is_read_like_any_dicom_source(cohort, series_folder, table, tmp_path):
    phantom = tmp_path / "phantom"
    series_folder(phantom / "images/x", "1.2.3.1", PatientID="A")
    series_folder(phantom / "images/y", "1.2.3.2", PatientID="B")
    series_folder(phantom / "images/z", "1.2.3.3", PatientID="B", Modality="PT")
    (phantom / "masks").mkdir()
    (phantom / "masks/m.nii.gz").write_bytes(b"mask")
    table(
        phantom / "labels.csv",
        PatientID=["A", "B", "B"],
        StudyInstanceUID=["1.2.3"] * 3,
        SeriesInstanceUID=["1.2.3.1", "1.2.3.2", "1.2.3.3"],
        StudyDate=["20200131", "20200201", "20200201"],
        site=["north", "south", "south"],
        age=["50", "060Y", "60"],
        sex=["M", "F", "F"],
        diagnosis=["nodule", "healthy", "healthy"],
        mask=["masks/m.nii.gz", "", ""],
        boxes=["[[1,2,0,3,4,2]]", "", ""],
    )
    found = cohort(source="phantom", phantom=phantom)
    assert found.images[["patient", "site", "age", "sex", "label", "date"]].to_numpy().tolist() == [
        ["A", "north", 50.0, "M", "nodule", "2020-01-31"],
        ["B", "south", 60.0, "F", "healthy", "2020-02-01"],
    ]
    assert found.images["mask"].tolist() == ["masks/m.nii.gz", None]
    assert found.images["boxes"].tolist() == ["[[1,2,0,3,4,2]]", None]
    assert json.loads(found.images["files"][0])[0] == "images/x/IM0001"
    assert found.reasons() == {"wrong-modality": 1}


def test_names_with_spaces_other_letters_and_no_letters_at_all_are_read(cohort, series_folder, tmp_path):
    root = tmp_path / "mit Leerzeichen/Größe 影像"
    series_folder(root / "ill/a b", "1.2.3.1", PatientID="MRN-1")
    os.rename(root / "ill/a b/IM0001", os.fsencode(root / "ill/a b") + b"/\xff\xfe'\"")
    series_folder(root / "well/p2", "1.2.3.2", PatientID="MRN-2", StudyInstanceUID="1.2.4")
    images = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS).images
    assert [len(json.loads(cell)) for cell in images["files"]] == [3, 3]
    assert all((root / name).is_file() for cell in images["files"] for name in json.loads(cell))


def test_loops_of_links_dead_links_and_pipes_do_not_stop_the_walk(cohort, series_folder, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    (root / "ill/loop").symlink_to(root)
    (root / "ill/self.dcm").symlink_to(root / "ill/self.dcm")
    (root / "ill/dead.dcm").symlink_to(tmp_path / "nowhere")
    os.mkfifo(root / "ill/pipe.dcm")
    found = cohort(source="dicom", unit="volume", path=root, labels=FOLDERS, max_rejected=0.9)
    assert len(found.images) == 2
    assert found.reasons() == {"unreadable": 2}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_listed_stops_the_run_with_its_name(cohort, series_folder, tmp_path):
    two_patients(series_folder, tmp_path / "set")
    locked = tmp_path / "set/ill/locked"
    locked.mkdir(mode=0)
    with pytest.raises(StudyError, match=r"locked: cannot be listed \(Permission denied\)"):
        cohort(source="dicom", unit="volume", path=tmp_path / "set", labels=FOLDERS)


def test_the_source_is_only_read(cohort, series_folder, tmp_path):
    root = tmp_path / "set"
    two_patients(series_folder, root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    for path in [root, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    cohort(source="dicom", unit="volume", path=root, labels=FOLDERS)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    for path in [root, *before]:
        path.chmod(0o755 if path.is_dir() else 0o644)
