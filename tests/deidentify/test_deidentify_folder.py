"""The command on a folder: where files go, what their names tell, how it ends, and that it can be repeated."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections import Counter

import nibabel
import numpy as np
import pydicom
import pytest
from deidentify_cases import ct, encoded

from asclepius.__main__ import main
from asclepius.deidentify.folder import deidentify_folder
from asclepius.deidentify.release import Tree
from asclepius.deidentify.settings import DeidentifySettings


def scans(folder, patients=("Grünwald^Zoë", "Quatermass^Bernard"), slices=3):
    for number, name in enumerate(patients):
        for day in ("20210304", "20220101"):
            for i in range(slices):
                path = folder / name.split("^")[0] / day / f"{i}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(ct(i, name=name, patient=f"PID-77{number}", day=day)))
    return folder


def command(source, root, *options):
    arguments = ["deidentify", source, root / "out", "--key", root / "a.key", "--restricted", root / "kept", *options]
    return main([str(argument) for argument in arguments])


def listing(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_a_tree_of_patients_studies_and_series(tmp_path):
    assert command(scans(tmp_path / "in"), tmp_path) == 0
    found = listing(tmp_path / "out")
    assert len(found) == 12
    depth = Counter(tuple(name.split("/")[:i]) for name in found for i in (1, 2, 3))
    assert sorted(depth.values()) == [3] * 8 + [6] * 2
    for name, data in found.items():
        patient, study, series, _ = name.split("/")
        assert patient.startswith("P-")
        assert study.startswith("study-")
        assert series.startswith("CT-")
        assert b"PID-77" not in data
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        "audit.csv", "certificate.html", "crosswalk.bin", "quarantine.csv"
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    for name in ("crosswalk.bin", "quarantine.csv", "certificate.html"):
        assert stat.S_IMODE((tmp_path / "kept" / name).stat().st_mode) == 0o600, name


def test_any_order_any_number_of_processes_give_the_same_files(tmp_path):
    source = scans(tmp_path / "in")
    trees = []
    for name, jobs in (("one", "1"), ("two", "2"), ("again", "1")):
        root = tmp_path / name
        root.mkdir()
        (root / "a.key").write_text("ab" * 32)
        assert command(source, root, "--jobs", jobs) == 0
        trees.append(listing(root / "out"))
        if name == "two":  # another order of the same files
            for path in list(source.rglob("*.dcm")):
                path.rename(path.with_name(f"z{9 - int(path.stem)}.dcm"))
    assert trees[0] == trees[1] == trees[2]


def test_another_key_gives_names_that_cannot_be_linked(tmp_path):
    source = scans(tmp_path / "in")
    names = []
    for key in ("ab", "cd"):
        root = tmp_path / key
        root.mkdir()
        (root / "a.key").write_text(key * 32)
        command(source, root)
        names.append({part for name in listing(root / "out") for part in name.split("/")})
    assert not names[0] & names[1]


def test_what_is_damaged_is_told_and_the_rest_released(tmp_path, capsys):
    source = scans(tmp_path / "in")
    (source / "Grünwald" / "cut.dcm").write_bytes(encoded(ct())[:-40])
    (source / "Grünwald letter.docx").write_bytes(b"PK no archive at all")
    (source / "empty").write_bytes(b"")
    assert command(source, tmp_path) == 1
    told = (tmp_path / "kept" / "quarantine.csv").read_text()
    assert "Grünwald/cut.dcm" in told
    assert "truncated" in told
    assert "Grünwald letter.docx" in told
    assert len(listing(tmp_path / "out")) == 12
    printed = capsys.readouterr()
    assert "3 files not released" in printed.out
    assert "1 truncated" in printed.out
    assert "12 of 15 files" in printed.err or "15 of 15 files" in printed.err
    assert "Gr" + "ünwald" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"source": "nowhere"}, "no such folder"),
        (lambda a: a | {"out": "in/out"}, "must not lie among raw"),
        (lambda a: a | {"restricted": "out/kept"}, "identifies patients must not lie among released"),
        (lambda a: a | {"key": "out/a.key"}, "key must not lie among released"),
        (lambda a: a | {"extra": ["--options", "full_dates,modified_dates"]}, "exclude each other"),
        (lambda a: a | {"extra": ["--options", "everything"]}, "safe_private"),
        (lambda a: a | {"extra": ["--jobs", "0"]}, "at least 1"),
    ],
)
def test_wrong_use_ends_with_2_and_a_reason(tmp_path, capsys, change, message):
    scans(tmp_path / "in", slices=1)
    a = change({"source": "in", "out": "out", "restricted": "kept", "key": "a.key", "extra": []})
    paths = {name: str(tmp_path / a[name]) for name in ("source", "out", "restricted", "key")}
    arguments = ["deidentify", paths["source"], paths["out"], "--key", paths["key"]]
    assert main([*arguments, "--restricted", paths["restricted"], *a["extra"]]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_members_of_an_archive_are_released_like_files(tmp_path):
    source = scans(tmp_path / "plain", patients=("Grünwald^Zoë",))
    packed = tmp_path / "packed"
    packed.mkdir()
    with zipfile.ZipFile(packed / "Grünwald.zip", "w") as archive:
        for path in source.rglob("*.dcm"):
            archive.write(path, path.relative_to(source))
    for name, folder in (("a", source), ("b", packed)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.key").write_text("ab" * 32)
        assert command(folder, tmp_path / name) == 0
    assert listing(tmp_path / "a" / "out") == listing(tmp_path / "b" / "out")


def test_a_bids_folder_stays_one(tmp_path):
    source = tmp_path / "in"
    folder = source / "sub-gruenwald" / "ses-2021" / "anat"
    folder.mkdir(parents=True)
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header["descrip"] = b"Gruenwald Zoe"
    nibabel.save(image, folder / "sub-gruenwald_ses-2021_acq-mprage_run-1_T1w.nii.gz")
    sidecar = {"Modality": "MR", "EchoTime": 0.003, "PatientName": "Gruenwald^Zoe", "InstitutionName": "Elsewhere"}
    (folder / "sub-gruenwald_ses-2021_acq-mprage_run-1_T1w.json").write_text(json.dumps(sidecar))
    (source / "participants.tsv").write_text("participant_id\tage\tsex\nsub-gruenwald\t93\tF\n")
    (source / "dataset_description.json").write_text('{"Name": "Gruenwald study", "BIDSVersion": "1.8.0"}')
    assert command(source, tmp_path) == 0
    found = listing(tmp_path / "out")
    subject = next(name.split("/")[0] for name in found if name.endswith("T1w.json"))
    assert any(
        name.startswith(f"{subject}/ses-") and "acq-" in name and name.endswith("_run-1_T1w.nii.gz") for name in found
    )
    assert {
        name.rsplit(".", 2)[0] if name.endswith(".gz") else name.rsplit(".", 1)[0] for name in found if "T1w" in name
    } == {next(name for name in found if name.endswith("T1w.json")).removesuffix(".json")}
    assert subject in found["participants.tsv"].decode()
    assert not [name for name, data in found.items() if b"ruenwald" in data or "ruenwald" in name]
    assert json.loads(found["dataset_description.json"])["BIDSVersion"] == "1.8.0"


def test_the_way_back_needs_the_key_and_is_written_down(tmp_path, capsys):
    command(scans(tmp_path / "in"), tmp_path)
    patient = next((tmp_path / "out").iterdir()).name
    ask = ["reidentify", str(tmp_path / "kept"), patient, "--reason", "incidental finding", "--key"]
    capsys.readouterr()
    assert main([*ask, str(tmp_path / "a.key")]) == 0
    assert f"{patient}\tpatient\tPID-77" in capsys.readouterr().out
    log = (tmp_path / "kept" / "reidentify.log").read_text()
    assert patient in log
    assert "incidental finding" in log
    (tmp_path / "b.key").write_text("cd" * 32)
    assert main([*ask, str(tmp_path / "b.key")]) == 2
    assert "key is of another study" in capsys.readouterr().err


def test_export_lists_every_patient_and_uid_once(tmp_path):
    source = scans(tmp_path / "in")
    command(source, tmp_path)
    kept = tmp_path / "kept"
    assert main(["reidentify", str(kept), "--key", str(tmp_path / "a.key"), "--reason", "check", "--export"]) == 0
    patients = dict(line.split(",") for line in (kept / "patients.csv").read_text().splitlines()[1:])
    assert set(patients) == {"PID-770", "PID-771"}
    uids = dict(line.split(",") for line in (kept / "uids.csv").read_text().splitlines()[1:])
    for path in source.rglob("*.dcm"):
        assert str(pydicom.dcmread(path).SOPInstanceUID) in uids
    released = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "out").rglob("*.dcm")}
    assert released < set(uids.values())


def test_without_a_crosswalk_there_is_no_way_back(tmp_path, capsys):
    command(scans(tmp_path / "in"), tmp_path, "--no-crosswalk")
    assert not (tmp_path / "kept" / "crosswalk.bin").exists()
    assert main(["reidentify", str(tmp_path / "kept"), "P-1", "--key", str(tmp_path / "a.key"), "--reason", "x"]) == 2
    assert "no crosswalk" in capsys.readouterr().err


def test_two_copies_of_an_instance_are_both_kept(tmp_path):
    source = scans(tmp_path / "in", patients=("Grünwald^Zoë",), slices=1)
    copy = next(source.rglob("*.dcm"))
    copy.with_name("copy.dcm").write_bytes(copy.read_bytes())
    command(source, tmp_path)
    assert len(listing(tmp_path / "out")) == 3


def test_nothing_half_written_is_left_when_the_process_is_killed(tmp_path):
    source = scans(tmp_path / "in", patients=[f"Name{i}^Given" for i in range(40)], slices=4)
    run = [sys.executable, "-m", "asclepius", "deidentify", source, tmp_path / "out", "--key", tmp_path / "a.key"]
    process = subprocess.Popen([*map(str, run), "--restricted", str(tmp_path / "kept")], stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while time.time() < deadline and not any((tmp_path / "out").rglob("*.dcm")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    half = next((tmp_path / "out").rglob("*.dcm"))
    half.with_name(f".{half.name}.1.part").write_bytes(b"half")
    for path in (tmp_path / "out").rglob("*.dcm"):
        if not path.name.startswith("."):
            assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"
    assert command(source, tmp_path) == 0
    found = listing(tmp_path / "out")
    assert len([name for name in found if not name.rpartition("/")[2].startswith(".")]) == 320
    assert not [name for name in found if name.endswith(".part")]


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch, capsys):
    def full(self, name, parts, prove):
        raise OSError(28, os.strerror(28), str(tmp_path / "out" / name))

    monkeypatch.setattr(Tree, "add", full)
    assert command(scans(tmp_path / "in"), tmp_path) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_a_name_told_by_a_later_study_is_taken_out_of_an_earlier_one(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    first, second = ct(1), ct(2)
    first.SeriesDescription = "Chest for Quatermass"
    second.PerformingPhysicianName = "Quatermass^Bernard"
    for i, dataset in enumerate((first, second)):
        (source / f"{i}.dcm").write_bytes(encoded(dataset))
    summary = deidentify_folder(
        source, tmp_path / "out", key=tmp_path / "k", restricted=tmp_path / "r", settings=DeidentifySettings()
    )
    assert summary.released == 2
    said = {pydicom.dcmread(path).get("SeriesDescription") for path in (tmp_path / "out").rglob("*.dcm")}
    assert said == {"Chest for", None}
